"""What a stream told, as events of the log. Pure but for the counters it keeps.

Everything that is not audio goes through here in the order in which it arrived; ``chat`` and
``beside`` do so for what is typed and for what nobody said.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.base import metrics
from pipeline.meeting.beside import Beside
from pipeline.meeting.chat import Chat
from pipeline.meeting.words import sound
from pipeline.model import events as ev
from pipeline.model.gaps import Hole
from pipeline.model.speech import (
    Attribution,
    Correction,
    Gap,
    Role,
    Segment,
    Source,
    Utterance,
    Word,
)
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out

Engine = str
"""Where words come from: ``native``, ``both`` (native first), or an engine's name."""

UNSURE_MS = 1_500
"""A killed process may have received so much that was not durable yet: open segments are spooled
every second, commits are grouped within 50 ms."""

CAUSES = {
    "media_lost": "media connection lost",
    "signaling_lost": "connection to Zoom lost",
    "process_down": "this service was not running; what was under way then may be missing",
    "not_connected": "the stream was never received",
    "between_streams": "no stream between two",
    "overload": "more arrived than could be taken in",
    "stt_failed": "speech-to-text failed",
    "unusable_audio": "the audio could not be processed",
    "disk_full": "the disk was full for too long",
    "spool_lost": "spooled audio could not be read",
    "paused": "paused by somebody in the meeting; nothing was sent",
    "unreadable": "messages from Zoom could not be read; words may be missing",
    "images_dropped": "images came faster than they could be kept",
}
"""What people read for each cause of a gap."""


