"""Corpora: the mixer, and building from what is installed."""

from __future__ import annotations

import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.errors import BadInput
from pipeline.evaluate.stt.corpus import sources
from pipeline.evaluate.stt.corpus.build import build
from pipeline.evaluate.stt.corpus.mixer import Line, Mixed, decibels, loudness, mix, pink
from pipeline.evaluate.stt.manifest import read
from pipeline.evaluate.stt.sound import save

RATE = 16_000


def tone(seconds: float, frequency: float = 440.0) -> np.ndarray:
    at = np.arange(round(seconds * RATE)) / RATE
    return (0.1 * np.sin(2 * np.pi * frequency * at)).astype(np.float32)


def voices(names: str = "ABC", lines: int = 4) -> dict[str, list[Line]]:
    return {
        name: [Line(tone(0.5 + 0.3 * n, 200 + 100 * k), f"{name} {n}") for n in range(lines)]
        for k, name in enumerate(names)
    }


def overlaps(made: Mixed) -> list[float]:
    """For each turn, the share of it that lies within another person's turn before it."""
    found = []
    for number, turn in enumerate(made.turns):
        said = max((t.begin + t.length for t in made.turns[:number]), default=0)
        found.append(max(0, min(said, turn.begin + turn.length) - turn.begin) / turn.length)
    return found


# -- the mixer -----------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1_000), overlap=st.sampled_from([0.0, 0.1, 0.2]))
def test_turns_alternate_and_overlap_no_more_than_wanted(seed: int, overlap: float) -> None:
    made = mix(voices(), seed=seed, turns=8, overlap=overlap)
    names = [turn.speaker for turn in made.turns]
    assert all(a != b for a, b in itertools.pairwise(names))
    assert max(overlaps(made)) <= overlap + 1e-3
    for name in "ABC":
        own = [(t.begin, t.begin + t.length) for t in made.turns if t.speaker == name]
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(own))
    lengths = {len(track) for track in made.tracks.values()}
    assert len(lengths) == 1
    assert lengths.pop() >= made.turns[-1].begin + made.turns[-1].length


def test_some_turns_do_overlap() -> None:
    made = mix(voices(), seed=1, turns=20, overlap=0.2)
    assert sum(share > 0.01 for share in overlaps(made)) >= 5


def test_the_same_seed_is_the_same_meeting() -> None:
    one, two = mix(voices(), seed=3, turns=6), mix(voices(), seed=3, turns=6)
    assert one.turns == two.turns
    assert all(np.array_equal(one.tracks[name], two.tracks[name]) for name in one.tracks)
    assert mix(voices(), seed=4, turns=6).turns != one.turns


def test_each_voice_is_at_its_place_with_one_gain() -> None:
    made = mix(voices(), seed=5, turns=10, gain_db=6.0)
    for name, track in made.tracks.items():
        own = [t for t in made.turns if t.speaker == name]
        gains = [loudness(track[t.begin : t.begin + t.length]) / loudness(tone(1)) for t in own]
        assert max(gains) / min(gains) < 1.02
        assert decibels(-6.1) < gains[0] < decibels(6.1)
        silent = np.ones(len(track), bool)
        for t in own:
            silent[t.begin : t.begin + t.length] = False
        assert loudness(track[silent]) == pytest.approx(decibels(-66), rel=0.3)


def test_no_line_comes_again_before_all_have_come() -> None:
    made = mix(voices("AB", lines=3), seed=2, turns=6)
    assert len({turn.text for turn in made.turns}) == 6


def test_music_is_so_much_softer_than_its_voice() -> None:
    music = pink(RATE, 1)
    made = mix(voices(), seed=7, turns=9, gain_db=0.0, music=("B", music, 10.0))
    track = made.tracks["B"]
    silent = np.ones(len(track), bool)
    for t in made.turns:
        if t.speaker == "B":
            silent[t.begin : t.begin + t.length] = False
    ratio = loudness(track[silent]) / loudness(tone(1))
    assert 20 * np.log10(ratio) == pytest.approx(-10.0, abs=0.5)
    assert loudness(made.tracks["A"][:4_000]) < decibels(-60)


def test_pink_noise_has_as_much_in_each_octave() -> None:
    spectrum = np.abs(np.fft.rfft(pink(RATE * 8, 1))) ** 2
    hertz = np.fft.rfftfreq(RATE * 8, 1 / RATE)
    octaves = [spectrum[(hertz >= f) & (hertz < 2 * f)].sum() for f in (100, 400, 1_600)]
    assert max(octaves) / min(octaves) < 1.3


