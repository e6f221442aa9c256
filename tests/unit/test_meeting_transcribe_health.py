from __future__ import annotations

from pipeline.base.errors import EngineError
from pipeline.meeting.transcribe_health import TranscribeHealth
from pipeline.model import events as ev
from pipeline.model.view import StageHealth
from pipeline.transcribe.load import Load
from pipeline.transcribe.settings import TranscribeSettings

DOWN = EngineError("nobody answers", kind="connect", retryable=True)


def health(before: StageHealth | None = None) -> TranscribeHealth:
    return TranscribeHealth(before, TranscribeSettings(), lambda: 5)


def late(seconds: float, segments: int = 12) -> Load:
    return Load(lag_s=seconds, audio_s=55.0, segments=segments)


def told(bodies: list[ev.Body]) -> list[tuple[str, str, int]]:
    return [(b.state, b.error, b.count) for b in bodies if isinstance(b, ev.StageChanged)]


def test_only_news_is_told() -> None:
    known = health()
    assert known.engine(None) == []
    assert told(known.engine(DOWN)) == [("degraded", "connect", 1)]
    assert known.engine(DOWN) == []
    assert told(known.engine(None)) == [("ok", "", 2)]
    assert known.engine(None) == []


def test_lateness_is_told_when_it_begins_when_it_doubles_and_when_it_is_over() -> None:
    known = health()
    assert known.load(late(30.0)) == []
    [first] = known.load(late(31.0))
    assert isinstance(first, ev.StageChanged)
    assert first.detail == (
        "words come 31 s after they are said; 12 segments wait on disk (55 s of audio);"
        " none is lost"
    )
    assert known.load(late(61.0)) == []
    [again] = known.load(late(62.0, segments=1))
    assert isinstance(again, ev.StageChanged)
    assert "1 segment waits" in again.detail
    assert known.load(late(10.0)) == []  # not caught up yet
    assert known.engine(None) == []  # words come, late
    assert told(known.load(late(2.0))) == [("ok", "", 0)]


def test_a_failing_engine_is_told_before_lateness() -> None:
    known = health()
    assert told(known.engine(DOWN)) == [("degraded", "connect", 1)]
    assert known.load(late(40.0)) == []
    assert told(known.engine(None)) == [("degraded", "behind", 1)]
    assert told(known.engine(DOWN)) == [("degraded", "connect", 2)]
    assert known.load(Load()) == []
    assert told(known.engine(None)) == [("ok", "", 2)]


def test_what_an_earlier_process_told_is_taken_back() -> None:
    before = StageHealth(stage="transcribe", state="degraded", at_ms=1, error="behind", count=3)
    assert told(health(before).engine(None)) == [("ok", "", 3)]
    assert told(health(before).load(late(40.0))) == [("degraded", "behind", 3)]


def test_lateness_that_an_earlier_process_told_is_over_when_nothing_waits() -> None:
    before = StageHealth(
        stage="transcribe", state="degraded", at_ms=1, error="behind", detail="", count=3
    )
    known = health(before)
    assert told(known.load(Load())) == [("ok", "", 3)]
    assert known.load(Load()) == []
