"""Product x socket layout x codec x fault: our whole client against our fake Zoom.

Webhooks, websockets and frames are real; time is virtual (``tests/idle_clock.py``), so a run takes
as long as its code and a hole can be measured to the packet.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec
from aiohttp import web

from pipeline.audio.settings import AudioSettings
from pipeline.base.clock import MeetingClock
from pipeline.base.secret import Secret
from pipeline.emulator.emulator import Emulator
from pipeline.emulator.settings import EmulatorSettings
from pipeline.meeting.parts import Parts
from pipeline.meeting.run import MeetingRun
from pipeline.model import events as ev
from pipeline.model.events import Product
from pipeline.model.log import MeetingLog
from pipeline.model.speech import Gap
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.rtms.credentials import Credentials
from pipeline.rtms.enums import MediaType
from pipeline.rtms.products import Announcement
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.stream import RtmsStream, Sink
from pipeline.rtms.webhook import Interrupted, Notice, Started, webhook_app
from pipeline.store.memory import MemoryLog
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import ScriptedEngine
from pipeline.transcribe.settings import TranscribeSettings
from tests.idle_clock import IdleClock, run
from tests.tone_tape import ADA, BOB, CLEO, START_MS, Packet, Spurt, ToneTape

MEDIA: Final = MediaType.AUDIO | MediaType.TRANSCRIPT
END_MS: Final = 9_600
"""When Zoom ends the stream; the last voice ends a second before."""
FAULT_S: Final = 4.03
"""When faults happen: in the middle of words and not on a packet's border."""
WAIT_REAL_S: Final = 60.0


class Codec(NamedTuple):
    """What audio is asked for."""

    name: str
    codec: Literal["L16", "G711", "G722", "OPUS"]
    rate: Literal[8000, 16000, 32000, 48000]
    channels: Literal[1, 2] = 1
    every_ms: int = 20
    mixed: bool = False

    def __str__(self) -> str:
        return self.name


PRODUCTS: tuple[Product, ...] = ("meeting", "webinar", "session", "contact_center", "phone")

CODECS: Final = (
    Codec("L16 16k", "L16", 16000, every_ms=100),
    Codec("OPUS stereo", "OPUS", 48000, 2),
    Codec("G711", "G711", 8000),
    Codec("G722", "G722", 16000),
    Codec("L16 48k stereo", "L16", 48000, 2),
    Codec("L16 16k mixed", "L16", 16000, every_ms=100, mixed=True),
    Codec("OPUS", "OPUS", 48000),
    Codec("L16 8k", "L16", 8000, every_ms=40),
    Codec("L16 8k stereo", "L16", 8000, 2),
    Codec("L16 16k stereo", "L16", 16000, 2, every_ms=1000),
    Codec("L16 32k", "L16", 32000),
    Codec("L16 32k stereo", "L16", 32000, 2, every_ms=100),
    Codec("L16 48k", "L16", 48000),
)


class Fault(NamedTuple):
    """Something that goes wrong. ``lossless``: every packet arrives in the end."""

    name: str
    faults: tuple[dict[str, Any], ...] = ()
    settings: dict[str, Any] = {}  # noqa: RUF012 - never changed
    client: dict[str, Any] = {}  # noqa: RUF012 - never changed
    lossless: bool = True
    again: bool = False
    """Packets may come more than once."""
    ordered: bool = True
    away: frozenset[str] = frozenset({"all", "audio"})
    """Media that gaps may name."""

    def __str__(self) -> str:
        return self.name


def _at(name: str, at: float = FAULT_S, **fields: Any) -> dict[str, Any]:
    return {"fault": name, "at": at, **fields}


