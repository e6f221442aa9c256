"""One stream as Zoom's servers run it, and what a fault script may do to it. Pure; no I/O.

In go connections, messages and the time (ms from the tape's start); out come actions for the
shell. Bad messages never raise: they are answered with their status (``statuses``) or, where there
is no answer, counted in ``faults``.
"""

from __future__ import annotations

from typing import Any

from pipeline.base.errors import BadInput
from pipeline.emulator.keepalive import NEVER
from pipeline.emulator.protocol import BY_KEY, Ending, Phase, Protocol
from pipeline.emulator.reception import Socket
from pipeline.rtms.enums import MediaType, SessionState, StopReason, StreamState

__all__ = ["Ending", "Phase", "Socket", "Stream"]


class Stream(Protocol):
    """Feed it, then ``drain()`` the actions. ``base`` is where its media URLs start.

    Several streams may share a playback: whoever owns it advances it, and hands what is due to
    every stream, once and in order.
    """

    def describe(self) -> dict[str, Any]:
        """State for people and tests; plain JSON values."""
        talk = self._talk
        return {
            "phase": self.phase,
            "mode": self._rules.mode,
            "ready": self.ready,
            "paused": self._delivery.paused,
            "stop_reason": self.stopped,
            "meeting_ms": self._playback.now,
            "meeting_time": self._start_ms + self._playback.now,
            "present": list(self._playback.scene.present.values()),
            "sessions": {name: int(state) for name, state in self._sessions.items()},
            "subscribed": sorted(talk.subscription.chosen) if talk else [],
            "video_of": talk.video.chosen if talk else None,
            "connections": [connection.describe() for connection in self._connections],
            "lost": self._losses.names(),
            "sent": dict(sorted(self.sent.items())),
            "faults": dict(sorted(self.faults.items())),
        }

    # -- what a fault script may do --------------------------------------------------------

    def pause(self, now: int) -> None:
        """As a participant does: no media until resumed, and what is said meanwhile is for nobody
        (reference section 11.2)."""
        if self.phase == "over" or self._delivery.paused:
            return
        self._deliver()
        self._delivery.pause(now)
        self._tell_all(SessionState.PAUSED, StreamState.PAUSED, now)

    def resume(self, now: int) -> None:
        """Media again."""
        if self.phase == "over" or not self._delivery.paused:
            return
        self._delivery.resume(now, now - self._playback.buffer_ms)
        self._tell_all(SessionState.RESUMED, StreamState.RESUMED, now)

    def failover(self, base: str, now: int) -> None:
        """The server dies and another takes over: every connection is gone without a word, media
        URLs start with ``base`` from now on. The started webhook is the caller's to repeat."""
        if self.phase == "over":
            return
        self._base = base
        if self.phase == "announced":
            return
        self._interrupt(now, self._windows.connect, StopReason.CONNECTION_TIMEOUT)

    def drop(self, which: str, close: Ending, now: int, replay: bool = True) -> None:
        """Connections break as lost ones do; the client may come back at once.

        ``which``: ``signaling`` or ``all`` (both mean everything, as with Zoom), ``media``, or a
        key of ``server_urls``. ``replay`` False: what is sent until that media is back is gone.
        Raises BadInput for another word.
        """
        media = MediaType.ALL if which in ("signaling", "media") else _media(which)
        if self.phase == "over":
            return
        if which not in ("signaling", "all"):
            self._break_media(media, now, now, replay, close)
            return
        if not replay:
            self._delivery.drop(media)
        if self._talk is not None:
            reason = StopReason.AWAIT_RECONNECTION_TIMEOUT
            self._lose_signaling(now, reason, frame=close == "frame")

    def lose(self, media: str, ms: int, replay: bool, now: int, close: Ending = "abrupt") -> None:
        """As a tape's loss: media sockets break and their URLs are out of order for a while.
        ``media`` is a key of ``server_urls``. Raises BadInput for another word."""
        found = _media(media)
        if self.phase != "over":
            self._break_media(found, now + ms, now, replay, close)

    def replay(self, on: bool) -> None:
        """Whether what is sent while nobody is there is kept, from now on."""
        self._delivery.replay = on

    def hold_pings(self, until: int | None, now: int) -> None:
        """Send no keep-alives until then (None: until told otherwise, by a time that is over), and
        forget those that were not answered."""
        self._pings_held = NEVER if until is None else until
        for connection in self._connections.live():
            pulse = connection.pulse
            pulse.unanswered = 0
            if self._pings_held > now:
                pulse.due = max(pulse.due, self._pings_held)
            else:
                pulse.due = min(pulse.due, now + self._windows.keepalive)
            self._alarm = min(self._alarm, pulse.due)

    def camera(self, user_id: int, on: bool, now: int) -> None:
        """A camera is switched: events 8 and 9, and images of it are withheld while it is off."""
        if on:
            self._cameras_off.discard(user_id)
        else:
            self._cameras_off.add(user_id)
        if self._talk is not None:
            self._talk.camera(user_id, now, on=on)

    def deny(self, status: int, socket: Socket, times: int) -> None:
        """Answer the next ``times`` handshakes on such sockets with this status, whatever they
        say. Raises BadInput for a status that is none."""
        self._reception.deny(status, socket, times)


def _media(key: str) -> MediaType:
    try:
        return BY_KEY[key]
    except KeyError:
        raise BadInput(f"no media {key!r}; there are {', '.join(BY_KEY)}") from None
