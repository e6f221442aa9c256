"""Partials are the newest of each open segment, and gone when it is settled."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.model.live import LiveWords, Partial


def partial(file: str, text: str, start_ms: int = 0) -> Partial:
    return Partial(file=file, stream="s", start_ms=start_ms, tentative=text)


async def test_a_watcher_gets_what_is_there_then_each_change_but_never_an_old_one() -> None:
    live = LiveWords()
    live.put("m", partial("b", "later", 2))
    with live.watch("m") as watch:
        live.put("m", partial("a", "one", 1))
        assert [p.tentative for p in await anext(watch)] == ["one", "later"]
        for text in ("one two", "one two three"):
            live.put("m", partial("a", text, 1))
        assert [p.tentative for p in await anext(watch)] == ["one two three", "later"]
        live.drop("m", "a")
        live.drop("m", "unknown")
        assert [p.file for p in await anext(watch)] == ["b"]
        live.forget("m")
        assert await anext(watch) == ()
    assert live.current("m") == ()


async def test_nothing_new_wakes_nobody_and_a_cancelled_look_loses_nothing() -> None:
    live = LiveWords()
    with live.watch("m") as watch:
        live.put("m", partial("a", "one"))
        await anext(watch)
        live.put("m", partial("a", "one"))  # the same again
        live.put("other", partial("a", "x"))
        waiting = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        live.put("m", partial("a", "two"))
        assert [p.tentative for p in await anext(watch)] == ["two"]


async def test_it_is_known_whether_anybody_looks() -> None:
    live = LiveWords()
    assert not live.watched("m")
    with live.watch("m"), live.watch("m"):
        assert live.watched("m")
        assert not live.watched("other")
    assert not live.watched("m")
