"""A tape unrolled in meeting time: what is due on which kind of media. Pure; no clock.

Times are milliseconds from the tape's start. The tape is read a little ahead, never as a whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.base.errors import TapeError
from pipeline.emulator.lane import Lane
from pipeline.emulator.rendering import AudioFormat, Chunk, Rendering
from pipeline.rtms.enums import (
    MEDIA_URL_KEY,
    EventType,
    MediaType,
    MessageType,
    SessionState,
    StreamState,
)
from pipeline.tapes.lines import Line, LostMark, TapeAudio, TapeMessage
from pipeline.tapes.reader import TapeReader

AHEAD_MS: Final = 2_500
"""How far the tape is read ahead; more than a line of packed audio and the mix's delay."""
LOOP_PAUSE_MS: Final = 1_000
END_PAUSE_MS: Final = 1_000
"""After the last line of a tape that does not say how the stream ended."""

_LANE_OF: Final = {
    MessageType.MEDIA_DATA_VIDEO: MediaType.VIDEO,
    MessageType.MEDIA_DATA_SHARE: MediaType.DESKSHARE,
    MessageType.MEDIA_DATA_TRANSCRIPT: MediaType.TRANSCRIPT,
    MessageType.MEDIA_DATA_CHAT: MediaType.CHAT,
}
_BY_KEY: Final = {key: media for media, key in MEDIA_URL_KEY.items()}
_GOODBYES: Final = (
    (MessageType.STREAM_STATE_UPDATE, StreamState.TERMINATED),
    (MessageType.SESSION_STATE_UPDATE, SessionState.STOPPED),
)
_TIMES: Final = ("timestamp", "start_time", "end_time", "event_ts")


class Said(NamedTuple):
    """A message for signaling that is due."""

    at: int
    message: dict[str, Any]
    payload: bytes


class Lost(NamedTuple):
    """A mark that is due."""

    at: int
    mark: LostMark


class Ended(NamedTuple):
    """The tape is over."""

    at: int


Due = Said | Lost | Ended


