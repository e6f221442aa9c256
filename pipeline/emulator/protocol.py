"""What Zoom's servers do for one stream: a state machine without I/O (reference sections 5 to 15).

``stream`` adds what a fault script may do to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, assert_never

import msgspec

from pipeline.emulator import wire
from pipeline.emulator.actions import Action, Windows
from pipeline.emulator.connection import Connection
from pipeline.emulator.connections import Connections
from pipeline.emulator.delivery import Delivery
from pipeline.emulator.dialogue import Dialogue, tape_ending
from pipeline.emulator.handshake import Identity, offered_urls
from pipeline.emulator.keepalive import NEVER
from pipeline.emulator.losses import Losses
from pipeline.emulator.outbox import Outbox
from pipeline.emulator.params import Refused, overlap
from pipeline.emulator.playback import Due, Ended, Lost, Playback, Said
from pipeline.emulator.reception import Reception, refusal, repeated
from pipeline.emulator.rules import Rules
from pipeline.emulator.sessions import Sessions
from pipeline.rtms.enums import (
    MEDIA_URL_KEY,
    MediaType,
    MessageType,
    SessionState,
    StopReason,
    StreamState,
)

Phase = Literal["announced", "live", "interrupted", "over"]
Ending = Literal["abrupt", "frame"]

BY_KEY: Final = {key: media for media, key in MEDIA_URL_KEY.items()}
"""Single media, and all of them, by their keys in ``server_urls``."""


class Protocol:
    """See ``stream.Stream``."""

    def __init__(
        self,
        who: Identity,
        playback: Playback,
        *,
        base: str,
        windows: Windows | None = None,
        rules: Rules | None = None,
    ) -> None:
        self.who = who
        self.phase: Phase = "announced"
        self.stopped: StopReason | None = None
        self.faults: Counter[str] = Counter()
        self.told_in_band = False
        """The client was on signaling when the stream ended."""
        self._playback = playback
        self._base = base
        self._windows = windows or Windows()
        self._rules = rules or Rules()
        self._start_ms = playback.header.start_ms
        self._outbox = Outbox()
        self._connections = Connections(playback)
        self._reception = Reception(who, self._rules, self._connections, playback)
        self._delivery = Delivery(replay=self._rules.replay)
        self._losses = Losses(self._windows.connect, StopReason.CONNECTION_TIMEOUT)
        self._sessions = Sessions(playback.scene.first_session or who.stream)
        self._talk: Dialogue | None = None
        self._began = False
        self._pings_held = 0  # until then
        self._cameras_off: set[int] = set()
        self._alarm = self._windows.connect
        """Nothing that time alone brings is due before; may be earlier than needed."""

    @property
    def ready(self) -> bool:
        """The client has said so: media may flow."""
        return self._talk is not None and self._talk.ready

    @property
    def sent(self) -> Counter[str]:
        """Messages by kind."""
        return self._outbox.sent

    # -- sockets ---------------------------------------------------------------------------

    def opened(self, number: int, path: MediaType | None) -> None:
        """A websocket was opened on the signaling URL (None) or on a media URL."""
        self._connections.open(number, path)

    def refuses(self, path: MediaType, now: int) -> bool:
        """Whether this media URL is out of order now."""
        return self._losses.refuses(path, now)

    def closed(self, number: int, now: int) -> None:
        """A websocket is gone, however it went."""
        connection = self._connections.get(number)
        if connection is None:
            return
        was_signaling = connection is self._connections.signaling
        self._connections.remove(connection)
        if not connection.greeted or self.phase == "over":
            return
        if was_signaling:
            self._lose_signaling(now, StopReason.AWAIT_RECONNECTION_TIMEOUT)
        else:
            self._lose_media(connection, now)

    def received(self, number: int, data: bytes | str, now: int) -> None:
        """A message came in on a connection."""
        connection = self._connections.get(number)
        if connection is None:
            return
        try:
            message = msgspec.json.decode(data)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            message = {}
            self.faults["not_json"] += 1
            if connection.greeted:
                return
        kind = message.get("msg_type")
        if not connection.greeted:
            self._greet(connection, message, now)
        elif kind == MessageType.KEEP_ALIVE_RESP:
            if not connection.pulse.answered(message):
                self.faults["keep_alive_answer_of_none"] += 1
        elif kind in (MessageType.SIGNALING_HAND_SHAKE_REQ, MessageType.DATA_HAND_SHAKE_REQ):
            self.faults["repeated_handshake"] += 1
            self._outbox.send(connection, repeated(connection, MessageType(kind)))
        elif connection is self._connections.signaling and self._talk is not None:
            self._signaled(self._talk, message, now)
        else:
            self.faults["unexpected_message"] += 1

    # -- time ------------------------------------------------------------------------------

    def advance(self, now: int, due: Sequence[Due]) -> None:
        """Time goes on; ``due``: what the playback has come to since the last time."""
        if self.phase == "over":
            return
        talk = self._talk
        if talk is not None and talk.ready:
            self._deliver()
            if talk.awaits_first_packet:
                talk.first_packet()
        ended: StopReason | None = None
        for item in due:
            match item:
                case Said():
                    said = talk.say(item) if talk is not None else tape_ending(item.message)
                    ended = said or ended
                case Lost(at=at, mark=mark):
                    self._break_media(
                        BY_KEY[mark.media], at + mark.ms, now, mark.replay, mark.close
                    )
                case Ended():
                    ended = ended or StopReason.MEETING_ENDED
                case _:
                    assert_never(item)
        if ended is not None:
            self.finish(ended, now)
        elif now >= self._alarm:
            self._keep_alive(now)
            self._check_windows(now)
            self._alarm = self._next_alarm()

    def next_at(self, now: int) -> int:
        """When ``advance`` has something to do at the latest, apart from what the playback holds;
        ``keepalive.NEVER`` for a stream that is over."""
        return NEVER if self.phase == "over" else max(now, self._alarm)

    def drain(self) -> list[Action]:
        """What the shell has to do, in order."""
        return self._outbox.drain()

    def finish(self, reason: StopReason, now: int) -> None:
        """End the stream: in-band goodbye, sockets closed, webhook (reference section 11.4)."""
        if self.phase == "over":
            return
        self.phase = "over"
        self.stopped = reason
        self.told_in_band = self._talk is not None
        names = self._sessions.end()
        if self._talk is not None:
            for name in names:
                self._talk.session(name, SessionState.STOPPED, now, reason)
            self._talk.stream(StreamState.TERMINATED, now, reason)
        for connection in sorted(self._connections, key=lambda c: c.path is None):
            self._connections.remove(connection)
            self._outbox.close(connection)
        self._talk = None
        self._outbox.notify_stopped(now, reason)

    # -- handshakes ------------------------------------------------------------------------

    def _greet(self, connection: Connection, message: Mapping[str, Any], now: int) -> None:
        try:
            if connection.path is None:
                self._greet_signaling(connection, message, now)
            else:
                self._greet_media(connection, connection.path, message, now)
        except Refused as refused:
            self.faults[f"refused_{refused.status.value}_{refused.status.name.lower()}"] += 1
            self._outbox.send(connection, refusal(connection, refused))
            self._outbox.close(connection)
            self._connections.remove(connection)

    def _greet_signaling(
        self, connection: Connection, message: Mapping[str, Any], now: int
    ) -> None:
        over, lossy = self.phase == "over", bool(self._losses)
        self._reception.check_signaling(message, over=over, lossy=lossy)
        self._let_go(frame=True)
        if self.phase == "announced" and message.get("buffer_data") is False:
            self._delivery.skip(now)
        self.phase = "live"
        self._losses.client_came()
        product = self._playback.header.product
        self._talk = Dialogue(
            connection,
            self._outbox,
            self.who,
            product=product,
            scene=self._playback.scene,
            sessions=self._sessions,
            cameras_off=self._cameras_off,
            faults=self.faults,
            start_ms=self._start_ms,
            strict=self._rules.mode == "strict",
        )
        self._accept(connection, now)
        urls = offered_urls(self._base, product, self.who.scopes, self._rules.urls)
        self._talk.tell(wire.signaling_accepted(urls))

    def _greet_media(
        self, connection: Connection, path: MediaType, message: Mapping[str, Any], now: int
    ) -> None:
        granted = self._reception.check_media(message, path)
        assert self._talk is not None
        for other in granted.in_the_way:
            self._connections.remove(other)
            self._outbox.break_off(other, frame=True)
        connection.media = granted.media
        connection.params = dict(granted.params)
        self._accept(connection, now)
        self._outbox.send(connection, wire.media_accepted(granted.params))
        for one in granted.kinds:
            params = granted.params[MEDIA_URL_KEY[one]]
            self._delivery.carry(connection, one, params, self._playback, self._talk.video)
        if self._losses.back(granted.media) and self.ready:
            self._talk.stream(self._state(), now)
        self._deliver()

    def _accept(self, connection: Connection, now: int) -> None:
        self._connections.accept(connection)
        connection.pulse.due = max(now + self._windows.keepalive, self._pings_held)
        self._alarm = min(self._alarm, connection.pulse.due)

    # -- signaling -------------------------------------------------------------------------

    def _signaled(self, talk: Dialogue, message: Mapping[str, Any], now: int) -> None:
        match message.get("msg_type"):
            case MessageType.CLIENT_READY_ACK:
                self._acknowledged(talk, message, now)
            case MessageType.EVENT_SUBSCRIPTION:
                talk.subscribe(message)
            case MessageType.SESSION_STATE_REQ:
                talk.query_session(message, now)
            case MessageType.STREAM_STATE_REQ:
                talk.query_stream(message, self._state(), now)
            case MessageType.STREAM_CLOSE_REQ:
                if talk.asked_to_close(message, now):
                    self.finish(StopReason.RECEIVER_REQUEST_CLOSE, now)
            case MessageType.VIDEO_SUBSCRIPTION_REQ:
                talk.ask_video(message, now, self._playback.people())
            case _:
                self.faults["unexpected_message"] += 1

    def _acknowledged(self, talk: Dialogue, message: Mapping[str, Any], now: int) -> None:
        if message.get("rtms_stream_id", self.who.stream) != self.who.stream:
            self.faults["ready_ack_of_other_stream"] += 1
            return
        if not self._connections.media:
            self.faults["ready_ack_before_media"] += 1
            return
        if not talk.ready:
            self._began = True
            for connection in self._connections.media:
                self._delivery.begin(connection)
            talk.begin(now, paused=self._delivery.paused)
        self._deliver()

    def _state(self) -> StreamState:
        """What message 20 tells."""
        if self.phase == "over":
            return StreamState.TERMINATED
        if self._delivery.paused or self._playback.scene.paused:
            return StreamState.PAUSED
        if self._losses or self.phase == "interrupted":
            return StreamState.INTERRUPTED
        return StreamState.ACTIVE if self._began else StreamState.INACTIVE

    # -- media -----------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Send what lanes hold beyond each connection's place."""
        if self._talk is None or not self._talk.ready or self._delivery.paused:
            return
        send = self._outbox.send
        for connection in self._connections.media:
            for _, name, payload in self._delivery.collect(connection):
                send(connection, payload, name)

    def _break_media(
        self, media: MediaType, barred_to: int, now: int, replay: bool, close: Ending
    ) -> None:
        """Media sockets break, and their URLs are out of order until ``barred_to``."""
        if barred_to > now:
            self._losses.bar(media, barred_to)
        hit = [c for c in self._connections.media if overlap(c.media, media)]
        for connection in hit:
            if not replay:
                self._delivery.drop(connection.media)
            self._connections.remove(connection)
            self._outbox.break_off(connection, frame=close == "frame")
            self._lose_media(connection, now)

    def _lose_media(
        self,
        connection: Connection,
        now: int,
        reason: StopReason = StopReason.AWAIT_RECONNECTION_TIMEOUT,
    ) -> None:
        """Told by event 7 at once and by state INTERRUPTED (reference section 15)."""
        first = not self._losses
        until = now + self._windows.media
        self._losses.add(connection.media, until, reason)
        self._alarm = min(self._alarm, until)
        if self._talk is None:
            return
        self._talk.tell(wire.media_interrupted(connection.media, self._start_ms + now), "event")
        if first:
            lost = StopReason.DATA_CONNECTION_INTERRUPTED
            self._talk.stream(StreamState.INTERRUPTED, now, lost)

    def _lose_signaling(self, now: int, reason: StopReason, *, frame: bool = False) -> None:
        """Everything of the client is gone; it may come back inside the window."""
        self._interrupt(now, self._windows.signaling, reason, frame=frame)
        self._outbox.notify_interrupted(now)

    def _interrupt(self, now: int, window: int, reason: StopReason, *, frame: bool = False) -> None:
        self._let_go(frame=frame)
        self.phase = "interrupted"
        self._losses.await_client(now + window, reason)
        self._alarm = min(self._alarm, now + window)

    def _let_go(self, *, frame: bool = False) -> None:
        """Let go of every connection that had shaken hands."""
        for connection in self._connections.live():
            self._connections.remove(connection)
            self._outbox.break_off(connection, frame=frame)
        self._talk = None

    def _tell_all(self, session: SessionState, stream: StreamState, now: int) -> None:
        names = self._sessions.put_all(session)
        if self._talk is not None and self._talk.ready:
            for name in names:
                self._talk.session(name, session, now)
            self._talk.stream(stream, now)

    # -- time ------------------------------------------------------------------------------

    def _keep_alive(self, now: int) -> None:
        for connection in self._connections.live():
            pulse = connection.pulse
            if now < pulse.due or self._connections.get(connection.number) is None:
                continue  # not yet, or gone with the one before
            if pulse.unanswered >= self._windows.misses:
                self._miss(connection, now)
                continue
            timestamp = self._start_ms + now
            number = pulse.sends(now, timestamp, self._windows.keepalive)
            self._outbox.send(connection, wire.keep_alive(number, timestamp), "keep_alive")

    def _miss(self, connection: Connection, now: int) -> None:
        """Too many keep-alives were not answered."""
        self.faults["keep_alive_unanswered"] += 1
        reason = StopReason.KEEP_ALIVE_TIMEOUT
        if connection is self._connections.signaling:
            self._lose_signaling(now, reason)
            return
        self._connections.remove(connection)
        self._outbox.break_off(connection, frame=False)
        self._lose_media(connection, now, reason)

    def _check_windows(self, now: int) -> None:
        reason = self._losses.expired(now)
        if reason is not None:
            self.finish(reason, now)

    def _next_alarm(self) -> int:
        pings = (connection.pulse.due for connection in self._connections.live())
        return min([self._losses.next_at(), *pings])
