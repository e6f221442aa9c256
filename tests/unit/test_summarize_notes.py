"""The notes stage on an in-memory log: pace, restarts, outages, corrections, the final pass."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.clock import ManualClock, MeetingClock
from pipeline.base.errors import StorageError
from pipeline.base.ids import SequentialIds
from pipeline.base.metrics import ITEM_LATENCY, UNVERIFIED
from pipeline.model import events as ev
from pipeline.model.notes import Add, Author, Evidence, Merge, NoteItem, Op, Update
from pipeline.model.speech import Message, Utterance
from pipeline.store.memory import MemoryLog
from pipeline.summarize.extract import ExtractiveWriter
from pipeline.summarize.notes import NotesStage
from pipeline.summarize.settings import SummarizeSettings
from pipeline.summarize.verify import cite
from pipeline.summarize.writer import Proposal, Skipped, Window, Writer, WriterFailed

START = 1_795_514_400_000
CALL = ev.LlmCalled(
    call="c", prompt="rolling", prompt_hash="h", model="m", outcome="ok", milliseconds=1
)

Turn = Callable[[Window], Proposal]


def point(window: Window) -> Proposal:
    """One item for each new line, quoting it whole."""
    ops = [
        Add(NoteItem(id=f"new{n}", kind="point", text=line.text, evidence=(cite(line, line.text),)))
        for n, line in enumerate(window.new)
    ]
    return Proposal(ops=tuple(ops), calls=(CALL,))


def fails(kind: str = "connect", *, retryable: bool = True, **fields: Any) -> Turn:
    def turn(_: Window) -> Proposal:
        raise WriterFailed("no connection", kind=kind, retryable=retryable, **fields)

    return turn


class Script:
    """A writer that plays turns, then ``otherwise``; keeps the windows it was shown."""

    def __init__(
        self, *turns: Turn, author: Author = "model", otherwise: Turn = point, hold: bool = False
    ) -> None:
        self.turns = list(turns)
        self.otherwise = otherwise
        self.windows: list[Window] = []
        self.hold = asyncio.Event() if hold else None
        self._author = author

    @property
    def author(self) -> Author:
        return self._author

    @property
    def read(self) -> list[list[str]]:
        """Ids of the new lines of each window."""
        return [[line.id for line in w.new] for w in self.windows]

    async def propose(self, window: Window) -> Proposal:
        self.windows.append(window)
        turn = self.turns.pop(0) if self.turns else self.otherwise
        if self.hold is not None and window.phase == "live":
            await self.hold.wait()
        return turn(window)


class Meeting:
    """A log, clocks and a stage that can be stopped and begun anew."""

    def __init__(
        self,
        writer: Writer,
        fallback: Writer | None = None,
        *,
        log: MemoryLog | None = None,
        **fields: Any,
    ) -> None:
        self.writer, self.fallback = writer, fallback
        self.settings = SummarizeSettings(**fields)
        self.machine = ManualClock(START)
        self.clock = MeetingClock(self.machine)
        self.log = log or MemoryLog()
        self.lines = len(self.log.state().utterances)
        self.stage = self.new_stage()
        self.task: asyncio.Task[None] | None = None

    def new_stage(self) -> NotesStage:
        return NotesStage(
            log=self.log,
            clock=self.clock,
            machine=self.machine,
            writer=self.writer,
            fallback=self.fallback,
            settings=self.settings,
            ids=SequentialIds(),
        )

    async def open(self) -> None:
        self.clock.observe(START)
        await self.log.append(
            ev.MeetingOpened(product="meeting", zoom_id="z", started_ms=START),
            ev.ParticipantJoined(participant="1", name="Anna Miller", at_ms=START),
        )

    def begin(self) -> None:
        self.stage = self.new_stage()
        self.task = asyncio.create_task(self.stage.run())

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def say(self, text: str = "one two three four five six seven", **fields: Any) -> str:
        self.lines += 1
        now = self.clock.now_ms() or START
        values: dict[str, Any] = {
            "id": f"u{self.lines}",
            "stream": "s",
            "source": "native",
            "start_ms": now - 1000,
            "end_ms": now,
            "text": text,
            "speaker": "Anna Miller",
            "participant": "1",
        }
        await self.log.append(ev.UtteranceSaid(utterance=Utterance(**(values | fields))))
        return str((values | fields)["id"])

    async def revise(self, ref: str, **fields: Any) -> None:
        old = self.log.state().utterances[ref]
        new = msgspec.structs.replace(old, revision=old.revision + 1, **fields)
        await self.log.append(ev.UtteranceSaid(utterance=new))

    async def pass_time(self, seconds: float) -> None:
        """In steps, so that what wakes up has time to work before more time passes."""
        await settle()
        until = self.machine.monotonic() + seconds
        while (left := until - self.machine.monotonic()) > 1e-9:
            await self.machine.advance(min(left, 0.5))
            await settle()
            if self.fallback is not None and (asking := self.stage._asking) is not None:
                await asyncio.wait({asking})  # a thread, which the clock knows nothing of
                await settle()

    def bodies(self, kind: type[Any]) -> list[Any]:
        return [e.body for e in self.log._events if isinstance(e.body, kind)]

    @property
    def texts(self) -> list[str]:
        return [item.text for item in self.log.state().notes.live()]


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


@asynccontextmanager
async def running(
    writer: Writer, fallback: Writer | None = None, **fields: Any
) -> AsyncIterator[Meeting]:
    meeting = Meeting(writer, fallback, **fields)
    await meeting.open()
    meeting.begin()
    try:
        yield meeting
    finally:
        await meeting.stop()


# -- pace -----------------------------------------------------------------------------------


async def test_new_words_become_verified_items_in_one_commit() -> None:
    writer = Script()
    measured = ITEM_LATENCY._sum.get()
    async with running(writer) as meeting:
        await meeting.say("we sold four hundred and twelve boxes")
        await meeting.pass_time(4)
        assert writer.windows == []
        await meeting.pass_time(2)
        (window,) = writer.windows
        assert window.phase == "live"
        item = meeting.log.state().notes.items["n1"]
        assert item.check.state == "verified"
        assert item.author == "model"
        kinds = [e.kind for e in meeting.log._events]
        assert kinds[-2:] == ["llm_called", "notes_patched"]
        (patched,) = meeting.bodies(ev.NotesPatched)
        assert patched.covered_seq == 3
        assert patched.patch.id == "live-model-3"
        assert patched.patch.call == "c"
        assert ITEM_LATENCY._sum.get() - measured == pytest.approx(5, abs=1.1)


async def test_nothing_said_means_no_call_however_long_it_lasts() -> None:
    writer = Script()
    async with running(writer) as meeting:
        await meeting.pass_time(600)
        await meeting.say("other engine", role="comparison")
        await meeting.say("  ")
        await meeting.say("gone", deleted=True)
        await meeting.pass_time(600)
        assert writer.windows == []


async def test_a_silent_meeting_is_not_polled() -> None:
    async with running(Script()) as meeting:
        await meeting.pass_time(10)
        assert meeting.machine._sleepers == []


async def test_chat_is_read_like_speech_and_late_words_are_covered() -> None:
    writer = Script()
    async with running(writer) as meeting:
        await meeting.say()
        await meeting.pass_time(6)
        message = Message(id="c1", stream="s", at_ms=START, text="28 euros a box or so")
        await meeting.log.append(ev.MessageSaid(message=message))
        await meeting.say("said long ago but heard late", start_ms=START - 9, end_ms=START - 5)
        await meeting.pass_time(7)
        assert writer.read == [["u1"], ["c1", "u2"]]


async def test_the_writer_sees_the_meeting_as_it_was_when_asked() -> None:
    writer = Script(hold=True)
    async with running(writer) as meeting:
        await meeting.say()
        await meeting.pass_time(6)
        await meeting.say("too late for this window")
        await settle()
        assert list(writer.windows[0].state.utterances) == ["u1"]
        assert writer.hold is not None
        writer.hold.set()
        await meeting.pass_time(20)
        assert writer.read == [["u1"], ["u2"]]


async def test_extraction_follows_at_its_own_pace_off_the_event_loop() -> None:
    threads: list[int] = []

    def where(window: Window) -> Proposal:
        threads.append(threading.get_ident())
        return point(window)

    writer = Script(author="extractive", otherwise=where)
    async with running(writer) as meeting:
        await meeting.say()
        await until(meeting, lambda: bool(meeting.texts))
        assert threads[0] != threading.get_ident()
        assert meeting.log.state().notes.items["n1"].author == "extractive"


async def until(meeting: Meeting, met: Callable[[], bool]) -> None:
    """Threads take real time; the clock is moved on until it shows."""
    async with asyncio.timeout(10):
        while not met():
            await meeting.pass_time(0.3)
            await asyncio.to_thread(threading.Event().wait, 0.001)


async def test_a_long_backlog_is_read_in_turns() -> None:
    writer = Script()
    meeting = Meeting(writer, window_words=10)
    await meeting.open()
    for _ in range(4):
        await meeting.say("one two three four five")
    meeting.begin()
    await meeting.pass_time(60)
    await meeting.stop()
    assert writer.read == [["u1", "u2"], ["u3", "u4"]]


# -- restarts -------------------------------------------------------------------------------


async def test_a_new_process_goes_on_where_the_last_one_was() -> None:
    writer = Script()
    async with running(writer) as meeting:
        await meeting.say("first")
        await meeting.pass_time(60)
        await meeting.say("second")
        await meeting.stop()
        meeting.begin()
        await meeting.pass_time(60)
        assert writer.read == [["u1"], ["u2"]]
        assert list(meeting.log.state().notes.items) == ["n1", "n2"]


async def test_a_model_that_found_nothing_is_not_paid_twice() -> None:
    writer = Script(otherwise=lambda _: Proposal(calls=(CALL,)))
    async with running(writer) as meeting:
        await meeting.say()
        await meeting.pass_time(60)
        await meeting.stop()
        meeting.begin()
        await meeting.pass_time(60)
        assert writer.read == [["u1"]]


async def test_a_refused_append_ends_the_stage_and_loses_nothing() -> None:
    writer = Script()
    async with running(writer) as meeting:
        await meeting.say()
        await settle()
        meeting.log.refuse(StorageError("disk full", kind="full"))
        await meeting.pass_time(7)
        assert meeting.task is not None
        assert isinstance(meeting.task.exception(), StorageError)
        assert meeting.texts == []
        meeting.begin()
        await meeting.pass_time(7)
        assert len(meeting.texts) == 1


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.sampled_from(["say", "wait", "long", "restart", "fail", "revise"]), max_size=25
    )
)
def test_whatever_happens_every_line_is_read_and_no_item_doubled(steps: list[str]) -> None:
    async def play() -> None:
        writer, fallback = Script(), Script(author="extractive", otherwise=lambda _: Proposal())
        meeting = Meeting(writer, fallback)
        await meeting.open()
        meeting.begin()
        for step in steps:
            if step == "say":
                await meeting.say(f"line number {meeting.lines + 1}")
            elif step == "revise" and meeting.lines:
                await meeting.revise(f"u{meeting.lines}", text=f"line number {meeting.lines} !")
            elif step == "fail":
                writer.turns.append(fails())
            elif step == "restart":
                await meeting.stop()
                meeting.begin()
            elif step in ("wait", "long"):
                await meeting.pass_time(2 if step == "wait" else 30)
        writer.turns.clear()
        await meeting.pass_time(120)
        read = [ref for window in writer.read for ref in window]
        assert set(read) == {f"u{n}" for n in range(1, meeting.lines + 1)}
        state = meeting.log.state()
        assert list(state.notes.items) == [f"n{n + 1}" for n in range(len(state.notes.items))]
        assert all(i.check.state == "verified" for i in state.notes.items.values())
        patches = [b.patch.id for b in meeting.bodies(ev.NotesPatched)]
        assert len(patches) == len(set(patches))
        writer.otherwise = lambda _: Proposal()
        await meeting.stage.finish()
        assert meeting.log.state().final
        await meeting.stop()

    asyncio.run(play())


# -- outages --------------------------------------------------------------------------------


async def test_while_the_model_is_away_the_fallback_writes_and_the_model_catches_up() -> None:
    seen: list[list[str]] = []

    def back(window: Window) -> Proposal:
        seen.append([i.text for i in window.state.notes.live()])
        return Proposal(ops=(Update("n1", {"text": "said while it was away"}),), calls=(CALL,))

    writer = Script(fails(), fails(), back)
    fallback = Script(author="extractive")
    async with running(writer, fallback) as meeting:
        first = await meeting.say("said while it was away")
        await meeting.pass_time(6.4)
        (changed,) = meeting.bodies(ev.StageChanged)
        assert (changed.state, changed.error, changed.retryable) == ("degraded", "connect", True)
        assert "no connection" in changed.detail
        await meeting.pass_time(12)
        assert fallback.read == [[first]]
        second = await meeting.say("and more")
        await meeting.pass_time(30)
        assert writer.read[-1] == [first, second]
        assert seen[0][0] == "said while it was away"
        *degraded, ok = meeting.bodies(ev.StageChanged)
        assert len(degraded) == 1
        assert (ok.state, ok.count) == ("ok", 2)


async def test_without_a_fallback_the_lines_wait_and_the_state_says_so() -> None:
    writer = Script(fails("auth", retryable=False))
    async with running(writer) as meeting:
        await meeting.say()
        await meeting.pass_time(50)
        assert "notes stand still" in meeting.log.state().stages["summarize"].detail
        await meeting.pass_time(30)
        assert writer.read == [["u1"], ["u1"]]
        assert meeting.log.state().stages["summarize"].state == "ok"


async def test_calls_of_a_failed_try_are_rows_too() -> None:
    failed = msgspec.structs.replace(CALL, outcome="bad_output")
    async with running(Script(fails(calls=(failed,)))) as meeting:
        await meeting.say()
        await meeting.pass_time(7)
        assert [c.outcome for c in meeting.bodies(ev.LlmCalled)] == ["bad_output"]


async def test_the_servers_own_delay_is_kept() -> None:
    writer = Script(fails("rate_limited", retry_after_s=100.0))
    async with running(writer) as meeting:
        await meeting.say()
        await meeting.pass_time(90)
        assert len(writer.windows) == 1
        await meeting.pass_time(30)
        assert len(writer.windows) == 2


async def test_words_a_model_refuses_three_times_are_left_to_the_fallback() -> None:
    writer = Script(*[fails("refused", retryable=False)] * 3)
    async with running(writer, Script(author="extractive")) as meeting:
        await meeting.say("terrible words")
        await meeting.pass_time(200)
        assert writer.read == [["u1"]] * 3
        await meeting.say("kind words")
        await meeting.pass_time(100)
        assert writer.read[-1] == ["u2"]
        assert set(meeting.texts) == {"terrible words", "kind words"}


async def test_another_kind_of_trouble_is_news() -> None:
    writer = Script(fails("connect"), fails("connect"), fails("auth", retryable=False))
    async with running(writer) as meeting:
        await meeting.say()
        await meeting.pass_time(40)
        assert [c.error for c in meeting.bodies(ev.StageChanged)] == ["connect", "auth"]


# -- checks ---------------------------------------------------------------------------------


def lie(window: Window) -> Proposal:
    quote = Evidence(ref="u1", revision=1, quote="never said", start_ms=0, end_ms=0)
    item = NoteItem(
        id="x",
        kind="action",
        text="Pay 999 euros",
        owner="Zoe",
        due="2030-01-01",
        evidence=(quote,),
    )
    return Proposal(ops=(Add(item),), calls=(CALL,))


async def test_a_lie_is_shown_as_unverified() -> None:
    counted = UNVERIFIED.labels("owner")._value.get()
    async with running(Script(lie)) as meeting:
        await meeting.say()
        await meeting.pass_time(7)
        item = meeting.log.state().notes.items["n1"]
        assert item.status == "open"
        assert item.check.state == "unverified"
        assert len(item.check.reasons) == 5  # quote, speaker, owner, date, number
        assert UNVERIFIED.labels("owner")._value.get() == counted + 1


async def test_a_lie_is_held_back_by_setting_and_nothing_is_silent() -> None:
    async with running(Script(lie), unverified="hold") as meeting:
        await meeting.say()
        await meeting.pass_time(7)
        state = meeting.log.state()
        assert state.notes.live() == []
        held = state.notes.items["n1"]
        assert held.status == "rejected"
        assert held.check.reasons


async def test_what_was_held_back_is_shown_once_it_holds() -> None:
    def hears_412(window: Window) -> Proposal:
        line = window.new[0]
        item = NoteItem(
            id="x", kind="point", text="412 boxes were sold", evidence=(cite(line, "we sold"),)
        )
        return Proposal(ops=(Add(item),))

    async with running(
        Script(hears_412, otherwise=lambda _: Proposal()), unverified="hold"
    ) as meeting:
        await meeting.say("we sold four hundred and twenty boxes")
        await meeting.pass_time(7)
        assert meeting.log.state().notes.items["n1"].status == "rejected"
        await meeting.revise("u1", text="we sold four hundred and twelve boxes")
        await meeting.pass_time(1)
        item = meeting.log.state().notes.items["n1"]
        assert (item.status, item.check.state) == ("open", "verified")


async def test_a_correction_of_the_words_marks_what_no_longer_holds() -> None:
    writer = Script(point, otherwise=lambda _: Proposal())
    async with running(writer) as meeting:
        await meeting.say("we sold 412 boxes")
        await meeting.pass_time(7)
        await meeting.revise("u1", text="we sold 412 boxes!")
        await meeting.pass_time(0.5)
        item = meeting.log.state().notes.items["n1"]
        assert (item.check.state, item.evidence[0].revision) == ("verified", 2)
        await meeting.revise("u1", text="we sold 421 boxes")
        await meeting.pass_time(0.5)
        item = meeting.log.state().notes.items["n1"]
        assert item.check.state == "unverified"
        assert "the number 412 is not in the cited words" in item.check.reasons
        await meeting.revise("u1", text="we sold 412 boxes")
        await meeting.pass_time(0.5)
        assert meeting.log.state().notes.items["n1"].check.state == "verified"
        await meeting.revise("u1", deleted=True)
        await meeting.pass_time(0.5)
        item = meeting.log.state().notes.items["n1"]
        assert (item.status, item.check.state) == ("retracted", "unverified")


async def test_words_corrected_while_the_writer_wrote_are_cited_as_they_are_now() -> None:
    writer = Script(hold=True)
    async with running(writer) as meeting:
        await meeting.say("we sold 412 boxes")
        await meeting.pass_time(7)
        await meeting.revise("u1", text="well, we sold 412 boxes")
        await settle()
        assert writer.hold is not None
        writer.hold.set()
        await meeting.pass_time(1)
        item = meeting.log.state().notes.items["n1"]
        assert (item.check.state, item.evidence[0].revision) == ("verified", 2)


async def test_an_update_that_makes_an_item_false_takes_its_check_away() -> None:
    change: tuple[Op, ...] = (Update("n1", {"text": "we sold 500 boxes"}),)
    writer = Script(point, lambda _: Proposal(ops=change))
    async with running(writer) as meeting:
        await meeting.say("we sold 412 boxes")
        await meeting.pass_time(7)
        assert meeting.log.state().notes.items["n1"].check.state == "verified"
        await meeting.say()
        await meeting.pass_time(20)
        assert meeting.log.state().notes.items["n1"].check.state == "unverified"


async def test_new_items_may_be_merged_in_the_same_breath() -> None:
    def merging(window: Window) -> Proposal:
        ops = point(window).ops
        return Proposal(
            ops=(*ops, Merge("new1", "new0"), Add(NoteItem(id="n1", kind="risk", text="x")))
        )

    meeting = Meeting(Script(merging))
    await meeting.open()
    await meeting.say()
    await meeting.say()
    meeting.begin()
    await meeting.pass_time(10)
    await meeting.stop()
    items = meeting.log.state().notes.items
    assert items["n2"].merged_into == "n1"
    assert list(items) == ["n1", "n2", "n3"]


# -- the final pass -------------------------------------------------------------------------


async def test_the_end_breaks_off_the_live_call_and_reads_everything_once() -> None:
    writer = Script(hold=True)
    async with running(writer) as meeting:
        await meeting.say("b", start_ms=START + 5, end_ms=START + 9)
        await meeting.say("a", start_ms=START, end_ms=START + 3)
        await meeting.pass_time(60)
        assert len(writer.windows) == 1
        await meeting.stage.finish()
        assert meeting.task is not None
        await meeting.task
        assert [w.phase for w in writer.windows] == ["live", "final"]
        assert writer.read[-1] == ["u2", "u1"]  # by time
        assert meeting.texts == ["a", "b"]
        (patched,) = meeting.bodies(ev.NotesPatched)
        assert patched.patch.phase == "final"
        await meeting.stage.finish()
        await meeting.new_stage().finish()
        assert len(writer.windows) == 2


async def test_the_final_pass_needs_no_live_loop() -> None:
    meeting = Meeting(Script())
    await meeting.open()
    await meeting.say()
    await meeting.stage.finish()
    assert meeting.log.state().final
    assert meeting.texts


async def test_a_crash_before_the_commit_repeats_the_final_pass_after_it_does_not() -> None:
    meeting = Meeting(Script())
    await meeting.open()
    await meeting.say()
    meeting.log.refuse(StorageError("disk full", kind="full"))
    with pytest.raises(StorageError):
        await meeting.stage.finish()
    assert not meeting.log.state().final
    await meeting.new_stage().finish()
    await meeting.new_stage().finish()
    assert len(meeting.texts) == 1
    assert len(meeting.bodies(ev.NotesPatched)) == 1


async def test_a_later_stream_of_the_meeting_gets_a_final_pass_of_its_own() -> None:
    writer = Script()
    meeting = Meeting(writer)
    await meeting.open()
    await meeting.say()
    await meeting.stage.finish()
    await meeting.say("more, an hour later")
    writer.otherwise = lambda _: Proposal()
    await meeting.new_stage().finish()
    finals = [b.patch.id for b in meeting.bodies(ev.NotesPatched)]
    assert len(set(finals)) == 2


async def test_a_meeting_in_which_nothing_was_said_is_final_without_a_call() -> None:
    writer = Script()
    meeting = Meeting(writer)
    await meeting.open()
    await meeting.stage.finish()
    assert writer.windows == []
    assert meeting.log.state().final


async def test_the_final_pass_waits_a_while_for_the_model() -> None:
    writer = Script(fails())
    meeting = Meeting(writer, Script(author="extractive"))
    await meeting.open()
    await meeting.say()
    task = asyncio.create_task(meeting.stage.finish())
    await meeting.pass_time(6)
    await task
    assert len(writer.windows) == 2
    assert meeting.log.state().stages["summarize"].state == "ok"


async def test_a_model_that_stays_away_leaves_the_final_pass_to_the_fallback() -> None:
    writer = Script(otherwise=fails())
    fallback = Script(author="extractive")
    meeting = Meeting(writer, fallback, final_patience_s=20)
    await meeting.open()
    await meeting.say("said")
    task = asyncio.create_task(meeting.stage.finish())
    await meeting.pass_time(60)
    await task
    assert len(writer.windows) == 3  # at 0, 5 and 15 s
    assert fallback.windows[0].phase == "final"
    state = meeting.log.state()
    assert state.final
    assert state.stages["summarize"].state == "degraded"
    assert meeting.texts == ["said"]
    assert state.gaps == {}


async def test_without_any_writer_left_the_hole_is_stated() -> None:
    meeting = Meeting(Script(otherwise=fails("auth", retryable=False)))
    await meeting.open()
    await meeting.say()
    await meeting.stage.finish()
    state = meeting.log.state()
    (gap,) = state.gaps.values()
    assert (gap.media, gap.cause) == ("notes", "summary_skipped")
    assert (gap.from_ms, gap.to_ms) == (START - 1000, START)
    assert state.final


async def test_parts_that_could_not_be_read_are_gaps() -> None:
    skipped = Skipped(from_ms=START, to_ms=START + 60_000, detail="part 2 of 5: refused")
    meeting = Meeting(Script(lambda _: Proposal(skipped=(skipped,), calls=(CALL,))))
    await meeting.open()
    await meeting.say()
    await meeting.stage.finish()
    (gap,) = meeting.log.state().gaps.values()
    assert (gap.id, gap.detail) == ("g1", "part 2 of 5: refused")


# -- with the extractive writer ---------------------------------------------------------------


async def test_the_extractive_writer_through_the_stage_ends_where_a_single_pass_ends() -> None:
    talk = [
        "We sold four hundred and twelve boxes and can bake three hundred and forty.",
        "Okay, then it is decided. We close the order page tonight at six.",
        "I will put a waiting list on the website by Friday.",
        "Does our insurance cover the school kitchen?",
        "I will order two hundred tins by tomorrow.",
        "Wait, forget the tins. I counted three hundred of them in the cellar.",
    ]

    async def play(live: bool) -> list[tuple[str, str, str]]:
        meeting = Meeting(ExtractiveWriter())
        await meeting.open()
        if live:
            meeting.begin()
        for text in talk:
            meeting.clock.observe((meeting.clock.now_ms() or START) + 8_000)
            await meeting.say(text)
            if live:
                seen = meeting.log.state().last_seq
                await until(
                    meeting, lambda seen=seen: meeting.stage._reading.covered("extractive") >= seen
                )  # type: ignore[misc]
        await meeting.stage.finish()
        if meeting.task is not None:
            await meeting.task
        items = meeting.log.state().notes.live()
        assert all(i.author == "extractive" for i in items)
        return sorted((i.kind, i.text, i.status) for i in items)

    live, once = await play(True), await play(False)
    assert live == once
    assert {kind for kind, _, _ in once} >= {"decision", "action"}
