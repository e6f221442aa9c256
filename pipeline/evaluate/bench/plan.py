"""What the bench's processes tell one another: one JSON line each way."""

from __future__ import annotations

import msgspec


class Target(msgspec.Struct, frozen=True):
    """One stream to receive. ``phase_ms``: its messages are due so much after the tape's time."""

    signaling_url: str
    zoom_id: str
    stream: str
    phase_ms: float


class ZoomPlan(msgspec.Struct, frozen=True, kw_only=True):
    """For the fake Zoom's process: play this tape to so many streams, on this core."""

    tape: str
    streams: int
    tls: bool
    core: int | None


class ZoomReady(msgspec.Struct, frozen=True, kw_only=True):
    """Its answer when it listens."""

    targets: list[Target]
    client_id: str
    client_secret: str
    ca_file: str
    loop: str


class ZoomMark(msgspec.Struct, frozen=True, kw_only=True):
    """Its answer to each further line: a reading of its counters.

    ``at``: ``time.monotonic()``, one clock for all processes; ``started_at``: when the tape's clock
    started, on the same clock; ``start_ms``: the tape's time then; ``sent``: audio messages handed
    to sockets since the process started. ``reading_s``: processor time of the reading itself, after
    ``cpu_s``. ``worst_ms`` and ``p99_ms``: how late messages were handed over since shortly after
    the reading before.
    """

    at: float
    cpu_s: float
    reading_s: float
    started_at: float | None
    start_ms: int
    sent: int
    worst_ms: float
    p99_ms: float


class ClientPlan(msgspec.Struct, frozen=True, kw_only=True):
    """For a receiving process. ``delays``: also note when each message arrived."""

    targets: list[Target]
    client_id: str
    client_secret: str
    ca_file: str
    settle_s: float
    window_s: float
    core: int | None
    delays: bool = False


class ClientSteady(msgspec.Struct, frozen=True, kw_only=True):
    """A client's first answer: every stream has been heard; now it settles, then measures."""

    streams: int


class ClientReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one window gave. ``began`` and ``ended``: ``time.monotonic()``. ``arrivals``: for each
    message, ms of ``time.monotonic()`` at arrival minus its timestamp and its stream's phase."""

    messages: float
    cpu_s: float
    began: float
    ended: float
    loop: str
    arrivals: list[float] = []

    @property
    def us_per_message(self) -> float:
        """Microseconds of processor time."""
        return self.cpu_s / self.messages * 1e6 if self.messages else float("inf")
