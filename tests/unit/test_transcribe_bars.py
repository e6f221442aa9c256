"""What the bars of `transcribe` make of events."""

from __future__ import annotations

from typing import Literal

import pytest

from pipeline.cli.transcribe_bars import Bars
from pipeline.model import events as ev
from pipeline.model.speech import Segment, Utterance

ZERO = 1_790_000_000_000


def spooled(number: int, start_ms: int) -> ev.SegmentSpooled:
    return ev.SegmentSpooled(
        segment=Segment(
            id=f"s{number}",
            stream="files-1",
            start_ms=ZERO + start_ms,
            end_ms=ZERO + start_ms + 1_000,
            file="a.pcm",
            samples=16_000,
        )
    )


def test_words_are_settled_up_to_the_first_segment_that_waits() -> None:
    bars = Bars(ZERO, 60_000)
    bars.take(spooled(1, 2_000))
    bars.take(spooled(2, 8_000))
    bars.read(ZERO + 30_000)
    audio, settled = bars.bars.tasks
    assert (audio.completed, audio.total) == (30.0, 60.0)
    assert settled.completed == 2.0
    assert settled.fields["told"] == "0 words, 2 segments wait"
    bars.take(ev.SegmentClosed(segment="s1", outcome="text"))
    assert settled.completed == 8.0
    said = Utterance(
        id="u1", stream="files-1", source="local", start_ms=ZERO, end_ms=ZERO, text="one two three"
    )
    bars.take(ev.UtteranceSaid(utterance=said))
    bars.take(ev.SegmentClosed(segment="s2", outcome="empty"))
    assert (settled.completed, settled.fields["told"]) == (30.0, "3 words")
    bars.read(None)
    assert audio.completed == 30.0


def test_only_what_an_installation_mends_ends_the_run() -> None:
    bars = Bars(ZERO, None)

    def degraded(error: str) -> ev.StageChanged:
        return ev.StageChanged(stage="transcribe", state="degraded", at_ms=ZERO, error=error)

    assert bars.take(degraded("load"))
    assert not bars.take(degraded("timeout"))
    assert not bars.take(ev.StageChanged(stage="store", state="degraded", at_ms=ZERO, error="load"))


def test_that_words_do_not_come_is_told_also_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bars = Bars(ZERO, None)

    def stage(state: Literal["ok", "degraded"], error: str = "", detail: str = "") -> ev.Body:
        return ev.StageChanged(
            stage="transcribe", state=state, at_ms=ZERO, error=error, detail=detail
        )

    bars.tell(stage("degraded", "connect", "no connection to \x1b[31mhttp://x"))
    bars.tell(spooled(1, 0))
    bars.tell(stage("ok"))
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(";")[0] for line in told] == [
        "no connection to [31mhttp://x",
        "words come again",
    ]
