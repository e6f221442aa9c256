"""Tapes from sound files, transcripts, scripts and synthesis."""

from __future__ import annotations

import os
import shutil
import tracemalloc
import wave
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.base.errors import BadInput, NotFound
from pipeline.tapes.coding import packet_decoder
from pipeline.tapes.header import TapeHeader
from pipeline.tapes.lines import Line, TapeAudio, TapeMessage
from pipeline.tapes.meeting_files import FIRST_ID, Shared, Source, Voice, build_meeting
from pipeline.tapes.reader import TapeReader
from pipeline.tapes.sound import spurts
from pipeline.tapes.transcripts import Words
from pipeline.tapes.voices import Synthesizer, find_engine
from pipeline.tapes.writer import TapeWriter

START = 1_790_000_000_000
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def tone(seconds: float, rate: int = 16_000, level: float = 0.2, hertz: float = 300.0) -> Any:
    t = np.arange(int(seconds * rate)) / rate
    return (np.sin(2 * np.pi * hertz * t) * level * 32767).astype(np.int16)


def quiet(seconds: float, rate: int = 16_000) -> Any:
    return np.zeros(int(seconds * rate), np.int16)


def wav(path: Path, pcm: NDArray[np.int16], rate: int = 16_000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype("<i2").tobytes())
    return path


def made(source: Source, **more: Any) -> tuple[TapeHeader, list[Line]]:
    header, lines = build_meeting(source, **more)
    return header, list(lines)


def kinds(lines: list[Line]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line.msg) for line in lines if isinstance(line, TapeMessage)]


def heard(header: TapeHeader, lines: list[Line], user: int) -> list[tuple[int, NDArray[np.int16]]]:
    """(ms from the start, samples) of every spurt."""
    found: list[tuple[int, list[NDArray[np.int16]]]] = []
    decoder = None
    for line in lines:
        if isinstance(line, TapeAudio) and line.packed.user_id == user:
            if line.packed.first:
                decoder = packet_decoder(header.audio[line.packed.coding])
                found.append((line.packed.timestamp - START, []))
            assert decoder is not None
            found[-1][1].append(decoder.decode(line.packed.packets))
    return [(at, np.concatenate(parts)) for at, parts in found]


def test_one_file_a_person(tmp_path: Path) -> None:
    ada = wav(tmp_path / "ada_lee.wav", np.concatenate([quiet(1), tone(1), quiet(2), tone(0.5)]))
    bob = wav(tmp_path / "bob.wav", np.concatenate([quiet(2.5), tone(1, 8_000)]), rate=8_000)
    words = (Words("Ada Lee", "one", 1_000, 2_000), Words("Bob", "two", 2_500, 3_500))
    header, lines = made(Source(voices=(Voice(ada), Voice(bob)), words=words, start_ms=START))
    assert [(p.user_id, p.user_name) for p in header.participants] == [
        (FIRST_ID, "Ada Lee"),
        (FIRST_ID + 1_024, "Bob"),
    ]
    times = [line.t for line in lines]
    assert times == sorted(times)
    starts = [at for at, _ in heard(header, lines, FIRST_ID)]
    assert starts == [900, 3_900]  # the gate opens 100 ms before
    lengths = [len(pcm) / 48 for _, pcm in heard(header, lines, FIRST_ID)]
    assert lengths == pytest.approx([1_400, 600], abs=30)
    spoken = [m["content"] for m in kinds(lines) if m["msg_type"] == 17]
    assert [(c["user_id"], c["data"]) for c in spoken] == [
        (FIRST_ID, "one"),
        (FIRST_ID + 1_024, "two"),
    ]
    events = [m["event"] for m in kinds(lines) if m["msg_type"] == 6]
    assert [e["event_type"] for e in events] == [3, 1, 2, 2, 4, 4]
    assert events[1]["timestamp"] == START + 900
    assert kinds(lines)[-1]["state"] == 4


def test_names_come_from_the_command_or_the_file(tmp_path: Path) -> None:
    one = wav(tmp_path / "the_host.wav", tone(0.2))
    two = wav(tmp_path / "x.wav", tone(0.2))
    header, _ = made(Source(voices=(Voice(one), Voice(two, "Zoë")), start_ms=START))
    assert [p.user_name for p in header.participants] == ["the host", "Zoë"]
    with pytest.raises(BadInput, match="two sound files of 'Zoë'"):
        made(Source(voices=(Voice(one, "Zoë"), Voice(two, "Zoë")), start_ms=START))


