from __future__ import annotations

import errno
import os
import shutil
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audio.chain import AudioChain
from pipeline.audio.codecs import CODECS, encoder
from pipeline.audio.gate import OpenGate
from pipeline.audio.packet import UnusableAudio
from pipeline.audio.settings import AudioSettings
from pipeline.audio.spool import SpokenSegment, load, recover
from pipeline.audio.vad import LoudnessVad
from pipeline.base import metrics
from pipeline.base.ids import SequentialIds

T0 = 1_790_000_000_000
# fixed here, so that tuning the defaults moves no expectation
SETTINGS = AudioSettings(pre_roll_ms=256, post_roll_ms=192, hangover_ms=500)


def sound(*spans: tuple[float, int]) -> np.ndarray:
    """(loudness, milliseconds) spans of noise that differ everywhere, as 16-bit values."""
    rng = np.random.default_rng(11)
    parts = [np.clip(rng.standard_normal(ms * 16) * loud, -0.9, 0.9) for loud, ms in spans]
    return (np.concatenate(parts) * 32_000).astype("<i2")


def chain(spool: Path, **kwargs: object) -> AudioChain:
    defaults = {"settings": SETTINGS, "vad": LoudnessVad, "gate": OpenGate, "ids": SequentialIds()}
    return AudioChain(spool=spool, **{**defaults, **kwargs})  # type: ignore[arg-type]


