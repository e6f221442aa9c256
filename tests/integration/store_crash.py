"""Killing a process that writes a store, and what must be there afterwards.

Run as a program it is the victim: ``store_crash.py HOME ROUND [LIMIT]`` appends for ever and
prints ``meeting seq`` for each event it was told is committed. With LIMIT it may not let a file
grow beyond so many bytes: the disk is full for it, and it says so.
"""

from __future__ import annotations

import asyncio
import random
import resource
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from pipeline.base.clock import SystemClock
from pipeline.base.errors import StorageError
from pipeline.base.ids import RandomIds
from pipeline.model import events as ev
from pipeline.model.notes import Add, NoteItem, Patch, Update
from pipeline.model.speech import Utterance
from pipeline.store.reader import Reader
from pipeline.store.store import Store, StoredLog
from pipeline.store.verify import verify


def run_rounds(home: Path, rounds: int, rng: random.Random) -> int:
    """Kill the victim ``rounds`` times; how many acknowledged events were checked."""
    acknowledged: set[tuple[str, int]] = set()
    for number in range(rounds):
        with subprocess.Popen(
            [sys.executable, __file__, str(home), str(number)], stdout=subprocess.PIPE, text=True
        ) as victim:
            assert victim.stdout is not None
            for _ in range(rng.randint(1, 150)):
                acknowledged.add(_told(victim.stdout.readline()))
            victim.send_signal(signal.SIGKILL)
            for line in victim.stdout:  # told before it died
                if line.endswith("\n"):
                    acknowledged.add(_told(line))
        assert victim.returncode == -signal.SIGKILL
        assert verify(home) == []
        with closing(Reader.open(home)) as reader:
            there = {
                (view.id, event.seq)
                for view in reader.meetings()
                for event in reader.events(view.id)
            }
        assert acknowledged <= there, f"lost: {sorted(acknowledged - there)[:5]}"
    return len(acknowledged)


def _told(line: str) -> tuple[str, int]:
    meeting, seq = line.split()
    return meeting, int(seq)


def _bodies(number: int, size: int = 20) -> list[ev.Body]:
    said = Utterance(
        id=f"u{number}",
        stream="s",
        source="native",
        start_ms=number,
        end_ms=number + 1,
        text=f"words {number} " + "x" * size,
    )
    item = NoteItem(id=f"n{number}", kind="point", text=f"point {number}")
    ops = (Add(item), Update(f"n{number - 1}", {"text": f"changed {number}"}))
    patch = Patch(id=f"p{number}", at_ms=number, author="model", ops=ops)
    return [ev.UtteranceSaid(utterance=said), ev.NotesPatched(patch=patch, covered_seq=number)]


async def _victim(home: Path, number: int) -> None:
    store = Store.open(home, clock=SystemClock(), ids=RandomIds())
    opened = ev.MeetingOpened(product="meeting", zoom_id=f"z{number}", started_ms=number)
    known = [store.log(meeting) for meeting in store.unfinished()[:2]]

    async def write(log: StoredLog) -> None:
        start = store.reader.view(log.meeting).last_seq
        for step in range(start, 1_000_000):
            for event in await log.append(*_bodies(step)):
                print(event.meeting, event.seq, flush=True)

    await asyncio.gather(*(write(log) for log in [*known, await store.create(opened)]))


async def _starved(home: Path, limit: int) -> None:
    """Fill the disk, be refused, get room, go on; print ``refused KIND RETRYABLE`` between."""
    store = Store.open(home, clock=SystemClock(), ids=RandomIds())
    opened = ev.MeetingOpened(product="meeting", zoom_id="z", started_ms=1)
    log = await store.create(opened)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    step = 0
    try:
        while True:
            step += 1
            for event in await log.append(*_bodies(step, 5_000)):
                print(event.meeting, event.seq, flush=True)
    except StorageError as error:
        print("refused", error.kind, error.retryable, store.trouble is error, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    for event in await log.append(*_bodies(step, 5_000)):
        print(event.meeting, event.seq, flush=True)
    print("trouble", store.trouble, flush=True)
    await store.close()


if __name__ == "__main__":
    if len(sys.argv) > 3:
        asyncio.run(_starved(Path(sys.argv[1]), int(sys.argv[3])))
    else:
        asyncio.run(_victim(Path(sys.argv[1]), int(sys.argv[2])))