class Recorder:
    """Makes bodies for the log of one meeting, to be committed in the order they are made.

    ``state`` is the meeting so far; counters and names go on from it after a restart.
    """

    def __init__(self, state: MeetingState, engine: Engine) -> None:
        self._primary = _primary(engine)
        self._names = {p.id: p.name for p in state.participants.values()}
        self._here = {p.id for p in state.participants.values() if p.left_ms is None}
        before = state.opened.engine if state.opened is not None else engine
        self._primary_before = _primary(before)
        self._inherited: frozenset[str] = frozenset()
        self._utterance_count = len(state.utterances)
        self._segment_count = len(state.segments)
        self._gap_count = len(state.gaps)
        self._utterances = dict(state.utterances)
        self.chat = Chat(state, self.name_of)
        self.beside = Beside(state, self.name_of)
        self._primary_gaps = [g for g in state.gaps.values() if _concerns(g.media, self._primary)]

    def name_of(self, participant: str) -> str | None:
        """The name a participant is known by."""
        return self._names.get(participant)

    @property
    def people(self) -> tuple[str, ...]:
        """Names of everybody who was there so far, in the order of their coming."""
        return tuple(self._names.values())

    # -- people ---------------------------------------------------------------------------

    def joined(self, people: Iterable[tuple[str, str]], at_ms: int) -> list[ev.Body]:
        """People who are there now; only what is news becomes an event."""
        news: list[ev.Body] = []
        for participant, given in people:
            name = sound(given)
            if participant in self._here and self._names.get(participant) == name:
                continue
            self._here.add(participant)
            self._names[participant] = name
            news.append(ev.ParticipantJoined(participant=participant, name=name, at_ms=at_ms))
        return news

    def left(self, participants: Iterable[str], at_ms: int) -> list[ev.Body]:
        """People who are gone."""
        news: list[ev.Body] = []
        for participant in participants:
            if participant in self._here:
                self._here.discard(participant)
                news.append(ev.ParticipantLeft(participant=participant, at_ms=at_ms))
        return news

    # -- words ----------------------------------------------------------------------------

    def said(
        self,
        *,
        stream: str,
        source: Source,
        participant: str | None,
        speaker: str | None,
        start_ms: int,
        end_ms: int,
        text: str,
        language: str | None = None,
        confidence: float | None = None,
        segment: str | None = None,
        attribution: Attribution = "stream",
        speaker_confidence: float | None = None,
        engine: str | None = None,
        doubt: str | None = None,
        words: tuple[Word, ...] = (),
        corrections: tuple[Correction, ...] = (),
    ) -> tuple[Utterance, list[ev.Body]]:
        """A new utterance, with the participant's arrival where nobody announced it."""
        text, speaker = sound(text), sound(speaker) if speaker else None
        bodies: list[ev.Body] = []
        if participant is not None and speaker and participant not in self._names:
            bodies += self.joined([(participant, speaker)], start_ms)
        self._utterance_count += 1
        utterance = Utterance(
            id=f"u{self._utterance_count}",
            stream=stream,
            source=source,
            start_ms=start_ms,
            end_ms=max(start_ms, end_ms),
            text=text,
            participant=participant,
            speaker=speaker or (self._names.get(participant) if participant else None),
            role=self._role(source, start_ms, end_ms, segment),
            language=language,
            confidence=confidence,
            segment=segment,
            attribution=attribution,
            speaker_confidence=speaker_confidence,
            engine=engine,
            doubt=doubt,
            words=tuple(msgspec.structs.replace(word, text=sound(word.text)) for word in words),
            corrections=corrections,
        )
        self._utterances[utterance.id] = utterance
        metrics.UTTERANCES.labels(source).inc()
        return utterance, [*bodies, ev.UtteranceSaid(utterance=utterance)]

    def revised(self, utterance_id: str, text: str | None) -> list[ev.Body]:
        """A correction (``text``) or deletion (None) of an utterance by its source."""
        text = None if text is None else sound(text)
        known = self._utterances.get(utterance_id)
        if known is None or known.deleted or known.text == text:
            return []
        changed = msgspec.structs.replace(
            known,
            revision=known.revision + 1,
            text=known.text if text is None else text,
            deleted=text is None,
        )
        self._utterances[utterance_id] = changed
        return [ev.UtteranceSaid(utterance=changed)]

    def typed(self, stream: str, chat: out.ChatReceived) -> list[ev.Body]:
        """A chat message, or news of one."""
        return self.chat.typed(stream, chat)

    # -- audio and gaps -------------------------------------------------------------------

    def spooled(
        self,
        *,
        stream: str,
        participant: str | None,
        speaker: str | None,
        start_ms: int,
        end_ms: int,
        file: str,
        samples: int,
        attribution: Attribution = "stream",
        speaker_confidence: float | None = None,
        speech_ms: int | None = None,
        level_db: float | None = None,
        joined: bool = False,
    ) -> tuple[Segment, list[ev.Body]]:
        """A segment whose audio is durable."""
        self._segment_count += 1
        segment = Segment(
            id=f"s{self._segment_count}",
            stream=stream,
            start_ms=start_ms,
            end_ms=end_ms,
            file=file,
            samples=samples,
            participant=participant,
            speaker=speaker or (self._names.get(participant) if participant else None),
            attribution=attribution,
            speaker_confidence=speaker_confidence,
            speech_ms=speech_ms,
            level_db=level_db,
            joined=joined,
        )
        return segment, [ev.SegmentSpooled(segment=segment)]

    def gap(
        self,
        *,
        from_ms: int,
        to_ms: int,
        media: str,
        cause: str,
        stream: str | None = None,
        participant: str | None = None,
        detail: str | None = None,
    ) -> list[ev.Body]:
        """Something is missing; comparison utterances that stand in it are shown from now on."""
        self._gap_count += 1
        found = Gap(
            id=f"g{self._gap_count}",
            from_ms=from_ms,
            to_ms=to_ms,
            media=media,
            cause=cause,
            detail=detail or CAUSES.get(cause, cause),
            stream=stream,
            participant=participant,
        )
        metrics.GAP_SECONDS.labels(cause).inc(max(0, to_ms - from_ms) / 1000)
        bodies: list[ev.Body] = [ev.GapFound(gap=found)]
        if not _concerns(media, self._primary):
            return bodies
        self._primary_gaps.append(found)
        for utterance in list(self._utterances.values()):
            if utterance.role == "comparison" and _within(utterance, found):
                shown = msgspec.structs.replace(
                    utterance, role="fill", revision=utterance.revision + 1
                )
                self._utterances[shown.id] = shown
                bodies.append(ev.UtteranceSaid(utterance=shown))
        return bodies

    def holes(self, found: Iterable[Hole], stream: str) -> list[ev.Body]:
        """Gap events for what a meter measured."""
        return [
            body
            for hole in found
            for body in self.gap(
                from_ms=hole.from_ms,
                to_ms=hole.to_ms,
                media=hole.media,
                cause=hole.cause,
                stream=stream,
                participant=hole.participant,
                detail=hole.detail,
            )
        ]

    def inherit(self, segments: Iterable[Segment]) -> None:
        """Segments heard by an earlier process: they count as they did then, whatever ``--stt``
        is now."""
        self._inherited = frozenset(segment.id for segment in segments)

    def _role(self, source: Source, start_ms: int, end_ms: int, segment: str | None) -> Role:
        if source == (self._primary_before if segment in self._inherited else self._primary):
            return "primary"
        middle = (start_ms + end_ms) // 2
        filled = any(gap.from_ms <= middle <= gap.to_ms for gap in self._primary_gaps)
        return "fill" if filled else "comparison"


def _primary(engine: Engine) -> Source:
    return "native" if engine in ("native", "both") else "local"


def _within(utterance: Utterance, gap: Gap) -> bool:
    return gap.from_ms <= (utterance.start_ms + utterance.end_ms) // 2 <= gap.to_ms


def _concerns(media: str, primary: Source) -> bool:
    """Whether a gap of ``media`` is one of the primary source of words."""
    return media == "all" or media == ("audio" if primary == "local" else "transcript")