FAULTS: Final = (
    Fault("none"),
    Fault("media dropped", (_at("drop", socket="media"),)),
    Fault("media closed", (_at("drop", socket="media", close="frame"),)),
    Fault("media lost", (_at("drop", socket="media", replay=False),), lossless=False),
    Fault("media out of order", (_at("outage", **{"for": 2.0}, replay=False),), lossless=False),
    Fault("signaling dropped", (_at("drop", socket="signaling"),)),
    Fault("signaling closed", (_at("drop", socket="signaling", close="frame"),)),
    Fault("all lost", (_at("drop", socket="all", replay=False),), lossless=False),
    Fault("failover", (_at("failover"),)),
    Fault(
        "failover, nothing kept",
        (_at("refuse", at=4.0, http=503), _at("failover", dead_first=True)),
        settings={"replay": False},
        lossless=False,
    ),
    Fault("stall", (_at("stall", **{"for": 3.0}),)),
    Fault(
        "silent",
        (_at("stall", **{"for": 4.0}),),
        settings={"keepalive_s": 0.5},
        client={"keepalive_timeout_s": 2.0},
        lossless=False,
    ),
    Fault("repeated", (_at("repeat", **{"for": 2.0}),), again=True),
    Fault("reordered", (_at("reorder", by=3, **{"for": 2.0}),), ordered=False),
    Fault("late media at the end", (_at("stall", at=8.3, socket="media", **{"for": 1.5}),)),
    Fault("paused", (_at("pause", **{"for": 2.0}),), lossless=False),
    Fault("flat media", settings={"media_form": "flat", "webhook_form": "nested"}),
    Fault("binary frames", settings={"frames": "binary"}),
)


class Case(NamedTuple):
    """One point of the matrix."""

    fault: Fault
    codec: Codec
    product: Product
    layout: Literal["all", "split"]

    def __str__(self) -> str:
        return ", ".join(map(str, self))


@dataclass
class Outcome:
    """What one run left."""

    case: Case
    tape: ToneTape
    outputs: list[out.Output] = field(default_factory=list)
    events: list[ev.Event] = field(default_factory=list)
    zoom: dict[str, Any] = field(default_factory=dict)
    most: Counter[str] = field(default_factory=Counter)
    """The most connections that the server saw at once, by socket."""

    @property
    def state(self) -> MeetingState:
        """The log, read."""
        return MeetingState.replay("m1", self.events)

    def of(self, kind: type[Any]) -> list[Any]:
        """Outputs of one kind."""
        return [output for output in self.outputs if isinstance(output, kind)]

    def heard(self) -> list[Packet]:
        """Audio as it arrived."""
        return [Packet(o.user_id, o.timestamp_ms, o.data) for o in self.of(out.AudioReceived)]

    def sent(self) -> list[Packet]:
        """All audio of the tape, as it must be in the case's codec."""
        c = self.case.codec
        return self.tape.heard(c.rate, c.channels, c.every_ms, codec=c.codec, mixed=c.mixed)

    def gaps(self) -> list[Gap]:
        """Gaps of media in the log."""
        return [e.body.gap for e in self.events if isinstance(e.body, ev.GapFound)]


def make_tape(folder: Path, product: Product) -> ToneTape:
    """Three voices, one of which never stops; words all the time."""
    spurts = [
        Spurt(CLEO, 400, 8_200),
        Spurt(ADA, 1_000, 2_000),
        Spurt(BOB, 2_500, 1_500),
        Spurt(ADA, 5_000, 1_530),
        Spurt(BOB, 7_000, 900),
    ]
    said = [(CLEO, 500 + 600 * n, 1_000 + 600 * n, f"words {n}") for n in range(12)]
    return ToneTape(product=product, spurts=spurts, said=said, end_ms=END_MS).write(
        folder / f"{product}.rtms.zst"
    )


def played(case: Case, tape: ToneTape, spool: Path) -> Outcome:
    """Run one case to its end."""
    outcome = Outcome(case, tape)
    run(lambda clock: _play(clock, outcome, spool), start_ms=START_MS)
    return outcome


