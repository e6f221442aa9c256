"""What the chain does beyond cutting: late packets, wrong rates, mixed audio, who listens along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audio.chain import AudioChain
from pipeline.audio.codecs import encoder
from pipeline.audio.gate import OpenGate, WebrtcGate
from pipeline.audio.packet import Samples
from pipeline.audio.settings import AudioSettings
from pipeline.audio.spool import SpokenSegment, load, recover
from pipeline.audio.vad import WINDOW, LoudnessVad, Vad, WebrtcVad
from pipeline.base import metrics
from pipeline.base.errors import EngineError
from pipeline.base.ids import SequentialIds

T0 = 1_790_000_000_000
# fixed here, so that tuning the defaults moves no expectation
SETTINGS = AudioSettings(
    pre_roll_ms=256, post_roll_ms=192, hangover_ms=500, speaker_lag_ms=1_500, gate_ms=1_024
)


def sound(*spans: tuple[float, int], rate: int = 16_000, seed: int = 11) -> np.ndarray:
    """(loudness, milliseconds) spans of noise that differ everywhere, as 16-bit values."""
    rng = np.random.default_rng(seed)
    parts = [
        np.clip(rng.standard_normal(ms * rate // 1000) * loud, -0.9, 0.9) for loud, ms in spans
    ]
    return (np.concatenate(parts) * 32_000).astype("<i2")


def chain(spool: Path, **kwargs: object) -> AudioChain:
    given = {"settings": SETTINGS, "vad": LoudnessVad, "gate": OpenGate, "ids": SequentialIds()}
    return AudioChain(spool=spool, **{**given, **kwargs})  # type: ignore[arg-type]


def packets(values: np.ndarray, ms: int = 20, rate: int = 16_000) -> list[tuple[int, bytes]]:
    step = ms * rate // 1000
    return [
        (T0 + n * ms, values[i : i + step].tobytes())
        for n, i in enumerate(range(0, len(values), step))
    ]


def push(
    built: AudioChain, sent: list[tuple[int, bytes]], who: str | None = "7"
) -> list[SpokenSegment]:
    name = None if who is None else f"name of {who}"
    return [s for at, data in sent for s in built.push(who, name, at, data)]


def pcm(spool: Path, segment: SpokenSegment) -> np.ndarray:
    return (load(spool, segment.file) * 32_768).astype("<i2")


def count(reason: str) -> float:
    return metrics.AUDIO_FAULTS.labels(reason)._value.get()


class Taped:
    """What a tap was given, put together: one array a participant, zero where nothing came."""

    def __init__(self, length: int, per_ms: int = 16) -> None:
        self._start = T0 * per_ms
        self._length = length
        self.heard: dict[str | None, np.ndarray] = {}
        self.times = np.zeros(length, np.int64)

    def __call__(self, participant: str | None, at: int, samples: Samples) -> None:
        values = self.heard.setdefault(participant, np.zeros(self._length, np.float32))
        start = at - self._start
        values[start : start + len(samples)] = samples
        self.times[start : start + len(samples)] += 1


# -- late packets -----------------------------------------------------------------------------


@pytest.mark.parametrize("late_by", [12, 30])  # packets of 20 ms: beyond reorder_ms
def test_a_packet_that_comes_too_late_is_put_in_its_place(tmp_path: Path, late_by: int) -> None:
    values = sound((0.1, 3_000))
    sent = packets(values)
    held = sent.pop(60)
    sent.insert(60 + late_by, held)
    before = count("late")
    built = chain(tmp_path)
    assert push(built, sent) == []
    (found,) = built.flush()
    assert np.array_equal(pcm(tmp_path, found), values)
    assert count("late") == before + 1


def test_a_late_packet_is_heard_at_another_rate_and_in_another_codec(tmp_path: Path) -> None:
    tone = 9_000 * np.sin(2 * np.pi * 300 * np.arange(48_000 * 3) / 48_000)
    to = encoder("OPUS", 48_000, 1)
    sent = [
        (T0 + 20 * n, to.encode(tone[i : i + 960].astype(np.int16).reshape(-1, 1)))
        for n, i in enumerate(range(0, len(tone), 960))
    ]
    held = sent.pop(60)
    sent.insert(75, held)
    built = chain(tmp_path, codec="OPUS", sample_rate=48_000)
    push(built, sent)
    (found,) = built.flush()
    audio = load(tmp_path, found.file)
    start = (1_200 - (found.start_ms - T0)) * 16
    whole, late = audio[start - 3_200 : start - 320], audio[start + 80 : start + 240]
    assert float(np.sqrt(np.mean(late**2))) > 0.7 * float(np.sqrt(np.mean(whole**2)))


def test_who_came_late_once_is_waited_for(tmp_path: Path) -> None:
    values = sound((0.1, 6_000))
    sent = packets(values)
    for index in range(60, 280, 40):  # each time 15 packets (300 ms) late
        sent.insert(index + 15, sent.pop(index))
    taped = Taped(len(values))
    built = chain(tmp_path, tap=taped)
    push(built, sent)
    (found,) = built.flush()
    assert np.array_equal(pcm(tmp_path, found), values)
    assert (taped.times == 1).all()


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_however_late_nothing_is_spoiled_or_heard_twice(
    tmp_path_factory: pytest.TempPathFactory, rng: object
) -> None:
    spool = tmp_path_factory.mktemp("spool")
    values = sound((0.1, 4_000))
    # each packet up to 350 ms late: above what is waited for, below what is bridged
    delays = [rng.uniform(0, 350) * (rng.random() < 0.1) for _ in range(200)]  # type: ignore[attr-defined]
    delays[:12] = [0.0] * 12  # no segment is open yet that a late one could be put into
    order = sorted(range(200), key=lambda n: n * 20 + delays[n])
    sent = packets(values)
    taped = Taped(len(values))
    built = chain(spool, tap=taped)
    found = push(built, [sent[n] for n in order]) + built.flush()
    assert (taped.times == 1).all()
    assert b"".join(pcm(spool, s).tobytes() for s in found) == values.tobytes()


def test_missing_packets_are_counted_in_speech_and_a_mute_is_not(tmp_path: Path) -> None:
    before = count("missing")
    built = chain(tmp_path)
    push(built, packets(sound((0.1, 1_000), (0.0005, 1_000), (0.1, 1_000)))[:75])
    sent = packets(sound((0.1, 1_000), (0.0005, 1_000), (0.1, 1_000)))
    push(built, sent[90:120])  # 300 ms are missing while nothing is said
    assert count("missing") == before
    push(built, sent[127:])  # and 140 ms in the midst of it
    built.flush()
    assert count("missing") == before + 1
    assert [n.kind for n in built.notices()] == ["missing"]


# -- the rate ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("told", "really"), [(16_000, 8_000), (16_000, 32_000), (48_000, 16_000)])
def test_audio_of_another_rate_than_announced_is_heard_as_it_is(
    tmp_path: Path, told: int, really: int
) -> None:
    at = np.arange(really * 3) / really
    loud = np.where((at > 0.5) & (at < 2.0), 9_000, 0)
    values = (loud * np.sin(2 * np.pi * 300 * at)).astype("<i2")
    before = count("wrong_rate")
    taped = Taped(3 * told, told // 1000)
    built = chain(tmp_path, sample_rate=told, tap=taped)
    found = push(built, packets(values, 20, really)) + built.flush()
    assert count("wrong_rate") == before + 1
    (notice,) = built.notices()
    assert (notice.kind, notice.participant) == ("wrong_rate", None)
    assert f"announced {told}, really {really} Hz" in notice.detail
    (segment,) = found
    assert abs(segment.start_ms - (T0 + 500 - 256)) <= 32
    assert abs(segment.end_ms - (T0 + 2_000 + 192)) <= 32
    assert len(list(tmp_path.glob("*.pcm"))) == 1
    audio = load(tmp_path, segment.file)
    crossings = np.count_nonzero(np.diff(np.signbit(audio[8_000:24_000])))
    assert abs(crossings - 600) <= 4  # 300 Hz, not 150 or 600
    kept = taped.heard["7"]
    wanted = soxr.resample(values / 32_768, really, told)
    assert float(np.max(np.abs(kept[: 2 * told] - wanted[: 2 * told]))) < 0.01
    assert set(np.unique(taped.times[: 2 * told])) == {1}


def test_resampled_in_chunks_equals_resampled_at_once(tmp_path: Path) -> None:
    values = sound((0.1, 3_000), rate=48_000)
    built = chain(tmp_path, sample_rate=48_000)
    push(built, packets(values, 20, 48_000))
    (found,) = built.flush()
    once = soxr.resample(values.astype(np.float32) / np.float32(32_768), 48_000, 16_000, "HQ")
    wanted = np.clip(np.rint(once * 32_768), -32_768, 32_767).astype("<i2")
    assert np.array_equal(pcm(tmp_path, found), wanted)


# -- what is odd ------------------------------------------------------------------------------


def test_clipped_and_dead_audio_is_counted_and_told_once(tmp_path: Path) -> None:
    before = count("clipped"), count("all_zero")
    built = chain(tmp_path)
    loud = np.clip(
        sound((0.3, 1_000), (0, 1_000), (0.3, 1_000)).astype(np.int32) * 4, -32768, 32767
    )
    push(built, packets(loud.astype("<i2")), "1")
    push(built, packets(np.zeros(16_000 * 25, "<i2")), "2")
    built.flush()
    assert (count("clipped"), count("all_zero")) == (before[0] + 2, before[1] + 1)
    told = [(n.kind, n.participant) for n in built.notices()]
    assert told == [("clipped", "1"), ("all_zero", "2")]
    assert built.notices() == []


def test_a_detector_that_does_not_load_is_replaced_and_told(tmp_path: Path) -> None:
    def broken() -> Vad:
        raise EngineError("libsilero.so: cannot open", kind="vad")

    rng = np.random.default_rng(3)
    at = np.arange(16_000 * 2) / 16_000
    voice = sum(np.sin(2 * np.pi * 140 * k * at) / k for k in range(1, 12))
    voice = voice * (1 + 0.5 * np.sin(2 * np.pi * 4 * at)) + rng.standard_normal(len(at)) * 0.05
    values = np.concatenate((np.zeros(16_000), voice * 2_500, np.zeros(16_000))).astype("<i2")
    built = chain(tmp_path, vad=broken, gate=WebrtcGate)
    found = push(built, packets(values)) + built.flush()
    assert [n.kind for n in built.notices()] == ["vad"]
    assert len(found) == 1
    assert abs(found[0].start_ms - (T0 + 1_000)) < 700


def test_the_simpler_detector_knows_silence() -> None:
    vad = WebrtcVad()
    assert vad.probability(np.zeros(WINDOW, np.float32)) == 0.0


# -- what a segment tells ---------------------------------------------------------------------


def test_a_segment_tells_how_much_speech_and_how_loud(tmp_path: Path) -> None:
    built = chain(tmp_path)
    found = push(built, packets(sound((0.0, 500), (0.1, 1_500), (0.0, 1_000)))) + built.flush()
    (segment,) = found
    assert segment.speech_ms is not None
    assert 1_500 <= segment.speech_ms <= 1_564  # in whole windows
    assert segment.level_db is not None
    assert abs(segment.level_db - (20 * np.log10(0.1 * 32_000 / 32_768) - 1.1)) < 0.5
    assert not segment.joined


def test_what_was_cut_in_one_breath_is_joined_even_after_a_kill(tmp_path: Path) -> None:
    built = chain(tmp_path)
    found = push(built, packets(sound((0.1, 20_000), (0.0005, 200))))
    (rest,) = recover(tmp_path, {s.file for s in found})  # the process is gone
    assert [s.joined for s in found] == [False]
    assert rest.joined
    assert rest.start_ms == found[0].end_ms
    assert (rest.attribution, rest.speech_ms) == ("stream", None)


# -- mixed audio ------------------------------------------------------------------------------


def test_mixed_audio_is_cut_where_the_speaker_changes_and_named(tmp_path: Path) -> None:
    # Anna to 5 s, then Ben without a pause that ends a segment; it is quietest at 5.0-5.2 s
    values = sound((0.0, 500), (0.1, 4_500), (0.004, 200), (0.1, 4_800), (0.0, 1_000))
    built = chain(tmp_path)
    built.speaker_changed(T0 - 100, "1", "Anna")
    found = [
        segment
        for at, data in packets(values)
        for segment in (
            *(built.speaker_changed(at, "2", "Ben") or () if at == T0 + 6_000 else ()),
            *built.push(None, None, at, data),
        )
    ]
    found += built.flush()
    told = [(s.participant, s.speaker, s.attribution) for s in found]
    assert told == [("1", "Anna", "active_speaker"), ("2", "Ben", "active_speaker")]
    assert abs(found[0].end_ms - (T0 + 5_100)) <= 100
    assert found[1].start_ms == found[0].end_ms
    assert not found[1].joined
    assert all(s.speaker_confidence is not None and s.speaker_confidence > 0.85 for s in found)


def test_a_word_thrown_in_has_no_name(tmp_path: Path) -> None:
    built = chain(tmp_path)
    built.speaker_changed(T0 - 5_000, "1", "Anna")
    values = sound((0.0, 500), (0.1, 400), (0.0, 1_000))
    push(built, packets(values), None)
    (segment,) = built.flush()
    assert (segment.participant, segment.speaker, segment.attribution) == (None, None, "unknown")
    assert segment.speaker_confidence is None


def test_a_segment_of_mixed_audio_waits_for_late_news_but_not_long(tmp_path: Path) -> None:
    built = chain(tmp_path)
    values = sound((0.0, 500), (0.1, 1_500), (0.0, 2_500))
    sent = packets(values)
    closed_at = T0 + 2_000 + 500  # speech ends at 2 s, the silence that ends a segment
    early = [at for at, _ in sent if at <= closed_at + 300]
    assert push(built, sent[: len(early)], None) == []
    assert built.speaking() == []
    built.speaker_changed(T0 + 700, "1", "Anna")  # told late
    (segment,) = push(built, sent[len(early) :], None)
    assert (segment.participant, segment.speaker) == ("1", "Anna")


def test_when_nothing_arrives_a_segment_of_mixed_audio_is_named_by_the_clock(
    tmp_path: Path,
) -> None:
    built = chain(tmp_path)
    built.speaker_changed(T0 - 100, "1", "Anna")
    values = sound((0.1, 2_000), (0.0, 600))
    assert push(built, packets(values), None) == []
    assert built.tick(T0 + 2_700) == []
    (segment,) = built.tick(T0 + 4_000)
    assert (segment.speaker, segment.attribution) == ("Anna", "active_speaker")


# -- who listens along ------------------------------------------------------------------------


def test_what_is_being_said_can_be_heard(tmp_path: Path) -> None:
    built = chain(tmp_path)
    values = sound((0.1, 2_000), (0.0005, 1_000))
    sent = packets(values)
    push(built, sent[:50])
    (now,) = built.speaking()
    assert (now.participant, now.speaker, now.attribution) == ("7", "name of 7", "stream")
    assert now.start_ms == T0
    audio = built.heard(now.file)
    assert len(audio) == now.samples > 14_000
    assert np.array_equal((audio * 32_768).astype("<i2"), values[: now.samples])
    assert np.array_equal(built.heard(now.file, 8_000), audio[8_000:])
    (closed,) = push(built, sent[50:])
    assert closed.file == now.file
    assert built.speaking() == []
    assert len(built.heard(now.file)) == 0


def test_a_tap_gets_everybodys_audio_once_without_the_holes(tmp_path: Path) -> None:
    values = sound((0.1, 1_500), (0.0005, 500), seed=1)
    other = sound((0.1, 2_000), seed=2)
    taped = Taped(len(values))
    built = chain(tmp_path, tap=taped)
    mine = packets(values)
    del mine[40:45]
    built.push("2", None, *packets(other)[0])
    for at, data in mine:
        built.push("1", None, at, data)
        built.push("1", None, at, data)
    push(built, packets(other)[1:], "2")
    built.flush()
    assert np.array_equal((taped.heard["2"] * 32_768).astype("<i2"), other)
    wanted = values.copy()
    wanted[40 * 320 : 45 * 320] = 0
    assert np.array_equal((taped.heard["1"] * 32_768).astype("<i2"), wanted)
    assert taped.times.max() == 2
    assert taped.times[40 * 320] == 1


def test_who_only_records_needs_no_detector(tmp_path: Path) -> None:
    def never() -> Vad:
        raise AssertionError("nothing is to be heard")

    values = sound((0.1, 2_000))
    taped = Taped(len(values))
    built = chain(tmp_path, vad=never, tap=taped, hears=False)
    assert push(built, packets(values)) == []
    assert built.tick(T0 + 9_000) == built.flush() == []
    assert np.array_equal((taped.heard["7"] * 32_768).astype("<i2"), values)
    assert list(tmp_path.iterdir()) == []
