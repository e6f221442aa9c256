from __future__ import annotations

import asyncio

import pytest

from pipeline.base.clock import ManualClock
from pipeline.base.errors import StorageError
from pipeline.meeting.patient_log import PatientLog
from pipeline.model import events as ev
from pipeline.store.memory import MemoryLog

FULL = StorageError("no space", kind="disk_full", retryable=True)


def body(n: int) -> ev.Body:
    return ev.ParticipantLeft(participant=str(n), at_ms=n)


async def test_a_full_disk_is_waited_out_and_order_is_kept() -> None:
    clock, told = ManualClock(), []
    inner = MemoryLog()
    inner.refuse(FULL, times=2)
    log = PatientLog(inner, clock, told.append)
    tasks = [asyncio.create_task(log.append(body(n))) for n in range(3)]
    await clock.advance(0.4)
    assert await inner.events() == []
    await clock.advance(5)
    await asyncio.gather(*tasks)
    assert [e.body for e in await inner.events()] == [body(0), body(1), body(2)]
    assert told == [FULL, FULL, None]


async def test_what_waiting_cannot_mend_is_raised_at_once() -> None:
    inner = MemoryLog()
    inner.refuse(StorageError("damaged", kind="corrupt", retryable=False))
    log = PatientLog(inner, ManualClock(), lambda _: None)
    with pytest.raises(StorageError, match="damaged"):
        await log.append(body(1))
