"""Audio of every codec, from tapes of every kind: what goes out is what was said."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from emulator_client import START, Client, lines_tape, quiet
from numpy.typing import NDArray

from pipeline.audio.codecs import DELAY, decoder, encoder
from pipeline.emulator.lane import Sent
from pipeline.emulator.playback import Playback
from pipeline.emulator.rendering import AudioFormat
from pipeline.tapes import opus
from pipeline.tapes.header import AudioCoding, Codec, TapeParticipant
from pipeline.tapes.lines import Line, Packed, TapeAudio

Pcm = NDArray[np.int16]

CODES = {"L16": 1, "G711": 2, "G722": 3, "OPUS": 4}
RATES = {8_000: 0, 16_000: 1, 32_000: 2, 48_000: 3}


def tone(ms: int, rate: int, hertz: float = 440.0, channels: int = 1) -> Pcm:
    t = np.arange(ms * rate // 1000) / rate
    sides = [np.sin(2 * np.pi * hertz * (1 + n) * t) * 8_000 for n in range(channels)]
    return np.stack(sides, axis=1).astype(np.int16)


def spurt(
    pcm: Pcm,
    *,
    at: int,
    rate: int,
    codec: str = "L16",
    user: int = 1,
    first: bool = True,
    last: bool = True,
    jitter: Iterable[int] = (),
    sent: int | None = None,
    **more: Any,
) -> list[Line]:
    """One line a packet of 20 ms, as a live tape has them. ``sent``: when all of it came."""
    size = rate // 50
    code = encoder(codec, rate, pcm.shape[1])
    off = [*jitter]
    found: list[Line] = []
    for n in range(-(-len(pcm) // size)):
        packed = Packed(
            user_id=user,
            timestamp=START + at + 20 * n + (off[n] if n < len(off) else 0),
            first=first and n == 0,
            last=last and (n + 1) * size >= len(pcm),
            packets=(code.encode(pcm[n * size : (n + 1) * size]),),
            **more,
        )
        found.append(TapeAudio(t=at + 20 * n if sent is None else sent, packed=packed))
    return found


def live(
    folder: Path,
    *lines: Line,
    codec: Codec = "l16",
    rate: int = 16_000,
    channels: Any = 1,
    **h: Any,
) -> Path:
    coding = AudioCoding(codec=codec, sample_rate=rate, channels=channels)
    return lines_tape(folder, *lines, quiet(20_000), version=2, audio=(coding,), **h)


def play(path: Path, wanted: AudioFormat, until: int = 12_000, **options: Any) -> list[Sent]:
    playback = Playback(path, **options)
    lane = playback.audio(wanted)
    rows = []
    place = 0
    for now in range(0, until, 50):
        playback.advance(now)
        rows += lane.since(place)
        place = lane.end
    playback.close()
    return rows


def contents(rows: Iterable[Sent]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(row.payload)["content"] for row in rows]


def data(rows: Iterable[Sent]) -> list[bytes]:
    return [base64.b64decode(c["data"]) for c in contents(rows)]


def heard(rows: Iterable[Sent], wanted: AudioFormat) -> Pcm:
    one = decoder(wanted.codec, wanted.rate, wanted.channels)
    return np.concatenate([one.decode(packet) for packet in data(rows)])


def pitch(pcm: NDArray[Any], rate: int) -> float:
    middle = pcm[len(pcm) // 4 : -len(pcm) // 4].astype(float)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(np.argmax(spectrum) * rate / len(middle))


FORMATS = [
    *(AudioFormat(rate, n, ms, False, "L16") for rate in RATES for n in (1, 2) for ms in (20, 200)),
    AudioFormat(8_000, 1, 20, False, "G711"),
    AudioFormat(16_000, 1, 20, False, "G722"),
    AudioFormat(48_000, 1, 20, False, "OPUS"),
    AudioFormat(48_000, 2, 20, False, "OPUS"),
]


def named(wanted: object) -> str:
    if not isinstance(wanted, AudioFormat):
        return str(wanted)
    return f"{wanted.codec}-{wanted.rate}-{wanted.channels}-{wanted.send_rate_ms}"


@pytest.mark.parametrize("mixed", [False, True], ids=["multi", "mixed"])
@pytest.mark.parametrize("wanted", FORMATS, ids=named)
def test_the_tone_survives_every_codec(tmp_path: Path, wanted: AudioFormat, mixed: bool) -> None:
    path = live(tmp_path, *spurt(tone(2_000, 16_000), at=1_000, rate=16_000))
    wanted = dataclasses.replace(wanted, mixed=mixed)
    rows = [r for r in play(path, wanted) if 1_000 < r.at <= 3_200]
    pcm = heard(rows, wanted)
    sent = wanted.rate * wanted.send_rate_ms // 1000 * len(rows)
    assert abs(len(pcm) - sent) <= DELAY[wanted.codec]
    for side in range(wanted.channels):
        assert pitch(pcm[:, side], wanted.rate) == pytest.approx(440, abs=2)
    loud = np.abs(pcm.astype(float)).max()
    assert 7_000 < loud < 9_000
    stamps = [c["timestamp"] for c in contents(rows)]
    assert stamps == list(range(stamps[0], stamps[-1] + 1, wanted.send_rate_ms))
    users = {c["user_id"] for c in contents(rows)}
    assert users == ({0} if mixed else {1})


@pytest.mark.parametrize(
    ("wanted", "size"),
    [
        (AudioFormat(8_000, 1, 20, False, "G711"), 160),
        (AudioFormat(16_000, 1, 20, False, "G722"), 160),
        (AudioFormat(48_000, 2, 20, False, "L16"), 3840),
        (AudioFormat(8_000, 1, 20, False, "L16"), 320),
        (AudioFormat(16_000, 1, 1000, False, "L16"), 32_000),
    ],
    ids=named,
)
def test_packets_have_the_documented_size(tmp_path: Path, wanted: AudioFormat, size: int) -> None:
    path = live(tmp_path, *spurt(tone(2_000, 16_000), at=1_000, rate=16_000))
    rows = play(path, wanted)
    assert {len(packet) for packet in data(rows)} == {size}
    assert {c["length"] for c in contents(rows)} == {size}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("ms", [20, 60, 100])
def test_recorded_samples_come_back_exactly(tmp_path: Path, channels: int, ms: int) -> None:
    noise = np.random.default_rng(1).integers(-32768, 32768, (16_000, channels), np.int64)
    pcm = noise.astype(np.int16)
    path = live(tmp_path, *spurt(pcm, at=1_000, rate=16_000), channels=channels)
    wanted = AudioFormat(16_000, channels, ms, False)
    got = heard(play(path, wanted), wanted)
    assert np.array_equal(got[: len(pcm)], pcm)
    assert not got[len(pcm) :].any()


def test_both_sides_become_their_mean(tmp_path: Path) -> None:
    pcm = np.stack([np.full(16_000, 1000), np.full(16_000, 3000)], axis=1).astype(np.int16)
    path = live(tmp_path, *spurt(pcm, at=0, rate=16_000), channels=2)
    wanted = AudioFormat(16_000, 1, 100, False)
    assert set(heard(play(path, wanted), wanted).ravel()) == {2000}


@pytest.mark.parametrize(("codec", "rate"), [("G711", 8_000), ("G722", 16_000), ("OPUS", 48_000)])
def test_recorded_packets_go_out_as_they_are(tmp_path: Path, codec: str, rate: int) -> None:
    rows = spurt(tone(1_000, rate), at=500, rate=rate, codec=codec)
    path = live(tmp_path, *rows, codec=codec.lower(), rate=rate)  # type: ignore[arg-type]
    got = play(path, AudioFormat(rate, 1, 20, False, codec))
    assert data(got) == [p for row in rows for p in row.packed.packets]  # type: ignore[union-attr]
    other = AudioFormat(16_000, 1, 100, False)
    sound = heard(play(path, other), other)
    assert pitch(sound[:, 0], 16_000) == pytest.approx(440, abs=3)


def test_packets_of_a_made_tape_go_out_as_they_are(tmp_path: Path) -> None:
    """Its run-up is the delay that an encoder of ours would add; a longer one is cut and the rest
    encoded anew."""
    pcm = tone(400, 16_000)
    packets = tuple(opus.encode(pcm[:, 0]))
    packed = Packed(user_id=1, timestamp=START + 500, first=True, last=True, packets=packets)
    wanted = AudioFormat(48_000, 1, 20, False, "OPUS")
    line = TapeAudio(t=500, packed=packed)
    path = lines_tape(tmp_path, line, quiet(20_000))
    assert data(play(path, wanted)) == list(packets)
    longer = msgspec.structs.replace(opus.CODING, skip=2_000)
    path = lines_tape(tmp_path, line, quiet(20_000), audio=(longer,), name="longer")
    assert len(data(play(path, wanted))) < len(packets)
    stereo = AudioFormat(48_000, 2, 20, False, "OPUS")
    assert pitch(heard(play(path, stereo), stereo)[:, 1], 48_000) == pytest.approx(440, abs=5)


def test_the_same_tape_and_settings_give_the_same_bytes(tmp_path: Path) -> None:
    path = live(tmp_path, *spurt(tone(1_000, 16_000), at=500, rate=16_000))
    for wanted in FORMATS[-4:]:
        assert data(play(path, wanted)) == data(play(path, wanted))


def test_the_jitter_of_the_server_is_kept(tmp_path: Path) -> None:
    jitter = [0, 3, -2, 7, 1]
    path = live(tmp_path, *spurt(tone(100, 16_000), at=500, rate=16_000, jitter=jitter))
    stamps = [
        c["timestamp"] - START for c in contents(play(path, AudioFormat(16_000, 1, 20, False)))
    ]
    assert stamps == [500 + 20 * n + off for n, off in enumerate(jitter)]
    stamps = [
        c["timestamp"] - START for c in contents(play(path, AudioFormat(16_000, 1, 40, False)))
    ]
    assert stamps == [500, 540 - 2, 580 + 1]


def test_a_burst_comes_when_it_came(tmp_path: Path) -> None:
    """A recorded start: ten seconds of sound arrive in one moment, with their own timestamps."""
    pcm = tone(3_000, 16_000)
    path = live(tmp_path, *spurt(pcm, at=1_000, rate=16_000, sent=6_000))
    wanted = AudioFormat(16_000, 1, 100, False)
    rows = play(path, wanted)
    assert {row.at for row in rows} == {6_000}
    assert [c["timestamp"] - START for c in contents(rows)] == list(range(1_000, 4_000, 100))
    assert np.array_equal(heard(rows, wanted), pcm)


def test_a_spurt_whose_end_is_missing_is_not_lost(tmp_path: Path) -> None:
    pcm = tone(130, 16_000)
    lines = spurt(pcm, at=500, rate=16_000, last=False)
    lines += spurt(pcm, at=2_000, rate=16_000)
    wanted = AudioFormat(16_000, 1, 100, False)
    rows = play(live(tmp_path, *lines), wanted)
    assert [c["timestamp"] - START for c in contents(rows)] == [500, 600, 2_000, 2_100]
    got = heard(rows, wanted)
    assert np.array_equal(got[: len(pcm)], pcm)
    assert np.array_equal(got[3_200 : 3_200 + len(pcm)], pcm)


def test_an_end_without_packets_flushes(tmp_path: Path) -> None:
    lines = spurt(tone(130, 16_000), at=500, rate=16_000, last=False)
    packed = Packed(user_id=1, timestamp=START + 640, last=True, packets=())
    rows = play(
        live(tmp_path, *lines, TapeAudio(t=700, packed=packed)), AudioFormat(16_000, 1, 100, False)
    )
    assert [(c["timestamp"] - START, c["length"]) for c in contents(rows)] == [
        (500, 3200),
        (600, 3200),
    ]


def test_recorded_mixed_audio_stays_mixed(tmp_path: Path) -> None:
    pcm = tone(1_000, 16_000)
    parameters = {"audio": {"data_opt": 1}}
    lines = spurt(pcm, at=500, rate=16_000, user=0)
    path = live(tmp_path, *lines, parameters=parameters)
    for mixed in (True, False):
        wanted = AudioFormat(16_000, 1, 100, mixed)
        rows = play(path, wanted)
        assert {c["user_id"] for c in contents(rows)} == {0}
        assert all("user_name" not in c for c in contents(rows))
        assert np.array_equal(heard(rows, wanted), pcm)
    client = Client(path)
    client.signaling()
    media = client.media(1, data_opt=2)
    assert client.got[media][0]["media_params"]["audio"]["data_opt"] == 1


def test_two_voices_add_up_in_the_mix(tmp_path: Path) -> None:
    one, two = tone(1_000, 16_000), tone(1_000, 16_000, 700)
    lines = spurt(one, at=500, rate=16_000) + spurt(two, at=500, rate=16_000, user=2)
    lines.sort(key=lambda line: line.t)
    wanted = AudioFormat(16_000, 2, 100, True)
    pcm = heard(play(live(tmp_path, *lines), wanted), wanted)[8_000:24_000]
    whole = (one.astype(int) + two).clip(-32768, 32767)
    assert np.abs(pcm.astype(int) - whole).max() <= 1  # the same on both sides


@pytest.mark.parametrize("product", ["contact_center", "phone", "meeting"])
def test_calls_name_channels(tmp_path: Path, product: str) -> None:
    people = (
        TapeParticipant(user_id=1, user_name="Ann", channel_id="in"),
        TapeParticipant(user_id=2, user_name="Ben"),
    )
    lines = spurt(tone(200, 16_000), at=500, rate=16_000)
    lines += spurt(tone(200, 16_000), at=800, rate=16_000, user=2)
    lines += spurt(tone(200, 16_000), at=1_100, rate=16_000, user=3, channel_id="out")
    path = live(tmp_path, *lines, product=product, participants=people)
    rows = contents(play(path, AudioFormat(16_000, 1, 200, False)))
    ids = [(c.get("user_id"), c.get("channel_id"), c.get("user_name")) for c in rows]
    if product == "meeting":
        assert ids == [(1, None, "Ann"), (2, None, "Ben"), (None, "out", None)]
    else:
        assert ids == [(None, "in", "Ann"), (None, "2", "Ben"), (None, "out", None)]
    mixed = contents(play(path, AudioFormat(16_000, 1, 200, True)))
    assert {(c["user_id"], c.get("user_name"), c.get("channel_id")) for c in mixed} == {
        (0, None, None)
    }


def test_names_that_only_the_lines_know(tmp_path: Path) -> None:
    lines = spurt(tone(100, 16_000), at=500, rate=16_000, user_name="Żółć")
    rows = contents(play(live(tmp_path, *lines), AudioFormat(16_000, 1, 100, False)))
    assert [c["user_name"] for c in rows] == ["Żółć"]


def test_the_older_form_of_media(tmp_path: Path) -> None:
    path = live(tmp_path, *spurt(tone(100, 16_000), at=500, rate=16_000, user_name="Ada"))
    (row,) = play(path, AudioFormat(16_000, 1, 100, False), media_form="flat")
    flat = msgspec.json.decode(row.payload)
    assert len(base64.b64decode(flat.pop("content"))) == 3200
    expected = {"msg_type": 14, "user_id": 1, "user_name": "Ada", "timestamp": START + 500}
    assert flat == expected
    playback = Playback(path, media_form="flat")
    playback.advance(20_000)
    (words,) = next(lane for media, lane in playback.lanes.items() if media == 8).since(0)
    assert msgspec.json.decode(words.payload) == {"msg_type": 17, "user_id": 1, "content": "last"}
    playback.close()


@pytest.mark.parametrize("mixed", [False, True])
def test_timestamps_that_cannot_be_cost_no_memory(tmp_path: Path, mixed: bool) -> None:
    lines = [
        *spurt(tone(100, 16_000), at=500, rate=16_000),
        *spurt(tone(100, 16_000), at=10**12, rate=16_000, sent=1_000),
    ]
    rows = play(live(tmp_path, *lines), AudioFormat(16_000, 1, 100, mixed), until=200_000)
    assert all(row.at <= 151_100 for row in rows if not mixed)
    assert len(rows) >= 2


def test_voices_without_an_end_are_forgotten(tmp_path: Path) -> None:
    lines: list[Line] = []
    for user in range(1, 1_500):
        lines += spurt(tone(20, 8_000), at=user * 5, rate=8_000, user=user, last=False)
    path = live(tmp_path, *lines, rate=8_000)
    playback = Playback(path)
    playback.audio(AudioFormat(8_000, 1, 20, False))
    playback.advance(9_000)
    ((rendering, lane),) = playback._renderings.values()
    assert lane.end == 1_499
    assert len(rendering._voices) <= 512
    assert len(playback._spurts) <= 512
    playback.close()


# -- as a client asks for it -------------------------------------------------------------------

ASKED: list[tuple[str, int, int, int]] = [
    *(("L16", rate, channels, 2) for rate in RATES for channels in (1, 2)),
    *(
        (codec, rate, 1, content)
        for codec, rate in (("G711", 8_000), ("G722", 16_000))
        for content in (1, 2)
    ),
    *(("OPUS", 48_000, channels, content) for channels in (1, 2) for content in (1, 2)),
]


@pytest.mark.parametrize(("codec", "rate", "channels", "content"), ASKED)
def test_every_row_of_the_matrix_is_served(
    tmp_path: Path, codec: str, rate: int, channels: int, content: int
) -> None:
    """RTP too; no source shows its packets inside V1 JSON, so they are as raw ones."""
    client = Client(live(tmp_path, *spurt(tone(500, 16_000), at=500, rate=16_000)))
    signaling = client.signaling()
    asked = {
        "content_type": content,
        "codec": CODES[codec],
        "sample_rate": RATES[rate],
        "channel": channels,
        "data_opt": 2,
        "send_rate": 20,
    }
    media = client.media(1, **asked)
    assert client.got[media][0]["media_params"] == {"audio": asked}
    client.ready(signaling)
    client.run(3)
    one = decoder(codec, rate, channels)
    packets = [base64.b64decode(m["content"]["data"]) for m in client.of(media, 14)]
    assert len(packets) in (25, 26)
    pcm = np.concatenate([one.decode(packet) for packet in packets])
    assert pitch(pcm[:, 0], rate) == pytest.approx(440, abs=4)


def test_formats_nobody_listens_to_are_dropped(tmp_path: Path) -> None:
    client = Client(live(tmp_path, *spurt(tone(500, 16_000), at=500, rate=16_000)))
    signaling = client.signaling()
    client.ready(signaling)
    for ms in range(20, 1_001, 20):
        client.vanish(client.media(1, send_rate=ms))
        client.run(0.1)
    assert len(client.playback._renderings) <= 3