def test_one_file_of_everybody_never_pauses(tmp_path: Path) -> None:
    file = wav(tmp_path / "all.wav", np.concatenate([quiet(1), tone(1), quiet(3.21)]))
    words = (Words("Ada", "one", 0, 900), Words("Bob", "two", 1_000, 1_900))
    source = Source(voices=(Voice(file),), words=words, mixed=True, start_ms=START)
    header, lines = made(source)
    ((at, pcm),) = heard(header, lines, 0)
    assert at == 0
    assert len(pcm) / 48 == pytest.approx(5_210, abs=30)
    assert [p.user_name for p in header.participants] == ["Ada", "Bob"]
    assert header.parameters == {"audio": {"data_opt": 1}}


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (8_000, 1), (48_000, 2)])
def test_lossless_is_sample_exact(tmp_path: Path, rate: int, channels: int) -> None:
    rng = np.random.default_rng(3)
    pcm = (rng.normal(size=(rate * 2 + 123) * channels) * 3_000).astype(np.int16)
    file = wav(tmp_path / "a.wav", pcm, rate, channels)
    source = Source(voices=(Voice(file),), mixed=True, lossless=True, start_ms=START)
    header, lines = made(source)
    assert (header.version, header.audio[0].codec) == (2, "flac")
    ((_, found),) = heard(header, lines, 0)
    assert np.array_equal(found.reshape(-1)[: len(pcm)], pcm)
    assert len(found.reshape(-1)) - len(pcm) < 16 * channels


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    file = wav(tmp_path / "ada.wav", np.concatenate([quiet(0.5), tone(2), quiet(1), tone(1)]))
    source = Source(voices=(Voice(file),), words=(Words(None, "hi", 1, 2),), start_ms=START)
    outs = []
    for name in "ab":
        header, lines = build_meeting(source)
        out = tmp_path / f"{name}.rtms.zst"
        with TapeWriter(out, header, level=3) as tape:
            for line in lines:
                tape.write(line)
        outs.append(out.read_bytes())
    assert outs[0] == outs[1]


def test_words_alone(tmp_path: Path) -> None:
    words = (Words("Ada", "Hello there."), Words(None, "And who am I?"))
    header, lines = made(Source(words=words, start_ms=START))
    assert header.audio == ()
    spoken = [m["content"] for m in kinds(lines) if m["msg_type"] == 17]
    assert [c["user_name"] for c in spoken] == ["Ada", "Speaker"]
    assert spoken[0]["end_time"] < spoken[1]["start_time"]
    file = wav(tmp_path / "a.wav", tone(0.2))
    with pytest.raises(BadInput, match="has no times"):
        made(Source(words=words, voices=(Voice(file),), start_ms=START))