async def _play(clock: IdleClock, outcome: Outcome, spool: Path) -> None:
    async with asyncio.timeout(WAIT_REAL_S):
        meeting = _Meeting(clock, outcome, spool)
        async with _webhook(clock, meeting.on_notice) as url:
            case = outcome.case
            settings = EmulatorSettings(webhook=url, **case.fault.settings)
            async with Emulator(
                outcome.tape.path, settings, clock=clock, faults=case.fault.faults
            ) as zoom:
                playing = asyncio.create_task(zoom.run())
                await meeting.finished.wait()
                outcome.zoom = zoom.state()
                await playing
        outcome.events = await meeting.log.events()


@contextlib.asynccontextmanager
async def _webhook(clock: IdleClock, on_notice: Callable[[Notice], None]) -> AsyncIterator[str]:
    app = webhook_app(secret_token=Secret("tok"), clock=clock, on_notice=on_notice)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
    finally:
        await runner.cleanup()


class _Meeting:
    """Takes webhooks to one meeting run, as the service does."""

    def __init__(self, clock: IdleClock, outcome: Outcome, spool: Path) -> None:
        self._clock = clock
        self._outcome = outcome
        self._spool = spool
        self.log = MemoryLog()
        self.finished = asyncio.Event()
        self._run: MeetingRun | None = None
        self._running: asyncio.Task[None] | None = None

    def on_notice(self, notice: Notice) -> None:
        if isinstance(notice, Started):
            if self._run is None:
                self._running = asyncio.create_task(self._begin(notice.announcement))
            else:
                self._run.announce(notice.announcement)
        elif self._run is not None:
            if isinstance(notice, Interrupted):
                self._run.interrupted(notice.stream)
            else:
                self._run.stopped(notice.stream, notice.reason)

    async def _begin(self, announcement: Announcement) -> None:
        await self.log.append(
            ev.MeetingOpened(
                product=announcement.product,
                zoom_id=announcement.zoom_id,
                started_ms=announcement.announced_ms,
                engine="native",
            )
        )
        self._run = MeetingRun(
            meeting_log=self.log, state=self.log.state(), spool=self._spool, parts=self._parts()
        )
        self._run.announce(announcement)
        try:
            await self._run.run()
        finally:
            self.finished.set()

    def _parts(self) -> Parts:
        return Parts(
            engine="native",
            clock=self._clock,
            speed=1.0,
            audio=AudioSettings(),
            pool=DecodePool(
                lambda: ScriptedEngine(otherwise="words"), settings=TranscribeSettings(workers=1)
            ),
            stream=self._stream,
            notes=_Quiet,  # type: ignore[arg-type]
            restart_grace_s=0.0,
        )

    def _stream(self, announcement: Announcement, sink: Sink) -> RtmsStream:
        codec = self._outcome.case.codec
        return RtmsStream(
            announcement,
            _Tee(self._outcome.outputs, sink),
            credentials=Credentials("cid", Secret("csec")),
            settings=RtmsSettings(
                allow_loopback=True,
                layout=self._outcome.case.layout,
                codec=codec.codec,
                sample_rate=codec.rate,
                channels=codec.channels,
                send_rate_ms=codec.every_ms,
                mixed=codec.mixed,
                **self._outcome.case.fault.client,
            ),
            media=MEDIA,
            clock=self._clock,
            rng=random.Random(1),
        )


class _Tee:
    """A sink that keeps what it passes on."""

    def __init__(self, kept: list[out.Output], sink: Sink) -> None:
        self._kept = kept
        self._sink = sink

    def put(self, output: out.Output) -> None:
        self._kept.append(output)
        self._sink.put(output)


class _Quiet:
    """Notes nothing."""

    def __init__(self, log: MeetingLog, clock: MeetingClock) -> None:
        self._stop = asyncio.Event()

    async def run(self) -> None:
        await self._stop.wait()

    async def finish(self) -> None:
        self._stop.set()


# -- what must hold ----------------------------------------------------------------------------


