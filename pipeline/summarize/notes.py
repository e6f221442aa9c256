"""The notes of one meeting: follows its log, asks a writer, verifies, commits.

Everything it knows comes from the log, so a killed process goes on where the last patch left off.
When the writer fails, the fallback carries on, the state says so, and the writer reads what it
missed as soon as it is back. Queue: none of its own; lines wait in the log.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Literal

import structlog

from pipeline.base import metrics
from pipeline.base.clock import Clock, MeetingClock
from pipeline.base.errors import ModelError
from pipeline.base.ids import Ids
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.notes import Add, Patch
from pipeline.summarize.outage import Outage
from pipeline.summarize.patching import Checked, Ground, checked, recheck
from pipeline.summarize.reading import Reading
from pipeline.summarize.settings import SummarizeSettings
from pipeline.summarize.skipping import gaps, skipped
from pipeline.summarize.trigger import Pace, due
from pipeline.summarize.verify import Finding
from pipeline.summarize.writer import Proposal, Window, Writer, WriterFailed, span_of

log = structlog.get_logger()

TICK_S = 0.2
"""Machine seconds between two looks at the clock while lines wait; none wait, none are taken."""


class NotesStage:
    """``run`` in a task; ``finish`` once everything said is in the log.

    ``clock`` is meeting time, ``machine`` what is slept on. ``fallback`` writes while ``writer``
    cannot; None when there is nothing simpler. A writer whose author is ``extractive`` computes
    and is run in a thread; others are awaited.
    """

    def __init__(
        self,
        *,
        log: MeetingLog,
        clock: MeetingClock,
        machine: Clock,
        writer: Writer,
        fallback: Writer | None,
        settings: SummarizeSettings,
        ids: Ids,
    ) -> None:
        self._log = log
        self._clock = clock
        self._machine = machine
        self._writer = writer
        self._fallback = fallback
        self._settings = settings
        self._ids = ids
        self._reading = Reading(log.meeting)
        self._paces = {
            "model": Pace.of_model(settings),
            "extractive": Pace.of_extraction(settings),
        }
        self._written: dict[str, int] = {}
        self._outage: Outage | None = None
        self._wake = asyncio.Event()
        self._finishing = False
        self._live: asyncio.Event | None = None
        self._asking: asyncio.Task[Proposal] | None = None
        self._one_thread = threading.Lock()

    # -- life -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the notes up to date until ``finish`` is called. Raises StorageError."""
        if self._finishing:
            return
        self._live = asyncio.Event()
        try:
            await self._read_on(arriving=False)
            following = asyncio.create_task(self._follow())
            try:
                await self._write_live(following)
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
        finally:
            self._live.set()

    async def finish(self) -> None:
        """Stop the live loop (a call under way is broken off), read everything committed and make
        the final pass, unless the log already holds one that read it all. Raises StorageError."""
        self._finishing = True
        self._wake.set()
        if self._asking is not None and self._writer.author == "model":
            self._asking.cancel()
        if self._live is not None:
            await self._live.wait()
        await self._read_on(arriving=False)
        if not self._reading.is_final:
            await self._final()

    async def _follow(self) -> None:
        async for event in self._log.follow(self._reading.last_seq):
            self._reading.take(event, self._clock.now_ms())
            self._wake.set()

    async def _read_on(self, *, arriving: bool = True) -> None:
        """Take in what is committed, without waiting for ``_follow`` to see it."""
        at_ms = self._clock.now_ms() if arriving else None
        for event in await self._log.events(self._reading.last_seq):
            self._reading.take(event, at_ms)

    # -- while the meeting runs -----------------------------------------------------------

    async def _write_live(self, following: asyncio.Task[None]) -> None:
        while not self._finishing:
            if following.done():
                following.result()  # a log that cannot be followed ends the stage, loudly
                return
            self._wake.clear()
            if not await self._step():
                await self._pause(following)

    async def _step(self) -> bool:
        """One piece of work, if one is due."""
        if self._reading.revised:
            await self._recheck()
            return True
        now_ms = self._now_ms()
        author = self._writer.author
        covered = self._reading.covered(author)
        waiting = self._reading.waiting(covered)
        if waiting is None:
            return False
        if self._outage is None:
            if due(self._pace(author), waiting, now_ms=now_ms, written_ms=self._written_ms(author)):
                return await self._round(self._writer, covered)
            return False
        if self._machine.monotonic() >= self._outage.next_try:
            return await self._round(self._writer, covered)
        if self._fallback is None:
            return False
        author = self._fallback.author
        covered = self._reading.covered(self._writer.author, author)
        waiting = self._reading.waiting(covered)
        if waiting and due(
            self._pace(author), waiting, now_ms=now_ms, written_ms=self._written_ms(author)
        ):
            return await self._round(self._fallback, covered)
        return False

    async def _round(self, writer: Writer, covered: int) -> bool:
        """Ask a writer about the lines after ``covered`` and commit what comes of it."""
        limit = self._settings.window_words if writer.author == "model" else None
        new, reads_to = self._reading.new(covered, limit)
        window = Window(
            state=self._reading.snapshot(), new=new, phase="live", now_ms=self._now_ms()
        )
        try:
            proposal = await self._propose(writer, window)
        except ModelError as error:
            await self._failed(writer, error, reads_to)
            return True
        if proposal is None:
            return False
        self._written[writer.author] = self._now_ms()
        done = self._check(writer, proposal, f"live-{writer.author}-{reads_to}", "live")
        bodies: list[ev.Body] = [*proposal.calls]
        # A model's reading is paid for and must survive a restart; extraction is done again.
        if done.patch.ops or proposal.calls or writer.author == "model":
            bodies.append(ev.NotesPatched(patch=done.patch, covered_seq=reads_to))
        bodies += self._recovered(writer)
        await self._commit(bodies, done)
        self._reading.cover(writer.author, reads_to)
        return True

    async def _ask(self, writer: Writer, window: Window) -> Proposal:
        """Extraction computes for tenths of a second: the event loop must not wait for it, nor two
        threads work on it when a call was broken off."""
        if writer.author != "extractive":
            return await writer.propose(window)

        def compute() -> Proposal:
            with self._one_thread:
                return asyncio.run(_proposal(writer, window))

        return await asyncio.to_thread(compute)

    async def _propose(self, writer: Writer, window: Window) -> Proposal | None:
        """The writer's answer; None when ``finish`` broke it off."""
        self._asking = asyncio.create_task(self._ask(writer, window))
        try:
            return await self._asking
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._finishing and task is not None and not task.cancelling():
                return None
            raise
        finally:
            self._asking = None

    async def _recheck(self) -> None:
        """Words were corrected or deleted: items that cite them may no longer hold."""
        refs, self._reading.revised = self._reading.revised, set()
        ops, found = recheck(refs, self._reading.state.notes, self._ground())
        if not ops:
            return
        author = self._writer.author
        patch = Patch(
            id=f"check-{self._reading.last_seq}",
            at_ms=self._now_ms(),
            author=author,
            ops=ops,
            phase="live",
        )
        body = ev.NotesPatched(patch=patch, covered_seq=self._reading.covered(author))
        await self._commit([body], Checked(patch=patch, findings=found))

    async def _pause(self, following: asyncio.Task[None]) -> None:
        """Until something is committed, or while lines wait, until it may be time for them."""
        waits: set[asyncio.Task[object]] = {asyncio.create_task(self._wake.wait())}
        if self._reading.waiting(self._reading.covered(self._writer.author)) is not None:
            waits.add(asyncio.create_task(self._machine.sleep(TICK_S)))
        try:
            await asyncio.wait({*waits, following}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    # -- failures -------------------------------------------------------------------------

    async def _failed(self, writer: Writer, error: ModelError, reads_to: int) -> None:
        """The writer cannot write: say so when that is news, and leave it alone for a while."""
        if self._outage is None:
            self._outage = Outage(self._settings)
        delay = self._outage.failed(error, self._machine.monotonic())
        log.warning(
            "summarize.failed",
            meeting=self._log.meeting,
            kind=error.kind,
            count=self._outage.count,
            again_in_s=round(delay, 1),
        )
        if self._outage.is_about_the_words and writer is self._writer:
            self._outage.went_past()
            self._reading.cover(writer.author, reads_to)
        await self._commit(self._degraded(error), None)

    def _degraded(self, error: ModelError) -> list[ev.Body]:
        bodies: list[ev.Body] = list(error.calls) if isinstance(error, WriterFailed) else []
        known = self._reading.state.stages.get("summarize")
        if known is None or known.state != "degraded" or known.error != error.kind:
            instead = "notes are extracted meanwhile" if self._fallback else "notes stand still"
            bodies.append(
                ev.StageChanged(
                    stage="summarize",
                    state="degraded",
                    at_ms=self._now_ms(),
                    error=error.kind,
                    detail=f"{error}; {instead}",
                    retryable=error.retryable,
                    count=self._outage.count if self._outage else 1,
                )
            )
        return bodies

    def _recovered(self, writer: Writer) -> list[ev.Body]:
        if writer is not self._writer:
            return []
        count, self._outage = self._outage.count if self._outage else 0, None
        known = self._reading.state.stages.get("summarize")
        if known is None or known.state == "ok":
            return []
        return [
            ev.StageChanged(
                stage="summarize",
                state="ok",
                at_ms=self._now_ms(),
                detail="the model is back and has read what it missed" if count else "",
                count=count,
            )
        ]

    # -- at the end -----------------------------------------------------------------------

    async def _final(self) -> None:
        """One pass over everything; its patch, its calls and its gaps are one commit."""
        if self._reading.revised:
            await self._recheck()
        said = self._reading.all_said()
        reads_to = self._reading.last_seq
        window = Window(
            state=self._reading.snapshot(), new=said, phase="final", now_ms=self._now_ms()
        )
        writer, proposal = self._writer, Proposal()
        if said:
            writer, proposal = await self._final_proposal(window)
        patch_id = f"final-{writer.author}-{self._reading.spoken_seq}"
        done = self._check(writer, proposal, patch_id, "final")
        bodies: list[ev.Body] = [*proposal.calls]
        bodies += gaps(proposal.skipped, self._reading.state)
        bodies.append(ev.NotesPatched(patch=done.patch, covered_seq=reads_to))
        if said:
            bodies += self._recovered(writer)
        await self._commit(bodies, done)

    async def _final_proposal(self, window: Window) -> tuple[Writer, Proposal]:
        """The writer's pass; the fallback's when the writer does not come back in time."""
        outage = Outage(self._settings)
        until = self._machine.monotonic() + self._settings.final_patience_s
        while True:
            try:
                return self._writer, await self._ask(self._writer, window)
            except ModelError as error:
                delay = outage.failed(error, self._machine.monotonic())
                self._outage = outage
                await self._commit(self._degraded(error), None)
                log.warning("summarize.final_failed", meeting=self._log.meeting, kind=error.kind)
                if not error.retryable or self._machine.monotonic() + delay > until:
                    break
            await self._machine.sleep(delay)
        if self._fallback is not None:
            return self._fallback, await self._ask(self._fallback, window)
        unread, _ = self._reading.new(self._reading.covered(self._writer.author))
        if not unread:
            return self._writer, Proposal()
        return self._writer, Proposal(skipped=(skipped(unread, "the model could not be reached"),))

    # -- committing -----------------------------------------------------------------------

    def _ground(self) -> Ground:
        return Ground(
            words=self._reading.words,
            roster=self._reading.roster,
            zone=self._reading.zone,
            unverified=self._settings.unverified,
        )

    def _check(
        self,
        writer: Writer,
        proposal: Proposal,
        patch_id: str,
        phase: Literal["live", "final"],
    ) -> Checked:
        return checked(
            proposal.ops,
            self._reading.state.notes,
            self._ground(),
            patch_id=patch_id,
            at_ms=self._now_ms(),
            author=writer.author,
            phase=phase,
            call=proposal.calls[-1].call if proposal.calls else None,
        )

    async def _commit(self, bodies: list[ev.Body], done: Checked | None) -> None:
        """Append in one commit, read it back, and count what came of it."""
        if not bodies:
            return
        await self._log.append(*bodies)
        await self._read_on()
        if done is None:
            return
        now_ms = self._now_ms()
        for op in done.patch.ops:
            if isinstance(op, Add) and op.item.evidence and done.patch.phase == "live":
                said_ms = max(e.end_ms for e in op.item.evidence)
                metrics.ITEM_LATENCY.observe(max(0, now_ms - said_ms) / 1000)
        _count(done.findings.values())

    def _now_ms(self) -> int:
        """Meeting time; before anything arrived, that of the newest event known."""
        now = self._clock.now_ms()
        if now is not None:
            return now
        said = self._reading.all_said()
        opened = self._reading.state.opened
        start = opened.started_ms if opened else 0
        return max([start, *(span_of(line)[1] for line in said)])

    def _pace(self, author: str) -> Pace:
        return self._paces.get(author, self._paces["model"])

    def _written_ms(self, author: str) -> int | None:
        return self._written.get(author)


async def _proposal(writer: Writer, window: Window) -> Proposal:
    return await writer.propose(window)


def _count(findings: Iterable[list[Finding]]) -> None:
    for found in findings:
        for kind in {f.kind for f in found}:
            metrics.UNVERIFIED.labels(kind).inc()