def packets(
    values: np.ndarray, length_ms: int = 100, start_ms: int = T0
) -> list[tuple[int, bytes]]:
    step = length_ms * 16
    return [
        (start_ms + i // 16, values[i : i + step].tobytes()) for i in range(0, len(values), step)
    ]


def heard(spool: Path, found: list[SpokenSegment]) -> list[tuple[int, int, bytes]]:
    result = []
    for segment in found:
        values = (load(spool, segment.file) * 32_768).astype("<i2")
        assert len(values) == segment.samples
        result.append((segment.start_ms - T0, segment.end_ms - T0, values.tobytes()))
    return result


def run(spool: Path, sent: list[tuple[int, bytes]], **kwargs: object) -> list[SpokenSegment]:
    built = chain(spool, **kwargs)
    found = [s for at, data in sent for s in built.push("7", "Anna", at, data)]
    found += built.flush()
    assert built.trouble is None
    return found


def count(reason: str) -> float:
    return metrics.AUDIO_FAULTS.labels(reason)._value.get()


TALK = sound((0.0005, 1000), (0.1, 1400), (0.0005, 900), (0.1, 700), (0.0005, 300), (0.1, 600))


def test_times_are_exact_to_the_sample(tmp_path: Path) -> None:
    found = run(tmp_path, packets(TALK))
    spans = [(start, end) for start, end, _ in heard(tmp_path, found)]
    # speech 1000..2400: windows 31..74 (992..2400), with 8 windows before and 6 behind
    assert spans == [(736, 2592), (3040, 4900)]
    for start, end, data in heard(tmp_path, found):
        assert data == TALK[start * 16 : end * 16].tobytes()
    assert {(s.participant, s.speaker) for s in found} == {("7", "Anna")}


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_cut_and_any_repetition_gives_the_same_segments(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    expected = heard(folder, run(folder, packets(TALK)))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(TALK) // 160 - 1), max_size=60)))
    edges = [0, *(cut * 160 for cut in cuts), len(TALK)]
    sent = []
    for start, end in pairwise(edges):
        sent.append((T0 + start // 16, TALK[start:end].tobytes()))
        if data.draw(st.booleans()):
            sent.append(data.draw(st.sampled_from(sent)))
    again = folder / "again"
    again.mkdir()
    assert heard(again, run(again, sent)) == expected
    shutil.rmtree(folder)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([20, 60, 100, 500, 1000]), st.randoms(use_true_random=False))
def test_neighbours_in_any_order_give_the_same_segments(
    tmp_path_factory: pytest.TempPathFactory, length: int, rng: object
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    expected = heard(folder, run(folder, packets(TALK)))
    sent = packets(TALK, length)
    for index in range(0, len(sent) - 1, 2):
        if rng.random() < 0.5:  # type: ignore[attr-defined]
            sent[index], sent[index + 1] = sent[index + 1], sent[index]
    again = folder / "again"
    again.mkdir()
    assert heard(again, run(again, sent)) == expected
    shutil.rmtree(folder)


@pytest.mark.parametrize("rate", [8_000, 32_000, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_other_rates_and_stereo_keep_the_times(tmp_path: Path, rate: int, channels: int) -> None:
    per_ms = rate // 1000
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(per_ms * 1000) / rate)
    mono = np.concatenate([np.zeros(per_ms * 1000), tone, np.zeros(per_ms * 1000)])
    values = np.repeat((mono * 32_000).astype("<i2"), channels)
    built = chain(tmp_path, sample_rate=rate, channels=channels)
    found = []
    for index in range(30):
        part = values[index * per_ms * 100 * channels : (index + 1) * per_ms * 100 * channels]
        found += built.push("7", "Anna", T0 + index * 100, part.tobytes())
    found += built.flush()
    (start, end, data) = heard(tmp_path, found)[0]
    assert len(found) == 1
    assert (start, end) == (992 - 256, 2016 + 192)
    onset = np.flatnonzero(np.abs(np.frombuffer(data, "<i2")) > 500)[0] / 16 + start
    assert abs(onset - 1000) < 2


def test_a_short_loss_is_silence_and_a_long_one_ends_the_segment(tmp_path: Path) -> None:
    values = sound((0.1, 3000))
    sent = packets(values)
    found = run(tmp_path, sent[:10] + sent[12:])  # 200 ms lost
    assert [(s.start_ms - T0, s.end_ms - T0) for s in found] == [(0, 3000)]
    audio = load(tmp_path, found[0].file)
    assert not audio[16_000:19_200].any()
    found = run(tmp_path, sent[:10] + sent[16:])  # 600 ms lost
    assert [(s.start_ms - T0, s.end_ms - T0) for s in found] == [(0, 1000), (1600, 3000)]


def test_silence_makes_no_segment_and_no_file(tmp_path: Path) -> None:
    assert run(tmp_path, packets(sound((0.0005, 20_000)))) == []
    assert list(tmp_path.iterdir()) == []


def test_endless_speech_is_cut_and_no_sample_is_lost(tmp_path: Path) -> None:
    values = sound((0.1, 40_000))
    found = heard(tmp_path, run(tmp_path, packets(values)))
    assert len(found) >= 4
    assert all(end - start <= 12_000 for start, end, _ in found)
    assert b"".join(data for _, _, data in found) == values.tobytes()


def test_people_are_kept_apart(tmp_path: Path) -> None:
    built = chain(tmp_path)
    mine, yours = sound((0.1, 1000), (0.0005, 800)), sound((0.2, 1000), (0.0005, 800))
    found = []
    for (at, a), (_, b) in zip(packets(mine), packets(yours), strict=True):
        found += built.push("1", "Anna", at, a) + built.push("2", "Anna", at, b)
    found += built.flush()
    assert sorted((s.participant, s.start_ms - T0) for s in found) == [("1", 0), ("2", 0)]


def test_a_muted_person_is_ended_by_what_others_send(tmp_path: Path) -> None:
    built = chain(tmp_path)
    for at, data in packets(sound((0.1, 1000))):
        assert built.push("1", "Anna", at, data) == []
    silence = packets(sound((0.0005, 3000)), start_ms=T0 + 1000)
    ended = [at for at, data in silence if built.push("2", "Mark", at, data)]
    assert ended == [T0 + 1900]


def test_a_muted_person_is_ended_by_the_clock(tmp_path: Path) -> None:
    built = chain(tmp_path)
    for at, data in packets(sound((0.1, 1000))):
        built.push("1", "Anna", at, data)
    found = [(now, built.tick(T0 + now)) for now in range(1000, 6000, 500)]
    # in the midst of a word: it may be a stall of the network
    assert [now for now, spoken in found if spoken] == [5000]


def test_who_made_a_pause_first_is_ended_sooner_by_the_clock(tmp_path: Path) -> None:
    built = chain(tmp_path)
    for at, data in packets(sound((0.1, 1000), (0.0005, 200))):
        built.push("1", "Anna", at, data)
    found = [(now, built.tick(T0 + now)) for now in range(1000, 6000, 500)]
    assert [now for now, spoken in found if spoken] == [2000]


def test_a_stall_in_the_midst_of_a_word_cuts_nothing(tmp_path: Path) -> None:
    built = chain(tmp_path)
    values = sound((0.1, 3000))
    sent = packets(values)
    found = [s for at, data in sent[:15] for s in built.push("1", "Anna", at, data)]
    found += [s for now in range(1500, 5000, 200) for s in built.tick(T0 + now)]
    assert [o.samples for o in built.speaking()] == [23_552]
    found += [s for at, data in sent[15:] for s in built.push("1", "Anna", at, data)]
    assert found == []
    assert heard(tmp_path, built.flush()) == [(0, 3000, values.tobytes())]


def test_a_burst_that_is_late_in_the_queue_is_not_taken_for_silence(tmp_path: Path) -> None:
    built = chain(tmp_path)
    found = []
    for at, data in packets(sound((0.1, 5000))):
        found += built.push("1", "Anna", at, data) + built.tick(T0 + 60_000)
    assert found == []
    assert [(s.start_ms - T0, s.end_ms - T0) for s in built.flush()] == [(0, 5000)]


def test_buffered_audio_older_than_what_came_since_is_heard(tmp_path: Path) -> None:
    values = sound((0.1, 4000))
    sent = packets(values)
    live, buffered = sent[:10] + sent[25:], sent[10:25]
    order = live[:15]
    for index, packet in enumerate(buffered):  # interleaved with what goes on live
        order += [packet, *live[15 + index : 16 + index]]
    found = heard(tmp_path, run(tmp_path, order + live[30:]))
    assert [(start, end) for start, end, _ in sorted(found)] == [
        (0, 1000),
        (1000, 2500),
        (2500, 4000),
    ]
    assert b"".join(data for _, _, data in sorted(found)) == values.tobytes()


def test_an_outage_whose_audio_is_replayed_cuts_nothing(tmp_path: Path) -> None:
    built = chain(tmp_path)
    values = sound((0.1, 2000))
    sent = packets(values)
    found = [s for at, data in sent[:10] for s in built.push("1", "Anna", at, data)]
    found += built.break_off()
    assert found == []
    assert sum(path.stat().st_size for path in tmp_path.glob("*.pcm")) == 31_744  # durable: 31 win
    found += [s for now in range(1000, 9000, 200) for s in built.tick(T0 + now)]
    before = count("repeated")
    found += [s for at, data in sent[8:] for s in built.push("1", "Anna", at, data)]
    assert found == []
    assert heard(tmp_path, built.flush()) == [(0, 2000, values.tobytes())]
    assert count("repeated") == before + 2


def test_an_outage_ends_what_is_open_when_nothing_is_replayed(tmp_path: Path) -> None:
    built = chain(tmp_path)
    sent = packets(sound((0.1, 3000)))
    found = [s for at, data in sent[:10] for s in built.push("1", "Anna", at, data)]
    found += built.break_off()
    (ended,) = [s for at, data in sent[20:] for s in built.push("1", "Anna", at, data)]
    assert ended.end_ms == T0 + 1000
    built.break_off()
    ticked = [(now, built.tick(T0 + now)) for now in range(3000, 15_000, 500)]
    assert [now for now, spoken in ticked if spoken] == [13_000]


def test_broken_packets_are_counted_and_never_raise(tmp_path: Path) -> None:
    built = chain(tmp_path)
    good = packets(sound((0.1, 2000)))
    names = ("empty", "odd_bytes", "bad_time", "too_long")
    before = {name: count(name) for name in names}
    built.push("1", None, T0, b"")
    built.push("1", None, T0, b"\x01")
    built.push("1", None, -5, good[0][1])
    built.push("1", None, 10**30, good[0][1])
    built.push("2", None, T0, sound((0.1, 1500)).tobytes())
    for at, data in good:
        built.push("1", None, at, data + b"\x00")
    found = [s for s in built.flush() if s.participant == "1"]
    assert [(s.start_ms - T0, s.end_ms - T0) for s in found] == [(0, 2000)]
    assert {name: count(name) - before[name] for name in names} == {
        "empty": 1,
        "odd_bytes": 21,
        "bad_time": 2,
        "too_long": 1,
    }


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableAudio, match="48000"):
        AudioChain(spool=tmp_path, settings=SETTINGS, codec="OPUS")


FORMS = [
    (codec, rate, channels)
    for codec, (rates, counts) in CODECS.items()
    for rate, channels in product(rates, counts)
]


def spoken_tone(rate: int, channels: int) -> np.ndarray:
    """Silence, 1.5 s of voice-like tone, silence, 1 s of it, silence: (frames, channels)."""
    parts = []
    for loud, ms, hertz in ((0, 800, 0), (9_000, 1_500, 300), (0, 1_200, 0), (9_000, 1_000, 500)):
        at = np.arange(rate * ms // 1000) / rate
        parts.append(loud * np.sin(2 * np.pi * hertz * at))
    wave = np.concatenate([*parts, np.zeros(rate * 8 // 10)]).astype(np.int16)
    return np.stack([wave] * channels, axis=1)


def in_codec(
    pcm: np.ndarray, codec: str, rate: int, channels: int, start_ms: int = T0
) -> list[tuple[int, bytes]]:
    to, size = encoder(codec, rate, channels), rate // 50
    return [
        (start_ms + 20 * n, to.encode(pcm[i : i + size]))
        for n, i in enumerate(range(0, len(pcm), size))
    ]


@pytest.mark.parametrize(("codec", "rate", "channels"), FORMS)
def test_every_form_zoom_offers_gives_the_same_segments(
    tmp_path: Path, codec: str, rate: int, channels: int
) -> None:
    sent = in_codec(spoken_tone(rate, channels), codec, rate, channels)
    found = run(tmp_path, sent, codec=codec, sample_rate=rate, channels=channels)
    spans = [(s.start_ms - T0, s.end_ms - T0) for s in found]
    assert len(spans) == 2
    for (start, end), (first, last) in zip(spans, [(544, 2_492), (3_244, 4_692)], strict=True):
        assert abs(start - first) <= 64  # two windows: codecs smear a little
        assert abs(end - last) <= 96
    (loud,) = {round(float(np.abs(load(tmp_path, s.file)).max()), 1) for s in found}
    assert loud == 0.3  # mixed down, not added up


def test_each_participant_has_a_decoder_of_her_own(tmp_path: Path) -> None:
    one = in_codec(spoken_tone(48_000, 1), "OPUS", 48_000, 1)
    quiet = in_codec(spoken_tone(48_000, 1) // 3, "OPUS", 48_000, 1, T0 + 6)
    (tmp_path / "alone").mkdir()
    (tmp_path / "both").mkdir()
    form = {"codec": "OPUS", "sample_rate": 48_000}
    alone = heard(tmp_path / "alone", run(tmp_path / "alone", one, **form))
    built = chain(tmp_path / "both", **form)
    found = []
    for (at, data), (other_at, other) in zip(one, quiet, strict=True):
        found += built.push("7", "Anna", at, data)
        found += built.push("8", "Ben", other_at, other)
    found += built.flush()
    both = heard(tmp_path / "both", [s for s in found if s.participant == "7"])
    assert both == alone


@pytest.mark.parametrize("codec", ["G711", "G722", "OPUS"])
def test_what_is_sent_twice_is_heard_once_and_out_of_order_is_put_in_order(
    tmp_path: Path, codec: str
) -> None:
    rate = CODECS[codec][0][0]
    sent = in_codec(spoken_tone(rate, 1), codec, rate, 1)
    form = {"codec": codec, "sample_rate": rate}
    (tmp_path / "plain").mkdir()
    (tmp_path / "mixed").mkdir()
    plain = heard(tmp_path / "plain", run(tmp_path / "plain", sent, **form))
    shuffled = []
    for n in range(0, len(sent), 4):
        a, *rest = sent[n : n + 4]
        shuffled += [a, *reversed(rest), a]  # within 80 ms, and one again
    mixed = heard(tmp_path / "mixed", run(tmp_path / "mixed", shuffled, **form))
    assert mixed == plain


@pytest.mark.parametrize("codec", ["L16", "OPUS"])
def test_a_minute_delivered_at_once_is_cut_as_if_it_had_come_in_time(
    tmp_path: Path, codec: str
) -> None:
    rate = CODECS[codec][0][-1]
    pcm = np.concatenate([spoken_tone(rate, 1)] * 11)  # 58 s
    sent = in_codec(pcm, codec, rate, 1)
    form = {"codec": codec, "sample_rate": rate}
    (tmp_path / "burst").mkdir()
    (tmp_path / "slow").mkdir()
    burst = run(tmp_path / "burst", sent, **form)
    built = chain(tmp_path / "slow", **form)
    slow = []
    for n, (at, data) in enumerate(sent):
        slow += built.push("7", "Anna", at, data)
        if n % 25 == 0:
            slow += built.tick(at)
    slow += built.flush()
    assert [(s.start_ms, s.end_ms) for s in burst] == [(s.start_ms, s.end_ms) for s in slow]
    assert len(burst) == 22


def test_a_packet_that_cannot_be_decoded_is_counted_and_the_meeting_goes_on(
    tmp_path: Path,
) -> None:
    sent = in_codec(spoken_tone(48_000, 1), "OPUS", 48_000, 1)
    before = count("undecodable")
    broken = [(at, b"\xff\xff\xff" if n in (60, 61) else data) for n, (at, data) in enumerate(sent)]
    built = chain(tmp_path, codec="OPUS", sample_rate=48_000)
    found = [segment for at, data in broken for segment in built.push("7", "Anna", at, data)]
    found += built.flush()
    assert count("undecodable") - before == 2
    assert len(found) == 2
    (lost,) = built.lost()
    assert (lost.participant, lost.cause) == ("7", "unusable_audio")
    assert (lost.start_ms, lost.end_ms) == (sent[60][0], sent[62][0])


def test_audio_that_is_of_another_codec_is_lost_and_told_while_it_goes_on(tmp_path: Path) -> None:
    built = chain(tmp_path, codec="OPUS", sample_rate=48_000)
    told = []
    for n in range(50 * 130):  # 130 s
        at = T0 + n * 20
        assert built.push("7", "Anna", at, b"\xff\xff\xff") == []
        if n % 25 == 0:
            built.tick(at)
            told += built.lost()
    assert len(told) == 2
    built.tick(T0 + 132_000)
    told += built.lost()
    assert [(a.end_ms, b.start_ms) for a, b in pairwise(told)] == [
        (T0 + 60_000, T0 + 60_000),
        (T0 + 120_000, T0 + 120_000),
    ]
    assert (told[0].start_ms, told[-1].end_ms) == (T0, T0 + 130_000)


def test_an_open_segment_is_durable_within_its_second(tmp_path: Path) -> None:
    built = chain(tmp_path)
    sent = packets(sound((0.1, 5000)))
    for number, (at, data) in enumerate(sent, start=1):
        built.push("1", "Anna", at, data)
        durable = sum(path.stat().st_size // 2 for path in tmp_path.glob("*.pcm"))
        # an open window and the packets before the timeline starts are the slack
        assert number * 1600 - durable <= 16_000 + 1600 + 4800
    built.tick(T0 + 5000)
    built.tick(T0 + 5500)
    assert sum(p.stat().st_size // 2 for p in tmp_path.glob("*.pcm")) >= 80_000 - 512


class Killed(BaseException):
    """The process is gone at this point."""


def test_killed_at_any_write_nothing_durable_is_lost_or_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = sound((0.1, 15_000), (0.0005, 900), (0.1, 1500), (0.0005, 900))
    sent = packets(values)
    really = os.fsync
    for deaths in range(1, 200):
        spool = tmp_path / str(deaths)
        spool.mkdir()
        left = deaths

        def dying(handle: int) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            really(handle)

        monkeypatch.setattr(os, "fsync", dying)
        built = chain(spool)
        told: list[SpokenSegment] = []
        arrived = 0
        try:
            for arrived, (at, data) in enumerate(sent):  # noqa: B007
                told += built.push("7", "Anna", at, data)
            told += built.flush()
        except Killed:
            monkeypatch.setattr(os, "fsync", really)
        else:
            monkeypatch.setattr(os, "fsync", really)
            assert deaths > 15
            return
        rest = recover(spool, {s.file for s in told})
        end = 0
        for segment in sorted([*told, *rest], key=lambda s: s.start_ms):
            start = (segment.start_ms - T0) * 16
            assert start >= end or not values[start:end].any() or abs(end - start) <= 8000
            assert (segment.participant, segment.speaker) == ("7", "Anna")
            audio = (load(spool, segment.file) * 32_768).astype("<i2")
            assert np.array_equal(audio, values[start : start + len(audio)])
            if start < end:  # only the hangover of a segment may be told twice, no speech
                assert start >= 15_000 * 16
                assert np.abs(values[start:end]).max() < 200
            end = start + len(audio)
        if arrived * 1600 < 15_000 * 16:
            assert arrived * 1600 - end <= 16_000 + 1600 + 4800
    raise AssertionError("the script has more writes than expected")


def test_a_full_disk_loses_nothing_that_memory_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.fsync

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    values = np.concatenate([sound((0.1, 1500), (0.0005, 900))] * 4)
    expected_folder = tmp_path / "expected"
    expected_folder.mkdir()
    expected = heard(expected_folder, run(expected_folder, packets(values)))
    spool = tmp_path / "spool"
    spool.mkdir()
    built = chain(spool)
    found = []
    for index, (at, data) in enumerate(packets(values)):
        if index == 20:
            monkeypatch.setattr(os, "fsync", full)
        if index == 70:
            assert built.trouble is not None
            assert built.trouble.kind == "disk_full"
            assert built.pending == 3
            assert built.tick(at) == []
            monkeypatch.setattr(os, "fsync", really)
            found += built.tick(at)
            assert built.trouble is None
        found += built.push("7", "Anna", at, data)
    found += built.flush()
    assert heard(spool, found) == expected
    assert built.lost() == []


def test_memory_is_bounded_while_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    built = chain(tmp_path, settings=AudioSettings(memory_s=12.0))
    for at, data in packets(np.concatenate([sound((0.1, 1500), (0.0005, 900))] * 20)):
        assert built.push("7", "Anna", at, data) == []
        assert built._closing._in_memory() <= 12 * 16_000 + 1600
    built.flush()
    lost = built.lost()
    assert len(lost) + built.pending == 20
    assert lost[0].start_ms == T0
    assert (lost[0].participant, lost[0].end_ms > lost[0].start_ms) == ("7", True)
    assert built.lost() == []