# -- building ------------------------------------------------------------------------------


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small stand-ins for what the Debian packages install."""
    data = tmp_path / "pocketsphinx"
    (data / "tidigits").mkdir(parents=True)
    for name in ("goforward.raw", "something.raw", "tidigits/dhd.2934z.raw"):
        (tone(0.4) * 32_768).astype("<i2").tofile(data / name)
    for name, transcript, text in (
        ("cards", "cards.transcription", "<s> ten of clubs  </s> (001)\n"),
        ("librivox", "transcription", "<s> a more a amiable woman </s> (austen-1)\n"),
    ):
        (data / name).mkdir()
        (data / name / transcript).write_text(text)
    save(data / "cards" / "001.wav", tone(1.0))
    save(data / "librivox" / "austen-1.wav", tone(1.5))
    prompts = tmp_path / "prompts"
    for name in ("a", "agent-incorrect", "agent-loginok", "conf-leaderhasleft", "b", "silence/1"):
        save(prompts / f"{name}.wav", tone(1.2))
    save(tmp_path / "moh" / "song.wav", tone(3.0))
    assets = tmp_path / "assets"
    for name, seconds in (
        ("two_cities", 44.37),
        ("beckett", 2.0),
        ("endgame_nagg_nell", 2.0),
    ):
        save(assets / f"{name}.wav", tone(seconds))
    monkeypatch.setattr(sources, "POCKETSPHINX", data)
    monkeypatch.setattr(sources, "PROMPTS", prompts)
    monkeypatch.setattr(sources, "MUSIC", tmp_path / "moh")
    monkeypatch.setattr(sources, "_assets", lambda: assets)
    return tmp_path


def telephone(path: Path) -> Path:
    save(path / "sample.wav", tone(2.0))
    wheel = path / "pyannote.whl"
    with zipfile.ZipFile(wheel, "w") as files:
        files.write(path / "sample.wav", "pyannote/audio/sample/sample.wav")
        lines = "sample 1 Diane 0.1 0.9 Hello?\nsample 1 Sheila 1.0 1.9 Oh, hello there.\n"
        files.writestr("pyannote/audio/sample/sample.stm", lines)
    return wheel


def test_everything_is_built_from_its_packages(packages: Path, tmp_path: Path) -> None:
    built = build(tmp_path / "out", telephone(tmp_path), lambda _: None)
    assert {Path(b.manifest).name: b.missing for b in built} == {
        "natural.jsonl": (),
        "prompts.jsonl": (),
        "nonspeech.jsonl": (),
        "mixed.jsonl": (),
        "voices.jsonl": (),
    }
    natural = read(tmp_path / "out" / "natural.jsonl")
    texts = {clip.text for clip in natural}
    assert {"ten of clubs", "a more amiable woman", "Hello? Oh, hello there."} <= texts
    assert all(clip.duration is not None and clip.duration <= 30 for clip in natural)
    prompts = read(tmp_path / "out" / "prompts.jsonl")
    # sorted: a, agent-incorrect, agent-loginok, b, conf-leaderhasleft, silence/1
    assert [Path(c.audio_filepath).stem for c in prompts] == ["agent-incorrect", "1"]
    assert [bool(c.text) for c in prompts] == [True, False]
    mixed = read(tmp_path / "out" / "mixed.jsonl")
    voices = read(tmp_path / "out" / "voices.jsonl")
    assert sorted(c.text for c in mixed) == sorted(c.text for c in voices)
    assert {c.meeting for c in mixed} == {"m1", "m2", "m3", "m4"}
    assert all(c.text == "" for c in read(tmp_path / "out" / "nonspeech.jsonl"))


def test_ten_minutes_hold_no_speech() -> None:
    from pipeline.evaluate.stt.corpus import build as module

    made = sum(seconds for _, seconds in (*module._NOISES, *module._SILENCES))
    five_songs, shortest = 5 * module._MUSIC_S, 73.0
    assert made + five_songs - (module._MUSIC_S - shortest) >= 600


def test_what_is_missing_is_told_and_the_rest_is_built(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "PROMPTS", tmp_path / "none")
    built = {Path(b.manifest).stem: b for b in build(tmp_path / "out", None, lambda _: None)}
    assert built["natural"].clips == 9
    assert built["natural"].missing[0].startswith("telephone call: pip download")
    assert built["prompts"].missing == ("prompts: apt-get install asterisk-core-sounds-en-wav",)
    assert built["mixed"].clips == 0
    assert built["nonspeech"].clips == 6
    assert not (tmp_path / "out" / "prompts.jsonl").exists()


def test_a_file_that_is_not_that_wheel_is_told(packages: Path, tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"PK nonsense")
    built = build(tmp_path / "out", tmp_path / "x.whl", lambda _: None)
    assert any("is not that wheel" in reason for reason in built[0].missing)


def test_a_folder_that_cannot_be_written_is_one_line(packages: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        build(tmp_path / "file" / "out", None, lambda _: None)


def test_every_prompt_of_the_list_is_named_once() -> None:
    names = [name for name, _ in sources._prompt_texts()]
    assert len(names) == len(set(names)) > 200
