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
from pipeline.emulator import wire
from pipeline.emulator.lane import Lane, Sent
from pipeline.emulator.rendering import AudioFormat, Chunk, MediaForm, Rendering, is_premixed
from pipeline.emulator.scene import Scene
from pipeline.rtms.enums import (
    EVERY_MEDIA,
    MEDIA_URL_KEY,
    EventType,
    MediaType,
    MessageType,
    SessionState,
    StreamState,
)
from pipeline.tapes.header import VERSION
from pipeline.tapes.lines import Line, LostMark, TapeAudio, TapeMessage
from pipeline.tapes.reader import TapeReader

AHEAD_MS: Final = 2_500
"""How far the tape is read ahead; more than a line of packed audio and the mix's delay."""
LOOP_PAUSE_MS: Final = 1_000
END_PAUSE_MS: Final = 1_000
"""After the last line of a tape that does not say how the stream ended."""
_MOST_IDLE: Final = 3
"""Audio formats kept going that nobody listens to: a client that comes back finds its own."""
_MOST_SPURTS: Final = 512

_T = MessageType
_LANE_OF: Final[dict[Any, MediaType]] = {
    _T.META_DATA_AUDIO: MediaType.AUDIO,
    **dict.fromkeys((_T.MEDIA_DATA_VIDEO, _T.META_DATA_VIDEO), MediaType.VIDEO),
    **dict.fromkeys((_T.MEDIA_DATA_SHARE, _T.META_DATA_SHARE), MediaType.DESKSHARE),
    **dict.fromkeys((_T.MEDIA_DATA_TRANSCRIPT, _T.META_DATA_TRANSCRIPT), MediaType.TRANSCRIPT),
    **dict.fromkeys((_T.MEDIA_DATA_CHAT, _T.META_DATA_CHAT), MediaType.CHAT),
}
_BY_KEY: Final = {key: media for media, key in MEDIA_URL_KEY.items()}
_SIGNALED: Final = (_T.EVENT_UPDATE, _T.STREAM_STATE_UPDATE, _T.SESSION_STATE_UPDATE)
_ANSWERS: Final = frozenset(
    {
        _T.UNDEFINED,
        _T.SIGNALING_HAND_SHAKE_REQ,
        _T.SIGNALING_HAND_SHAKE_RESP,
        _T.DATA_HAND_SHAKE_REQ,
        _T.DATA_HAND_SHAKE_RESP,
        _T.EVENT_SUBSCRIPTION,
        _T.CLIENT_READY_ACK,
        _T.SESSION_STATE_REQ,
        _T.SESSION_STATE_RESP,
        _T.KEEP_ALIVE_REQ,
        _T.KEEP_ALIVE_RESP,
        _T.STREAM_STATE_REQ,
        _T.STREAM_STATE_RESP,
        _T.STREAM_CLOSE_REQ,
        _T.STREAM_CLOSE_RESP,
        _T.VIDEO_SUBSCRIPTION_REQ,
        _T.VIDEO_SUBSCRIPTION_RESP,
    }
)
"""Between the recorded client and its server; this client gets its own."""
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
    """One tape being played, for any number of streams at once. Raises NotFound, TapeError.

    ``lanes`` hold the messages sent lately, by media; under AUDIO stands audio's metadata, while
    audio itself is in one lane for each format asked for. ``scene`` is what late clients are told.
    Images go out as they stand on the tape: nothing is transcoded, scaled or thinned out.
    """

    def __init__(
        self,
        path: Path,
        *,
        loop: bool = False,
        buffer_ms: int = 60_000,
        media_form: MediaForm = "object",
    ) -> None:
        self._path = path
        self._loop = loop
        self.buffer_ms = buffer_ms
        self._form: MediaForm = media_form
        self._reader = TapeReader.open(path)
        self.header = self._reader.header
        self.premixed = is_premixed(dict(self.header.parameters))
        """The tape has no voices apart."""
        self._lines: Iterator[Line] = iter(self._reader)
        self._ahead: deque[tuple[int, Line]] = deque()  # read, not yet due; with its shift
        self._read_to = 0
        self._shift = 0
        self._last = 0
        self._exhausted = False
        self._spurts: dict[tuple[int, str | None], int] = {}
        self._heard: deque[Chunk] = deque()  # for formats asked for later
        self._renderings: dict[AudioFormat, tuple[Rendering, Lane]] = {}
        self._users: dict[AudioFormat, int] = {}
        self.now = 0
        self.lanes: dict[MediaType, Lane] = {media: Lane() for media in EVERY_MEDIA}
        self.scene = Scene(self.header.product, self.header.start_ms)
        try:
            self._read_ahead()
            self.scene.first_session = self._first_session()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def people(self) -> set[int]:
        """The ids of everybody the tape names so far."""
        named = {person.user_id for person in self.header.participants}
        return named | {user for user in self.scene.present if isinstance(user, int)}

    def audio(self, wanted: AudioFormat) -> Lane:
        """The lane of one audio format, made from what is still remembered when it is new. Whoever
        asks calls ``unused`` when done. Raises TapeError for audio that cannot be decoded."""
        self._users[wanted] = self._users.pop(wanted, 0) + 1
        if wanted not in self._renderings:
            rendering = Rendering(self.header, wanted, self._form)
            rendering.begin(self.now - self.buffer_ms)
            for chunk in self._heard:
                self._feed(rendering, chunk)
            rendering.mix_to(min(self._read_to, self.now + AHEAD_MS))
            lane = Lane()
            self._renderings[wanted] = (rendering, lane)
            self._fill(rendering, lane)
            lane.trim(self.now - self.buffer_ms)
        return self._renderings[wanted][1]

    def unused(self, wanted: AudioFormat) -> None:
        """A listener less; formats that nobody has listened to for longest are dropped."""
        self._users[wanted] = self._users.pop(wanted) - 1
        idle = [one for one, users in self._users.items() if not users]
        for one in idle[: max(0, len(idle) - _MOST_IDLE)]:
            del self._users[one], self._renderings[one]

    def advance(self, now: int) -> list[Due]:
        """Move on to ``now``: lanes are filled, and what concerns signaling is returned in order.

        Raises TapeError when the tape turns out to be broken.
        """
        # What comes in this step stays until the next, however far it goes, for all to read.
        forget = self.now - self.buffer_ms
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
            lane.trim(forget)
        for lane in self.lanes.values():
            lane.trim(forget)
        self._tell_first_packet()
        if self._exhausted and not self._ahead and self.now >= self._last + END_PAUSE_MS:
            due.append(Ended(self._last))
        return due

    def next_at(self) -> int:
        """The earliest time something new can be due."""
        times = [self._ahead[0][0]] if self._ahead else []
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
            lane.append(sent)

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
            match line:
                case TapeAudio():
                    self._hear(line)
                case TapeMessage(sender="server") | LostMark():
                    self._ahead.append((at, line))
                case _:  # the client's own messages, and marks about the recording
                    pass
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
        began = self._spurts.pop(key, packed.timestamp)
        if packed.first:
            began = packed.timestamp
        if not packed.last:
            self._spurts[key] = began
            if len(self._spurts) > _MOST_SPURTS:
                del self._spurts[next(iter(self._spurts))]
        coding = self._reader.audio[packed.coding]
        chunk = Chunk(line, coding, began, self._shift)
        self._heard.append(chunk)
        keep = self.now - self.buffer_ms - AHEAD_MS
        while self._heard[0].line.t + self._heard[0].shift_ms < keep:
            self._heard.popleft()
            if not self._heard:
                break
        length = len(packed.packets) * coding.packet_ms
        self._last = max(self._last, line.t + self._shift + length)
        for rendering, _ in self._renderings.values():
            self._feed(rendering, chunk)

    def _feed(self, rendering: Rendering, chunk: Chunk) -> None:
        try:
            rendering.feed(chunk)
        except TapeError as error:
            raise TapeError(f"{self._path}, at {chunk.line.t} ms: {error}") from error

    def _happen(self, at: int, line: Line) -> Due | None:
        if isinstance(line, LostMark):
            return Lost(at, line)
        assert isinstance(line, TapeMessage)
        payload = bytes(line.msg)
        message = self._decoded(line)
        if message and at != line.t:
            _shifted(message, at - line.t)
            payload = msgspec.json.encode(message)
        kind = message.get("msg_type")
        if kind == MessageType.MEDIA_DATA_AUDIO and self.header.version == VERSION:
            raise TapeError(f"{self._path}, at {line.t} ms: audio on a tape stands packed")
        if kind in _ANSWERS:
            return None
        media = None
        if kind not in _SIGNALED:
            media = _LANE_OF.get(kind, _BY_KEY.get(line.socket))
        if media is not None:
            media = MediaType.AUDIO if media is MediaType.ALL else media
            self._send(at, media, kind, message, payload)
            return None
        if self._loop and (kind, message.get("state")) in _GOODBYES:
            return None
        if kind == MessageType.EVENT_UPDATE:
            self.scene.event(message.get("event"), payload)
        elif kind == MessageType.SESSION_STATE_UPDATE:
            self.scene.session(message)
        elif kind == MessageType.STREAM_STATE_UPDATE:
            self.scene.stream(message)
        return Said(at, message, payload)

    def _decoded(self, line: TapeMessage) -> dict[str, Any]:
        """The message. One without a type is an error on a made tape; on a recorded one it came
        from the server like that, goes out like that, and is an empty object here."""
        try:
            message = msgspec.json.decode(line.msg)
        except (ValueError, RecursionError) as error:
            raise TapeError(f"{self._path}, at {line.t} ms: not a wire message") from error
        if isinstance(message, dict) and type(message.get("msg_type")) is int:
            return message
        if self.header.version == VERSION:
            raise TapeError(f"{self._path}, at {line.t} ms: not a wire message")
        return {}

    def _send(
        self, at: int, media: MediaType, kind: object, message: dict[str, Any], payload: bytes
    ) -> None:
        user = 0
        active = True
        if kind == MessageType.MEDIA_DATA_VIDEO:
            content = message.get("content")
            found = content.get("user_id") if isinstance(content, dict) else None
            if type(found) is int:
                user = found
                active = self.scene.shows(user, at)
        if self._form == "flat":
            payload = wire.flattened(payload)
        self.lanes[media].append(Sent(at, payload, user, active))

    def _first_session(self) -> str | None:
        """The session that the tape's beginning names, for clients faster than its message 9."""
        for _, line in self._ahead:
            if isinstance(line, TapeMessage):
                message = self._decoded(line)
                name = message.get("rtms_session_id")
                if message.get("msg_type") == _T.SESSION_STATE_UPDATE and isinstance(name, str):
                    return name
        return None

    def _tell_first_packet(self) -> None:
        """Event 1 of a tape that does not hold it, once audio is there (reference section 10)."""
        if self.scene.first_packet is not None or not self._heard:
            return
        line = self._heard[0].line
        at = max(0, line.packed.timestamp - self.header.start_ms)
        if max(at, line.t) <= self.now:
            event = wire.event(EventType.FIRST_PACKET_TIMESTAMP, line.packed.timestamp)
            self.scene.first_packet = event


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
