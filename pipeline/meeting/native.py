"""Zoom's own transcript as utterances: each message once, updates matched to what they correct."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.meeting.recorder import Recorder
from pipeline.model import events as ev
from pipeline.model.speech import Utterance
from pipeline.rtms import outputs as out


class NativeTranscript:
    """Keeps what is needed to tell a repeated message from a new one (after a reconnection Zoom
    may send its buffer again) and to find the utterance an UPDATE or DELETE is about.

    Transcript messages carry no id (reference section 12.5): speaker and start time stand for one.
    """

    def __init__(self, recorder: Recorder, stream: str, known: Iterable[Utterance]) -> None:
        self._recorder = recorder
        self._stream = stream
        self._seen: set[tuple[str | None, int, int, str]] = set()
        self._by_start: dict[tuple[str | None, int], str] = {}
        self._corrected: set[tuple[int, int]] = set()  # of unknown speakers
        self._latest: dict[str | None, tuple[str, int, int]] = {}
        for utterance in known:
            if utterance.source == "native":
                self._remember(utterance)

    def take(self, said: out.TranscriptReceived) -> list[ev.Body]:
        """The events of one transcript message; none when it is known or says nothing."""
        participant = None if said.user_id is None else str(said.user_id)
        if said.operation != "new":
            found = self._find(participant, said.start_ms, said.end_ms)
            if found is not None:
                text = said.text.strip() if said.operation == "update" else None
                return self._recorder.revised(found, text or None)
            if said.operation == "delete":
                return []
        text = said.text.strip()
        if participant is None and (said.start_ms, said.end_ms) in self._corrected:
            return []
        if not text or _key(participant, said.start_ms, said.end_ms, text) in self._seen:
            return []
        utterance, bodies = self._recorder.said(
            stream=self._stream,
            source="native",
            participant=participant,
            speaker=said.user_name,
            start_ms=said.start_ms,
            end_ms=said.end_ms,
            text=text,
            language=said.language,
        )
        self._remember(utterance)
        return bodies

    def _remember(self, utterance: Utterance) -> None:
        who, start, end = utterance.participant, utterance.start_ms, utterance.end_ms
        self._seen.add(_key(who, start, end, utterance.text))
        if who is None and utterance.revision > 1:
            self._corrected.add((start, end))
        self._by_start[who, start] = utterance.id
        self._latest[who] = (utterance.id, start, end)

    def _find(self, participant: str | None, start_ms: int, end_ms: int) -> str | None:
        exact = self._by_start.get((participant, start_ms))
        if exact is not None:
            return exact
        latest = self._latest.get(participant)
        if latest is not None and latest[1] < end_ms and start_ms < latest[2]:
            return latest[0]
        return None


def _key(
    who: str | None, start_ms: int, end_ms: int, text: str
) -> tuple[str | None, int, int, str]:
    """One person says one thing at a time, so a corrected text is still the same utterance; of
    unknown speakers there may be several."""
    return (who, start_ms, end_ms, "" if who is not None else text)