def check(outcome: Outcome) -> None:
    """Everything the matrix promises about one run."""
    fault, codec = outcome.case.fault, outcome.case.codec
    _check_end(outcome)
    heard, sent = outcome.heard(), outcome.sent()
    counted = Counter(heard)
    wrong = [p[:2] for p in counted if p not in set(sent)]
    assert not wrong, f"{len(wrong)} packets that were not sent, first {wrong[:3]}"
    if not fault.again:
        twice = [p[:2] for p, times in counted.items() if times > 1]
        assert not twice, f"{len(twice)} packets came twice, first {twice[:3]}"
    if fault.ordered:
        _check_order(heard)
    missing = [p for p in sent if p not in counted]
    if fault.lossless:
        assert not missing, f"{len(missing)} of {len(sent)} packets missing, first {missing[0][:2]}"
        assert outcome.gaps() == []
    else:
        assert missing, "the fault cost nothing: it did not happen"
        _check_holes(outcome, missing, codec.every_ms)
    _check_words(outcome)


def _check_end(outcome: Outcome) -> None:
    over = outcome.outputs[-1]
    assert isinstance(over, out.StreamOver)
    assert over.reason == 6, over
    faults = [f"{o.reason}: {o.detail}" for o in outcome.of(out.ProtocolFault)]
    assert faults == []
    assert [e.seq for e in outcome.events] == list(range(1, len(outcome.events) + 1))
    assert outcome.state.ended is not None


def _check_order(heard: list[Packet]) -> None:
    latest: dict[int | None, int] = {}
    for packet in dict.fromkeys(heard):
        assert packet.timestamp_ms > latest.get(packet.user_id, 0), "out of order"
        latest[packet.user_id] = packet.timestamp_ms


def _check_holes(outcome: Outcome, missing: list[Packet], every_ms: int) -> None:
    """Every packet that is missing lies in a gap or a pause, and these are no longer than what is
    missing, to one packet at either end."""
    spans = [(g.from_ms, g.to_ms) for g in outcome.gaps() if g.media in outcome.case.fault.away]
    spans += _pauses(outcome)
    assert spans, "a hole nobody was told of"
    for packet in missing:
        start, end = packet.timestamp_ms, packet.timestamp_ms + every_ms
        assert any(a - every_ms <= start and end <= b + every_ms for a, b in spans), (
            f"{start - START_MS}..{end - START_MS} is missing outside of {_relative(spans)}"
        )
    for a, b in spans:
        inside = [p for p in missing if p.timestamp_ms < b and p.timestamp_ms + every_ms > a]
        assert inside, f"{_relative([(a, b)])} is a gap and nothing is missing"
        first = min(p.timestamp_ms for p in inside)
        last = max(p.timestamp_ms for p in inside) + every_ms
        assert abs(a - first) <= every_ms, f"gap from {a - START_MS}, lost from {first - START_MS}"
        assert abs(b - last) <= every_ms, f"gap to {b - START_MS}, lost to {last - START_MS}"


def _relative(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(a - START_MS, b - START_MS) for a, b in spans]


def _pauses(outcome: Outcome) -> list[tuple[int, int]]:
    found = []
    since: int | None = None
    for event in outcome.events:
        body = event.body
        if isinstance(body, ev.StreamChanged) and body.state == "paused":
            since = body.at_ms
        elif isinstance(body, ev.StreamChanged) and since is not None:
            found.append((since, body.at_ms))
            since = None
    return found


def _check_words(outcome: Outcome) -> None:
    """Words that were sent are in the log, or lie in a gap."""
    said = [u.text for u in outcome.state.transcript()]
    assert len(said) == len(set(said)), "words twice"
    spans = [(g.from_ms, g.to_ms) for g in outcome.gaps()] + _pauses(outcome)
    slack = max(100, outcome.case.codec.every_ms)  # the meeting's clock goes by packets
    for _, _, end, text in outcome.tape.said:
        sent_at = START_MS + end + 50
        if text not in said:
            assert not outcome.case.fault.lossless, f"{text} is missing"
            assert any(a - slack <= sent_at <= b + slack for a, b in spans), f"{text} is missing"


def described(value: object) -> str:
    """For messages of failed assertions."""
    return msgspec.json.encode(value, enc_hook=repr).decode()