def test_images_are_shown(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(PNG)
    shared = (Shared(image, 2_000), Shared(image, 500))
    header, lines = made(Source(words=(Words("Ada", "look"),), shared=shared, start_ms=START))
    found = kinds(lines)
    events = [m["event"]["event_type"] for m in found if m["msg_type"] == 6]
    assert events.index(5) < events.index(6)
    contents = [m["content"] for m in found if m["msg_type"] == 16]
    assert [c["timestamp"] - START for c in contents] == [500, 2_000]
    assert {c["length"] for c in contents} == {len(PNG)}
    assert header.version == 1
    image.write_bytes(b"GIF89a")
    with pytest.raises(BadInput, match="not a JPEG or PNG"):
        made(Source(words=(Words("Ada", "look"),), shared=shared, start_ms=START))


def test_what_cannot_be_built(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing to build from"):
        made(Source(start_ms=START))
    with pytest.raises(NotFound, match=r"gone\.wav: no such file"):
        made(Source(voices=(Voice(tmp_path / "gone.wav"),), start_ms=START))
    text = tmp_path / "a.wav"
    text.write_text("this is no sound")
    with pytest.raises(BadInput, match=r"a\.wav: cannot be read as audio"):
        made(Source(voices=(Voice(text),), start_ms=START))
    image = tmp_path / "a.png"
    image.write_bytes(PNG)
    with pytest.raises(BadInput, match=r"a\.png"):
        made(Source(voices=(Voice(image),), start_ms=START))


def test_the_gate_gives_back_what_it_let_through() -> None:
    rng = np.random.default_rng(5)
    parts, cursor = [], 0
    loud: list[tuple[int, int]] = []
    for _ in range(20):
        gap, sound = rng.uniform(0.1, 1.5), rng.uniform(0.05, 3.0)
        parts += [quiet(gap), tone(sound)]
        cursor += len(parts[-2])
        loud.append((cursor, cursor + len(parts[-1])))
        cursor += len(parts[-1])
    pcm = np.concatenate(parts)
    chunks = np.array_split(pcm, 97)
    kept = np.zeros(len(pcm), bool)
    open_until = None
    for piece in spurts(iter(chunks), 16_000):
        assert np.array_equal(piece.pcm, pcm[piece.at : piece.at + len(piece.pcm)])
        assert piece.first == (open_until is None)
        assert open_until in (None, piece.at)
        open_until = None if piece.last else piece.at + len(piece.pcm)
        assert not kept[piece.at : piece.at + len(piece.pcm)].any()
        kept[piece.at : piece.at + len(piece.pcm)] = True
    assert open_until is None
    assert all(kept[begin:end].all() for begin, end in loud)
    assert not kept.all()


def test_a_long_file_is_read_in_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        minute = np.concatenate([tone(20), quiet(40)]).tobytes()
        for _ in range(20):
            file.writeframes(minute)
    header, lines = build_meeting(Source(voices=(Voice(path),), lossless=True, start_ms=START))
    tracemalloc.start()
    try:
        count = sum(1 for _ in lines)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count > 20 * 40
    assert peak < 3_000_000  # the file is 38 MB
    assert len(header.participants) == 1


# -- synthesis -----------------------------------------------------------------------------


def engine(name: Any) -> Synthesizer:
    if shutil.which(name) is None and os.environ.get("CI") != "true":
        pytest.skip(f"{name} is not installed")
    return find_engine(name)


@pytest.mark.parametrize("name", ["flite", "espeak-ng"])
def test_words_are_spoken(name: str) -> None:
    voice = engine(name)
    words = (Words("Ada", "Good morning everybody.", 1_000, 1_200), Words("Bob", "Hello.", 1_100))
    header, lines = made(Source(words=words, start_ms=START), engine=voice)
    again = made(Source(words=words, start_ms=START), engine=voice)[1]
    assert [*map(msgspec.json.encode, lines)] == [*map(msgspec.json.encode, again)]
    ((at, pcm),) = heard(header, lines, FIRST_ID)
    assert at == 1_000
    assert len(pcm) / 48 > 700
    content = next(m["content"] for m in kinds(lines) if m["msg_type"] == 17)
    spoken = [m["content"] for m in kinds(lines) if m["msg_type"] == 17]
    assert {c["data"] for c in spoken} == {"Good morning everybody.", "Hello."}
    first = next(c for c in spoken if c["user_name"] == "Ada")
    assert first["end_time"] - first["start_time"] == pytest.approx(len(pcm) / 48, abs=30)
    assert content["language"] == 9


def test_text_is_never_an_option() -> None:
    voice = engine("espeak-ng")
    assert len(voice.say("en-us", "--version is what I said")) > 8_000


def test_more_text_than_can_be_said_at_once() -> None:
    with pytest.raises(BadInput, match=r"characters\): .*make it several turns"):
        engine("flite").say("slt", "word " * 100_000)


def test_no_engine_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NotFound, match="apt-get install flite"):
        find_engine("auto")
    with pytest.raises(NotFound, match="espeak-ng is not installed"):
        find_engine("espeak-ng")


def test_voices_of_another_engine_are_replaced() -> None:
    voice = engine("espeak-ng")
    assert voice.voice_for("slt", "Ada", 0) == "en-us+f3"
    assert voice.voice_for("de", "Ada", 0) == "de"
    assert voice.voice_for("", "Ada", 99) == voice.voice_for("", "Ada", 100)


def test_reading_a_made_tape_back(tmp_path: Path) -> None:
    file = wav(tmp_path / "ada.wav", tone(1))
    header, lines = build_meeting(Source(voices=(Voice(file),), start_ms=START))
    out = tmp_path / "a.rtms.zst"
    with TapeWriter(out, header) as tape:
        for line in lines:
            tape.write(line)
    with TapeReader.open(out) as reader:
        assert reader.header.version == 1
        assert any(isinstance(line, TapeAudio) for line in reader)
        assert not reader.cut_off
