"""One stream as Zoom's servers run it: a state machine without I/O.

In go connections, messages and the time (ms from the tape's start); out come actions for the
shell. Bad messages never raise: they are counted in ``faults``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Literal, assert_never

import msgspec

from pipeline.emulator import wire
from pipeline.emulator.actions import (
    GOING_AWAY,
    Abort,
    Action,
    Close,
    Notify,
    Send,
    Windows,
)
from pipeline.emulator.connection import Connection
from pipeline.emulator.delivery import Delivery
from pipeline.emulator.handshake import Identity, check_identity, check_media
from pipeline.emulator.params import Refused, effective, expand, overlap, shown
from pipeline.emulator.playback import Ended, Lost, Playback, Said
from pipeline.emulator.rendering import AudioFormat
from pipeline.rtms.enums import (
    AUTOMATIC_EVENTS,
    MEDIA_URL_KEY,
    EventType,
    MediaType,
    MessageType,
    SessionState,
    StatusCode,
    StopReason,
    StreamState,
)

_TOLD_BY_US: Final = (
    (MessageType.STREAM_STATE_UPDATE, StreamState.ACTIVE),
    (MessageType.SESSION_STATE_UPDATE, SessionState.STARTED),
    (MessageType.SESSION_STATE_UPDATE, SessionState.STOPPED),
)
"""States of the tape that come when this stream reaches them, not when the recorded one did."""

Phase = Literal["announced", "live", "interrupted", "over"]


class Stream:
    """Feed it, then ``drain()`` the actions. ``base`` is where its media URLs start."""

    def __init__(
        self, who: Identity, playback: Playback, *, base: str, windows: Windows | None = None
    ) -> None:
        self.who = who
        self.phase: Phase = "announced"
        self.stopped: StopReason | None = None
        self.faults: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.ready = False
        self.told_in_band = False
        """The client was on signaling when the stream ended."""
        self._playback = playback
        self._base = base
        self._windows = windows or Windows()
        self._start_ms = playback.header.start_ms
        self._connections: dict[int, Connection] = {}
        self._signaling: Connection | None = None
        self._subscribed: set[int] = set()
        self._first_packet_told = False
        self._deadline = self._windows.connect
        self._deadline_reason = StopReason.CONNECTION_TIMEOUT
        self._delivery = Delivery()
        self._lost: dict[MediaType, int] = {}  # media of a lost connection: end of its window
        self._barred: dict[MediaType, int] = {}  # media refused until then
        self._out: list[Action] = []

    # -- in ------------------------------------------------------------------------------

    def opened(self, number: int, path: MediaType | None) -> None:
        """A websocket was opened on the signaling URL (None) or on a media URL."""
        self._connections[number] = Connection(number, path)

    def refuses(self, path: MediaType, now: int) -> bool:
        """Whether this media URL is out of order now."""
        return any(now < until and overlap(path, media) for media, until in self._barred.items())

    def closed(self, number: int, now: int) -> None:
        """A websocket is gone, however it went."""
        connection = self._connections.pop(number, None)
        if connection is None or not connection.greeted or self.phase == "over":
            return
        if connection is self._signaling:
            self._lose_signaling(now, StopReason.AWAIT_RECONNECTION_TIMEOUT)
        elif connection.path is not None:
            self._lose_media(connection, now)

    def received(self, number: int, data: bytes | str, now: int) -> None:
        """A message came in on a connection."""
        connection = self._connections.get(number)
        if connection is None:
            return
        try:
            message = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            message = None
        if not isinstance(message, dict):
            message = {}
            self.faults["not_json"] += 1
            if connection.greeted:
                return
        if not connection.greeted:
            self._greet(connection, message, now)
        elif message.get("msg_type") == MessageType.KEEP_ALIVE_RESP:
            connection.unanswered = 0
        elif connection is self._signaling:
            self._signaled(message, now)
        else:
            self.faults["unexpected_message"] += 1

    def advance(self, now: int) -> None:
        """Time goes on. Raises TapeError when the tape turns out to be broken."""
        if self.phase == "over":
            return
        due = self._playback.advance(now)
        self._deliver()
        ended: StopReason | None = None
        for item in due:
            match item:
                case Said():
                    ended = self._say(item) or ended
                case Lost():
                    self._break_media(item, now)
                case Ended():
                    ended = ended or StopReason.MEETING_ENDED
                case _:
                    assert_never(item)
        if ended is not None:
            self.finish(ended, now)
            return
        self._keep_alive(now)
        self._check_windows(now)

    def finish(self, reason: StopReason, now: int) -> None:
        """End the stream: in-band goodbye, sockets closed, webhook."""
        if self.phase == "over":
            return
        self.phase = "over"
        self.stopped = reason
        self.told_in_band = self._signaling is not None
        self._tell_session(SessionState.STOPPED, reason, now)
        self._tell_state(StreamState.TERMINATED, reason, now)
        media_first = sorted(self._connections.values(), key=lambda c: c.path is None)
        self._out += [Close(connection.number) for connection in media_first]
        self._connections.clear()
        self._signaling = None
        self._out.append(Notify("stopped", now, reason))

    def drain(self) -> list[Action]:
        """What the shell has to do, in order."""
        out, self._out = self._out, []
        return out

    def next_at(self, now: int) -> int:
        """When ``advance`` has something to do at the latest."""
        times = [self._playback.next_at()]
        times += [c.next_ping for c in self._connections.values() if c.greeted]
        times += self._lost.values()
        if self.phase in ("announced", "interrupted"):
            times.append(self._deadline)
        return max(now, min(times))

    def describe(self) -> dict[str, Any]:
        """State for people and tests; plain JSON values."""
        return {
            "phase": self.phase,
            "ready": self.ready,
            "stop_reason": self.stopped,
            "meeting_ms": self._playback.now,
            "meeting_time": self._start_ms + self._playback.now,
            "present": list(self._playback.roster.values()),
            "subscribed": sorted(self._subscribed),
            "connections": [c.describe() for c in self._connections.values()],
            "lost": sorted(shown(media) for media in self._lost),
            "sent": dict(sorted(self.sent.items())),
            "faults": dict(sorted(self.faults.items())),
        }

    # -- handshakes ----------------------------------------------------------------------

    def _greet(self, connection: Connection, message: dict[str, Any], now: int) -> None:
        try:
            if connection.path is None:
                self._greet_signaling(connection, message, now)
            else:
                self._greet_media(connection, connection.path, message, now)
        except Refused as refusal:
            self.faults[f"refused_{refusal.status.value}_{refusal.status.name.lower()}"] += 1
            kind = (
                MessageType.SIGNALING_HAND_SHAKE_RESP
                if connection.path is None
                else MessageType.DATA_HAND_SHAKE_RESP
            )
            self._send(connection, wire.refusal(kind, refusal.status, refusal.reason))
            self._out.append(Close(connection.number))
            self._connections.pop(connection.number, None)

    def _greet_signaling(self, connection: Connection, message: dict[str, Any], now: int) -> None:
        check_identity(message, MessageType.SIGNALING_HAND_SHAKE_REQ, self.who)
        if self.phase == "over":
            raise Refused(StatusCode.INVALID_RTMS_STREAM_ID, "the stream is over")
        if self._signaling is not None:
            raise Refused(
                StatusCode.DUPLICATE_SIGNAL_REQUEST, "this stream has a signaling connection"
            )
        if self.phase == "announced" and message.get("buffer_data") is False:
            self._delivery.skip(now)
        self.phase = "live"
        self.ready = False
        self._subscribed = set()
        self._first_packet_told = False
        self._signaling = connection
        self._accept(connection, now)
        urls = {
            MEDIA_URL_KEY[media]: f"{self._base}/media/{MEDIA_URL_KEY[media]}"
            for media in (*sorted(self.who.scopes), MediaType.ALL)
        }
        self._send(connection, wire.signaling_accepted(urls))

    def _greet_media(
        self, connection: Connection, path: MediaType, message: dict[str, Any], now: int
    ) -> None:
        check_identity(message, MessageType.DATA_HAND_SHAKE_REQ, self.who)
        if self._signaling is None:
            raise Refused(StatusCode.INVALID_RTMS_STREAM_ID, "signaling is not connected")
        taken = [c.media for c in self._connections.values() if c.greeted and c.path is not None]
        media = check_media(message, path, self.who, taken)
        params = effective(media, message.get("media_params"))
        connection.media = media
        connection.params = dict(params)
        self._accept(connection, now)
        self._send(connection, wire.media_accepted(params))
        for one in expand(media):
            if one is MediaType.AUDIO and one in self.who.scopes:
                lane = self._playback.audio(AudioFormat.of(params["audio"]))
                self._delivery.attach(connection, one, lane)
            elif one in self.who.scopes:
                self._delivery.attach(connection, one, self._playback.lanes[one])
        back = [lost for lost in self._lost if overlap(lost, media)]
        for lost in back:
            del self._lost[lost]
        if back and not self._lost:
            self._tell_state(StreamState.ACTIVE, StopReason.UNDEFINED, now)
        self._deliver()

    def _accept(self, connection: Connection, now: int) -> None:
        connection.greeted = True
        connection.next_ping = now + self._windows.keepalive

    # -- signaling -----------------------------------------------------------------------

    def _signaled(self, message: Mapping[str, Any], now: int) -> None:
        match message.get("msg_type"):
            case MessageType.CLIENT_READY_ACK:
                self._acknowledged(message, now)
            case MessageType.EVENT_SUBSCRIPTION:
                self._subscribe(message.get("events"))
            case _:
                self.faults["unexpected_message"] += 1

    def _acknowledged(self, message: Mapping[str, Any], now: int) -> None:
        if message.get("rtms_stream_id", self.who.stream) != self.who.stream:
            self.faults["ready_ack_of_other_stream"] += 1
            return
        if not any(c.greeted and c.path is not None for c in self._connections.values()):
            self.faults["ready_ack_before_media"] += 1
            return
        if not self.ready:
            self.ready = True
            self._tell_session(SessionState.STARTED, StopReason.UNDEFINED, now)
            self._tell_state(StreamState.ACTIVE, StopReason.UNDEFINED, now)
            self._tell_first_packet()
        self._deliver()

    def _subscribe(self, events: object) -> None:
        if not isinstance(events, list):
            self.faults["bad_subscription"] += 1
            return
        for entry in events:
            kind = entry.get("event_type") if isinstance(entry, dict) else None
            if type(kind) is not int or type(entry.get("subscribe")) is not bool:
                self.faults["bad_subscription"] += 1
            elif kind in AUTOMATIC_EVENTS:
                continue  # sent anyway; the SDK can be told to ask for them
            elif not entry["subscribe"]:
                self._subscribed.discard(kind)
            elif kind not in self._subscribed:
                self._subscribed.add(kind)
                if kind == EventType.PARTICIPANT_JOIN and self._playback.roster:
                    present = list(self._playback.roster.values())
                    self._tell(wire.people(present, self._playback.roster_at), "event")

    def _say(self, item: Said) -> StopReason | None:
        """Pass a message of the tape on; a stop reason when it ends the stream."""
        message = item.message
        kind = message.get("msg_type")
        if kind == MessageType.EVENT_UPDATE:
            event = message.get("event")
            number = event.get("event_type") if isinstance(event, dict) else None
            if number == EventType.FIRST_PACKET_TIMESTAMP:
                self._tell_first_packet()
            elif number in self._subscribed:
                self._tell(item.payload, "event")
            return None
        state = message.get("state")
        if kind == MessageType.STREAM_STATE_UPDATE and state == StreamState.TERMINATED:
            return _reason(message.get("reason"))
        if self.ready and (kind, state) not in _TOLD_BY_US:
            self._tell(item.payload, "state")
        return None

    # -- media ---------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Send what lanes hold beyond each connection's place."""
        if not self.ready:
            return
        for connection in self._connections.values():
            for name, payload in self._delivery.collect(connection):
                self._send(connection, payload, name)

    def _break_media(self, lost: Lost, now: int) -> None:
        """A loss of the tape: its media sockets break, and stay so for a while."""
        mark = lost.mark
        media = next(m for m, key in MEDIA_URL_KEY.items() if key == mark.media)
        self._barred[media] = lost.at + mark.ms
        hit = [
            c
            for c in self._connections.values()
            if c.path is not None and c.greeted and overlap(c.media, media)
        ]
        for connection in hit:
            if not mark.replay:
                self._delivery.drop(connection.media)
            del self._connections[connection.number]
            self._out.append(
                Abort(connection.number)
                if mark.close == "abrupt"
                else Close(connection.number, GOING_AWAY)
            )
            self._lose_media(connection, now)

    def _lose_media(self, connection: Connection, now: int) -> None:
        first = not self._lost
        self._lost[connection.media] = now + self._windows.media
        self._tell(wire.media_interrupted(connection.media, self._start_ms + now), "event")
        if first:
            self._tell_state(StreamState.INTERRUPTED, StopReason.DATA_CONNECTION_INTERRUPTED, now)

    def _lose_signaling(self, now: int, reason: StopReason) -> None:
        """Everything of the client is gone; it may come back inside the window."""
        self._signaling = None
        self.phase = "interrupted"
        self.ready = False
        self._lost.clear()
        self._deadline = now + self._windows.signaling
        self._deadline_reason = reason
        for connection in list(self._connections.values()):
            if connection.greeted:
                del self._connections[connection.number]
                self._out.append(Abort(connection.number))
        self._out.append(Notify("interrupted", now))

    # -- time ----------------------------------------------------------------------------

    def _keep_alive(self, now: int) -> None:
        for connection in list(self._connections.values()):
            if not connection.greeted or now < connection.next_ping:
                continue
            if connection.number not in self._connections:
                continue
            if connection.unanswered >= self._windows.misses:
                self.faults["keep_alive_unanswered"] += 1
                self._out.append(Abort(connection.number))
                del self._connections[connection.number]
                if connection is self._signaling:
                    self._lose_signaling(now, StopReason.KEEP_ALIVE_TIMEOUT)
                else:
                    self._lose_media(connection, now)
                continue
            connection.next_ping += self._windows.keepalive
            connection.pings += 1
            connection.unanswered += 1
            self._send(
                connection, wire.keep_alive(connection.pings, self._start_ms + now), "keep_alive"
            )

    def _check_windows(self, now: int) -> None:
        if self.phase in ("announced", "interrupted") and now >= self._deadline:
            self.finish(self._deadline_reason, now)
        elif any(now >= until for until in self._lost.values()):
            self.finish(StopReason.AWAIT_RECONNECTION_TIMEOUT, now)

    # -- out -----------------------------------------------------------------------------

    def _tell_first_packet(self) -> None:
        payload = self._playback.first_packet
        if payload is not None and self.ready and not self._first_packet_told:
            self._first_packet_told = True
            self._tell(payload, "event")

    def _tell_state(self, state: StreamState, reason: StopReason, now: int) -> None:
        self._tell(wire.stream_state(state, reason, self._start_ms + now), "state")

    def _tell_session(self, state: SessionState, reason: StopReason, now: int) -> None:
        session = self._playback.session
        self._tell(wire.session_state(session, state, reason, self._start_ms + now), "state")

    def _tell(self, payload: bytes, kind: str) -> None:
        """On signaling, if somebody is there."""
        if self._signaling is not None:
            self._send(self._signaling, payload, kind)

    def _send(self, connection: Connection, payload: bytes, kind: str = "protocol") -> None:
        connection.sent += 1
        self.sent[kind] += 1
        self._out.append(Send(connection.number, payload, kind))


def _reason(value: object) -> StopReason:
    try:
        return StopReason(value)  # type: ignore[arg-type]
    except ValueError:
        return StopReason.MEETING_ENDED
