from __future__ import annotations

import itertools

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audio import alaw
from pipeline.audio.codecs import CODECS, DELAY, Pcm, check_format, decoder, encoder
from pipeline.audio.packet import UnusableAudio
from pipeline.audio.unpack import Coding, Unpacker, opus_us

EVERY = [
    (codec, rate, channels)
    for codec, (rates, counts) in CODECS.items()
    for rate, channels in itertools.product(rates, counts)
]
BEST_DB = {"L16": 300.0, "G711": 33.0, "G722": 30.0, "OPUS": 20.0}


def tones(rate: int, channels: int, seconds: float = 1.0, first: int = 310) -> Pcm:
    """Another tone in each channel."""
    at = np.arange(int(rate * seconds)) / rate
    waves = [9_000 * np.sin(2 * np.pi * (first + 410 * k) * at) for k in range(channels)]
    return np.stack(waves, axis=1).astype(np.int16)


def there_and_back(codec: str, rate: int, pcm: Pcm) -> Pcm:
    to, back = encoder(codec, rate, pcm.shape[1]), decoder(codec, rate, pcm.shape[1])
    size = rate // 50
    packets = [to.encode(pcm[i : i + size]) for i in range(0, len(pcm), size)]
    return np.concatenate([back.decode(packet) for packet in packets])


def snr_db(codec: str, sent: Pcm, got: Pcm, settle: int) -> list[float]:
    """By channel, after the codec has settled, in step."""
    delay = DELAY[codec]
    one = sent[settle : len(sent) - delay].astype(float)
    two = got[settle + delay : len(sent)].astype(float)
    noise = ((one - two) ** 2).mean(axis=0) + 1e-30
    return list(10 * np.log10((one**2).mean(axis=0) / noise))