class Playback:
    """One tape being played. ``lanes`` hold what was sent lately, ``roster`` who is present."""

    def __init__(self, path: Path, *, loop: bool = False, buffer_ms: int = 60_000) -> None:
        self._path = path
        self._loop = loop
        self._buffer_ms = buffer_ms
        self._reader = TapeReader.open(path)
        self.header = self._reader.header
        self._lines: Iterator[Line] = iter(self._reader)
        self._ahead: deque[tuple[int, Line]] = deque()  # read, not yet due; with its shift
        self._read_to = 0
        self._shift = 0
        self._last = 0
        self._exhausted = False
        self._spurts: dict[tuple[int, str | None], int] = {}
        self._heard: deque[Chunk] = deque()  # for formats asked for later
        self._renderings: dict[AudioFormat, tuple[Rendering, Lane]] = {}
        self.now = 0
        self.lanes: dict[MediaType, Lane] = {media: Lane() for media in _LANE_OF.values()}
        self.roster: dict[Any, dict[str, Any]] = {}
        self.roster_at = self.header.start_ms
        self.first_packet: bytes | None = None
        self.session = self.header.stream

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def audio(self, wanted: AudioFormat) -> Lane:
        """The lane of one audio format, made from what is still remembered when it is new."""
        if wanted not in self._renderings:
            rendering = Rendering(self.header, wanted)
            rendering.begin(self.now - self._buffer_ms)
            for chunk in self._heard:
                rendering.feed(chunk)
            rendering.mix_to(min(self._read_to, self.now + AHEAD_MS))
            self._renderings[wanted] = (rendering, Lane())
            self._fill(rendering, self._renderings[wanted][1])
        return self._renderings[wanted][1]

    def advance(self, now: int) -> list[Due]:
        """Move on to ``now``: lanes are filled, and what concerns signaling is returned in order.

        Raises TapeError when the tape turns out to be broken.
        """
        self.now = max(self.now, now)
        self._read_ahead()
        due: list[Due] = []
        while self._ahead and self._ahead[0][0] <= self.now:
            at, line = self._ahead.popleft()
            found = self._happen(at, line)
            if found is not None:
                due.append(found)
        for rendering, lane in self._renderings.values():
            self._fill(rendering, lane)
            lane.trim(self.now - self._buffer_ms)
        for lane in self.lanes.values():
            lane.trim(self.now - self._buffer_ms)
        keep = self.now - self._buffer_ms - AHEAD_MS
        while self._heard and self._heard[0].line.t + self._heard[0].shift_ms < keep:
            self._heard.popleft()
        if self._exhausted and not self._ahead and self.now >= self._last + END_PAUSE_MS:
            due.append(Ended(self._last))
        return due

    def next_at(self) -> int:
        """The earliest time something new can be due."""
        times = [at for at, line in self._ahead if not isinstance(line, TapeAudio)][:1]
        for rendering, _ in self._renderings.values():
            at = rendering.next_at()
            if at is not None:
                times.append(at)
        if self._exhausted:
            times.append(self._last + END_PAUSE_MS)
        times.append(self.now + AHEAD_MS // 4)  # to read on
        return min(times)

    def _fill(self, rendering: Rendering, lane: Lane) -> None:
        for sent in rendering.take(self.now):
            lane.append(sent.at, sent.payload)

    def _read_ahead(self) -> None:
        horizon = self.now + AHEAD_MS
        while not self._exhausted and self._read_to <= horizon:
            line = next(self._lines, None)
            if line is None:
                self._turn_over()
                continue
            at = line.t + self._shift
            self._read_to = max(self._read_to, at)
            self._last = max(self._last, at)
            if isinstance(line, TapeMessage) and line.sender == "client":
                continue
            if isinstance(line, TapeAudio):
                self._hear(line)
            else:
                self._ahead.append((at, line))
        for rendering, _ in self._renderings.values():
            rendering.mix_to(horizon if self._exhausted else min(self._read_to, horizon))

    def _turn_over(self) -> None:
        self._reader.close()
        if not self._loop or self._last == self._shift:  # an empty tape would never end
            self._exhausted = True
            return
        self._reader = TapeReader.open(self._path)
        self._lines = iter(self._reader)
        self._shift = self._last + LOOP_PAUSE_MS

    def _hear(self, line: TapeAudio) -> None:
        packed = line.packed
        key = (packed.user_id, packed.channel_id)
        if packed.first or key not in self._spurts:
            self._spurts[key] = packed.timestamp
        chunk = Chunk(line, self._spurts[key], self._shift)
        self._heard.append(chunk)
        length = len(packed.packets) * self.header.audio[packed.coding].packet_ms
        self._last = max(self._last, line.t + self._shift + length)
        try:
            for rendering, _ in self._renderings.values():
                rendering.feed(chunk)
        except TapeError as error:
            raise TapeError(f"{self._path}, at {line.t} ms: {error}") from error

    def _happen(self, at: int, line: Line) -> Due | None:
        if isinstance(line, LostMark):
            return Lost(at, line)
        assert isinstance(line, TapeMessage)
        payload = bytes(line.msg)
        try:
            message = msgspec.json.decode(payload)
            if self._shift_of(at, line):
                _shifted(message, self._shift_of(at, line))
                payload = msgspec.json.encode(message)
            kind = message["msg_type"]
        except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise TapeError(f"{self._path}, at {line.t} ms: not a wire message") from error
        if kind == MessageType.MEDIA_DATA_AUDIO:
            raise TapeError(f"{self._path}, at {line.t} ms: audio on a tape stands packed")
        media = _LANE_OF.get(kind) or _BY_KEY.get(line.socket)
        if media in self.lanes:
            self.lanes[media].append(at, payload)
            return None
        if self._loop and (kind, message.get("state")) in _GOODBYES:
            return None
        if kind == MessageType.EVENT_UPDATE:
            self._note(message.get("event"), payload)
        if kind == MessageType.SESSION_STATE_UPDATE:
            self.session = str(message.get("rtms_session_id", self.session))
        return Said(at, message, payload)

    @staticmethod
    def _shift_of(at: int, line: Line) -> int:
        return at - line.t

    def _note(self, event: Any, payload: bytes) -> None:
        """Keep who is present, and the first packet's time, for clients that come later."""
        if not isinstance(event, dict):
            return
        kind = event.get("event_type")
        people = event.get("participants")
        if kind == EventType.FIRST_PACKET_TIMESTAMP and self.first_packet is None:
            self.first_packet = payload
        if kind not in (EventType.PARTICIPANT_JOIN, EventType.PARTICIPANT_LEAVE):
            return
        self.roster_at = event.get("timestamp", self.roster_at)
        for person in people if isinstance(people, list) else ():
            user_id = person.get("user_id") if isinstance(person, dict) else None
            if user_id is None:
                continue
            if kind == EventType.PARTICIPANT_JOIN:
                self.roster[user_id] = person
            else:
                self.roster.pop(user_id, None)


def _shifted(value: Any, by: int) -> None:
    """Move every time in a message, in place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _TIMES and type(inner) is int:
                value[key] = inner + by
            else:
                _shifted(inner, by)
    elif isinstance(value, list):
        for inner in value:
            _shifted(inner, by)
