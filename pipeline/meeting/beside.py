"""What happened beside what was said, as events: sharing, calls, sessions, pictures, faults."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.meeting.images.news import ClipNews, PictureKept
from pipeline.meeting.words import sound
from pipeline.model import events as ev
from pipeline.model.happening import Clip, Image
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out

DETAIL = 300
"""Characters kept of what is wrong with a message."""


class Beside:
    """Makes bodies for the log of one meeting; ``state`` is the meeting so far."""

    def __init__(self, state: MeetingState, name_of: Callable[[str], str | None]) -> None:
        self._name_of = name_of
        self.pictures = len(state.images)
        self._clip_count = len(state.clips)
        self._clips: dict[str, str] = {}
        self._faults = {key: fault.count for key, fault in state.faults.items()}
        self._sessions = dict(state.sessions)
        self._calls: set[tuple[str, str | None, int]] = set()
        self._sharing: dict[str, tuple[str | None, str | None]] = {}  # by stream
        for happening in state.happened():
            if happening.kind == "sharing_started":
                self._sharing[happening.stream] = (happening.participant, happening.speaker)
            elif happening.kind == "sharing_stopped":
                self._sharing.pop(happening.stream, None)
            else:
                self._calls.add((happening.what, happening.participant, happening.at_ms))

    def sharing_started(self, stream: str, told: out.SharingStarted) -> list[ev.Body]:
        """Somebody shares; after a reconnection Zoom may say it again."""
        participant = None if told.user_id is None else str(told.user_id)
        speaker = self._name(participant, told.user_name)
        if self._sharing.get(stream) == (participant, speaker):
            return []
        self._sharing[stream] = (participant, speaker)
        return [
            ev.SharingStarted(
                stream=stream, at_ms=told.at_ms, participant=participant, speaker=speaker
            )
        ]

    def sharing_stopped(self, stream: str, at_ms: int) -> list[ev.Body]:
        """Nobody shares any more."""
        if stream not in self._sharing:
            return []
        participant, speaker = self._sharing.pop(stream)
        return [
            ev.SharingStopped(stream=stream, at_ms=at_ms, participant=participant, speaker=speaker)
        ]

    def call(self, stream: str, told: out.CallEvent) -> list[ev.Body]:
        """A contact center event; each stream of an engagement may tell it."""
        participant = sound(told.participant) if told.participant else None
        key = (sound(told.name), participant, told.at_ms)
        if key in self._calls:
            return []
        self._calls.add(key)
        return [
            ev.CallHappened(
                stream=stream,
                at_ms=told.at_ms,
                what=sound(told.name),
                participant=participant,
                speaker=self._name(participant, told.who),
                mode=sound(told.mode) if told.mode else None,
            )
        ]

    def session(self, stream: str, told: out.SessionChanged) -> list[ev.Body]:
        """A session's state, where it is news."""
        session, state = sound(told.session), sound(told.state)
        if self._sessions.get(session) == state:
            return []
        self._sessions[session] = state
        return [ev.SessionChanged(stream=stream, session=session, state=state, at_ms=told.at_ms)]

    def fault(self, stream: str, told: out.ProtocolFault, at_ms: int) -> list[ev.Body]:
        """Something that could not be used."""
        key = f"{told.socket} {told.reason}"
        self._faults[key] = self._faults.get(key, 0) + 1
        return [
            ev.ProtocolFaulted(
                stream=stream,
                socket=told.socket,
                reason=told.reason,
                detail=sound(told.detail)[:DETAIL],
                at_ms=at_ms,
                count=self._faults[key],
            )
        ]

    def picture(self, stream: str, kept: PictureKept) -> list[ev.Body]:
        """A keyframe that is durable."""
        self.pictures += 1
        image = Image(
            id=f"i{self.pictures}",
            stream=stream,
            at_ms=kept.at_ms,
            media=kept.media,
            file=kept.file,
            thumb=kept.thumb,
            width=kept.width,
            height=kept.height,
            participant=kept.who.participant,
            speaker=self._name(kept.who.participant, kept.who.speaker),
        )
        return [ev.ImageKept(image=image)]

    def clip(self, stream: str, news: ClipNews) -> list[ev.Body]:
        """A clip that was begun, or is complete."""
        if news.file not in self._clips:
            self._clip_count += 1
            self._clips[news.file] = f"v{self._clip_count}"
        clip = Clip(
            id=self._clips[news.file],
            stream=stream,
            media=news.media,
            codec=news.codec,
            file=news.file,
            from_ms=news.from_ms,
            width=news.width,
            height=news.height,
            participant=news.who.participant,
            speaker=self._name(news.who.participant, news.who.speaker),
            to_ms=news.to_ms,
            frames=news.frames,
        )
        return [ev.ClipKept(clip=clip)]

    def _name(self, participant: str | None, given: str | None) -> str | None:
        if given:
            return sound(given)
        return self._name_of(participant) if participant else None