@pytest.mark.parametrize(("codec", "rate", "channels"), EVERY)
def test_a_round_trip_sounds_the_same_and_keeps_time_and_channels(
    codec: str, rate: int, channels: int
) -> None:
    pcm = tones(rate, channels)
    got = there_and_back(codec, rate, pcm)
    assert got.shape == pcm.shape
    assert got.dtype == np.int16
    assert min(snr_db(codec, pcm, got, rate // 5)) > BEST_DB[codec]
    if channels == 2:  # the channels are not swapped
        swapped = snr_db(codec, pcm[:, ::-1], got, rate // 5)
        assert max(swapped) < 1.0


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["G711", "G722"]), st.integers(200, 2_000), st.integers(500, 30_000))
def test_any_tone_survives_the_narrow_codecs(codec: str, hertz: int, loud: int) -> None:
    rate = CODECS[codec][0][0]
    at = np.arange(rate) / rate
    pcm = (loud * np.sin(2 * np.pi * hertz * at)).astype(np.int16).reshape(-1, 1)
    assert min(snr_db(codec, pcm, there_and_back(codec, rate, pcm), rate // 5)) > 20.0


@given(st.lists(st.tuples(*[st.integers(-32_768, 32_767)] * 2), min_size=1, max_size=50))
def test_l16_is_exact_little_endian_and_interleaved(frames: list[tuple[int, int]]) -> None:
    pcm = np.array(frames, np.int16)
    data = encoder("L16", 48_000, 2).encode(pcm)
    assert data == np.array(frames, "<i2").tobytes()
    assert np.array_equal(decoder("L16", 48_000, 2).decode(data), pcm)


# G.711, table 1a: the middle of each interval of the first positive segment and its neighbours,
# and the first of each further one, at 16 bits; the byte has every other bit inverted.
KNOWN = {0xD5: 8, 0xD4: 24, 0xC5: 264, 0xC4: 280, 0xF5: 528, 0xE5: 1_056, 0x95: 2_112}
KNOWN |= {0x85: 4_224, 0xB5: 8_448, 0xA5: 16_896, 0xAA: 32_256, 0x55: -8, 0x2A: -32_256}


def test_a_law_is_the_table_of_the_recommendation() -> None:
    for code, sample in KNOWN.items():
        assert alaw.decode(bytes([code])).tolist() == [sample]


def test_a_law_of_all_codes_and_samples_is_that_of_ffmpeg() -> None:
    codes = bytes(range(256))
    reader = AudioCodecContext.create("pcm_alaw", "r")
    reader.sample_rate, reader.layout = 8_000, "mono"
    theirs = np.concatenate([f.to_ndarray().reshape(-1) for f in reader.decode(av.Packet(codes))])
    ours = alaw.decode(codes)
    assert ours.tolist() == theirs.tolist()
    assert alaw.encode(ours) == codes  # every code is the code of its own sample
    assert len(set(ours.tolist())) == 256


def test_a_law_of_any_sample_is_within_half_a_step() -> None:
    samples = np.arange(-32_768, 32_768).astype(np.int16)
    got = alaw.decode(alaw.encode(samples)).astype(int)
    wide = samples.astype(int)
    step = np.maximum(16, 2.0 ** np.floor(np.log2(np.maximum(np.abs(wide), 1)) - 4))
    assert (np.abs(got - wide) <= step / 2 + 1).mean() == 1.0
    assert (np.diff(got) >= 0).all()  # never out of order


@pytest.mark.parametrize(
    ("codec", "rate", "channels", "kind", "allowed"),
    [
        ("AAC", 48_000, 1, "codec", "L16, G711, G722, OPUS"),
        ("OPUS", 16_000, 1, "rate", "48000"),
        ("G711", 16_000, 1, "rate", "8000"),
        ("G722", 16_000, 2, "channels", "only 1"),
        ("L16", 44_100, 1, "rate", "8000 or 16000 or 32000 or 48000"),
        ("L16", 16_000, 3, "channels", "1 or 2"),
    ],
)
def test_a_format_nobody_offers_is_refused_and_the_allowed_values_are_named(
    codec: str, rate: int, channels: int, kind: str, allowed: str
) -> None:
    for make in (check_format, decoder, encoder):
        with pytest.raises(UnusableAudio) as caught:
            make(codec, rate, channels)
        assert caught.value.kind == kind
        assert allowed in str(caught.value)
        assert "\n" not in str(caught.value)


def test_odd_bytes_of_l16_are_refused() -> None:
    with pytest.raises(UnusableAudio) as caught:
        decoder("L16", 16_000, 2).decode(b"abcde")
    assert caught.value.kind == "packet"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(EVERY), st.lists(st.binary(max_size=300), max_size=8))
def test_any_bytes_give_samples_or_a_typed_error_and_the_decoder_goes_on(
    form: tuple[str, int, int], packets: list[bytes]
) -> None:
    codec, rate, channels = form
    back = decoder(codec, rate, channels)
    for packet in packets:
        try:
            pcm = back.decode(packet)
        except UnusableAudio as error:
            assert error.kind == "packet"  # noqa: PT017 - most packets do not raise
        else:
            assert pcm.shape[1] == channels
            assert pcm.dtype == np.int16
            assert len(pcm) == Coding(codec, rate, channels).frames(packet)
    good = encoder(codec, rate, channels).encode(tones(rate, channels, 0.02))
    assert len(back.decode(good)) == rate // 50


def test_an_empty_packet_does_not_end_the_decoder() -> None:
    back = decoder("OPUS", 48_000, 1)
    for _ in range(2):
        with pytest.raises(UnusableAudio):
            back.decode(b"")
    assert len(back.decode(encoder("OPUS", 48_000, 1).encode(tones(48_000, 1, 0.02)))) == 960


@pytest.mark.parametrize("codec", ["G722", "OPUS"])
def test_a_packet_holds_20_ms_and_less_is_padded(codec: str) -> None:
    rate = CODECS[codec][0][0]
    to = encoder(codec, rate, 1)
    assert len(decoder(codec, rate, 1).decode(to.encode(tones(rate, 1, 0.005)))) == rate // 50
    with pytest.raises(ValueError, match="20 ms"):
        to.encode(tones(rate, 1, 0.04))
    with pytest.raises(ValueError, match="frames"):
        to.encode(tones(rate, 1, 0.02)[:, 0])


@pytest.mark.parametrize(
    ("first", "us"),
    [
        (b"\x00", 10_000),  # SILK narrow band, one frame
        (b"\x18", 60_000),
        (b"\x60", 10_000),  # hybrid
        (b"\x68", 20_000),
        (b"\x80", 2_500),  # CELT
        (b"\xf8", 20_000),
        (b"\xf9", 40_000),  # two frames
        (b"\xfb\x06", 120_000),  # six
        (b"\xfb\x07", 0),  # too long
        (b"\xfb", 0),  # a count that is not there
        (b"", 0),
    ],
)
def test_how_long_an_opus_packet_lasts_is_in_its_first_bytes(first: bytes, us: int) -> None:
    assert opus_us(first) == us


def test_a_leap_gets_a_fresh_decoder() -> None:
    pcm, other = tones(48_000, 1), tones(48_000, 1, first=700)
    coding = Coding("OPUS", 48_000, 1)
    one, two = encoder("OPUS", 48_000, 1), encoder("OPUS", 48_000, 1)
    unpacker = Unpacker(coding, bridge=19_200)
    for i in range(0, 9_600, 960):
        unpacker.samples(i, one.encode(pcm[i : i + 960]))
    spurt = [two.encode(other[i : i + 960]) for i in range(0, 4_800, 960)]
    after = [unpacker.samples(480_000 + 960 * n, data) for n, data in enumerate(spurt)]
    fresh = Unpacker(coding, bridge=19_200)
    alone = [fresh.samples(480_000 + 960 * n, data) for n, data in enumerate(spurt)]
    assert np.array_equal(np.concatenate(after), np.concatenate(alone))
