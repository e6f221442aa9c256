"""Recordings of speech inside packages, and what is said in them.

No recording is ours or in this repository: each comes with a package under its own licence
(docs/transcription.md, "Corpus").
"""

from __future__ import annotations

import importlib.util
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.audio.packet import mono
from pipeline.base.errors import BadInput
from pipeline.evaluate.stt.manifest import Clip
from pipeline.evaluate.stt.sound import save

POCKETSPHINX: Final = Path("/usr/share/pocketsphinx/test/data")
PROMPTS: Final = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
MUSIC: Final = Path("/usr/share/asterisk/moh")

TWO_CITIES: Final = (
    (0.0, 4.6, "It was the best of times, it was the worst of times,"),
    (4.6, 8.3, "it was the age of wisdom, it was the age of foolishness,"),
    (8.3, 13.1, "it was the epoch of belief, it was the epoch of incredulity,"),
    (13.1, 17.0, "it was the season of Light, it was the season of Darkness,"),
    (17.0, 20.9, "it was the spring of hope, it was the winter of despair,"),
    (20.9, 24.2, "we had everything before us, we had nothing before us,"),
    (
        24.2,
        28.6,
        "we were all going direct to Heaven, we were all going direct the other way",
    ),
    (
        28.6,
        44.3,
        (
            "in short, the period was so far like the present period, that some of its noisiest"
            " authorities insisted on its being received, for good or for evil, in the superlative"
            " degree of comparison only."
        ),
    ),
)
"""Dickens, read for LibriVox: begin and end (in pauses of half a second and more) and words."""

_SPLIT: Final = 28.6
"""Where the reading is cut for whole clips of at most 30 s."""

_BECKETT: Final = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
_ENDGAME: Final = (
    "Do you hear me? Yes. Do you hear me? Yes. We laugh less heartily, so we have still that"
    " resource. We laugh less heartily, so we have still that resource? No, not heartily, just less"
    " heartily. Ah that's a good story, ah that's a good story. What are you talking about?"
    " Laughing. I thought you were in pain. Not now. Do you remember the day I went and fetched you"
    " from that ditch? No."
)
"""The words it was made from (two synthetic voices, says the script that made it)."""

_RAW: Final = (
    ("goforward.raw", "go forward ten meters"),
    ("something.raw", "go somewhere and do something"),
    ("tidigits/dhd.2934z.raw", "two nine three four zero"),
)
"""Left out: ``numbers.raw`` and moonshine's ``clone-test.wav``, whose words nothing tells."""

_SLIPS: Final = (("more a amiable", "more amiable"),)
"""Slips of the pen in transcriptions, by the printed book."""

_SPOKEN: Final = re.compile(r"<s>(.*)</s>\s*\(([\w.-]+)\)", re.ASCII)


class NoSource(BadInput):
    """A part of a corpus cannot be built here; the message says what to install."""


def pocketsphinx(folder: Path) -> list[Clip]:
    """Read, spoken and digits (Debian ``pocketsphinx-testdata``, BSD). Raw files are written to
    ``folder`` as wav. Raises NoSource."""
    if not (POCKETSPHINX / "goforward.raw").is_file():
        raise NoSource("pocketsphinx: apt-get install pocketsphinx-testdata")
    clips = []
    for name, speaker, transcript in (
        ("cards", "cards", "cards.transcription"),
        ("librivox", "austen", "transcription"),
    ):
        lines = (POCKETSPHINX / name / transcript).read_text(encoding="utf-8")
        for text, file in _SPOKEN.findall(lines):
            path = POCKETSPHINX / name / f"{file}.wav"
            clips.append(Clip(audio_filepath=str(path), text=_mended(text), speaker=speaker))
    for name, text in _RAW:
        samples = mono(np.fromfile(POCKETSPHINX / name, "<i2").reshape(-1, 1))
        path = folder / "pocketsphinx" / f"{Path(name).stem}.wav"
        save(path, samples)
        clips.append(Clip(audio_filepath=str(path), text=text))
    return clips


def moonshine() -> list[Clip]:
    """Read and spoken (wheel ``moonshine-voice`` 0.1.0, MIT). Raises NoSource."""
    assets = _assets()
    first = " ".join(text for _, end, text in TWO_CITIES if end <= _SPLIT)
    second = " ".join(text for begin, _, text in TWO_CITIES if begin >= _SPLIT)
    cities = str(assets / "two_cities.wav")
    return [
        Clip(audio_filepath=cities, duration=_SPLIT, text=first, speaker="dickens"),
        Clip(audio_filepath=cities, offset=_SPLIT, text=second, speaker="dickens"),
        Clip(audio_filepath=str(assets / "beckett.wav"), text=_BECKETT, speaker="beckett"),
        Clip(audio_filepath=str(assets / "endgame_nagg_nell.wav"), text=_ENDGAME),
    ]


def dickens() -> list[Clip]:
    """The reading of ``moonshine`` in pieces of a sentence. Raises NoSource."""
    path = str(_assets() / "two_cities.wav")
    return [
        Clip(
            audio_filepath=path,
            offset=begin,
            duration=round(end - begin, 3),
            text=text,
            speaker="dickens",
        )
        for begin, end, text in TWO_CITIES
    ]


def pyannote(wheel: Path | None, folder: Path) -> list[Clip]:
    """A telephone call of two people who interrupt one another (wheel ``pyannote-audio``, MIT),
    unpacked to ``folder``. Raises NoSource."""
    how = "pip download --no-deps pyannote-audio, then --pyannote WHEEL"
    if wheel is None:
        raise NoSource(f"telephone call: {how}")
    place = "pyannote/audio/sample/sample"
    try:
        with zipfile.ZipFile(wheel) as files:
            audio, lines = files.read(f"{place}.wav"), files.read(f"{place}.stm").decode()
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise NoSource(f"telephone call: {wheel} is not that wheel ({error}); {how}") from error
    path = folder / "pyannote" / "sample.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(audio)
    said = [line.split(maxsplit=5)[5] for line in lines.splitlines() if len(line.split()) > 5]
    return [Clip(audio_filepath=str(path), text=" ".join(said))]


def prompts() -> list[Clip]:
    """Every even one of Asterisk's sorted core prompts (Debian ``asterisk-core-sounds-en-wav``,
    CC BY-SA 3.0), 8 kHz, one professional voice. Raises NoSource."""
    texts = dict(_prompt_texts())
    files = sorted(
        (path.relative_to(PROMPTS).with_suffix("").as_posix(), path)
        for path in PROMPTS.rglob("*.wav")
    )
    clips = [
        Clip(audio_filepath=str(path), text=texts[name], speaker="allison")
        for name, path in files[1::2]
        if name in texts
    ]
    if not clips:
        raise NoSource("prompts: apt-get install asterisk-core-sounds-en-wav")
    return clips


def music() -> list[Path]:
    """Hold music (Debian ``asterisk-moh-opsound-wav``). Raises NoSource."""
    found = sorted(MUSIC.glob("*.wav"))
    if not found:
        raise NoSource("music: apt-get install asterisk-moh-opsound-wav")
    return found


def _prompt_texts() -> Iterator[tuple[str, str]]:
    path = Path(__file__).with_name("prompts.tsv")
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, _, text = line.partition("\t")
            yield name, text.strip()


def _assets() -> Path:
    found = importlib.util.find_spec("moonshine_voice")
    folder = Path() if found is None or found.origin is None else Path(found.origin).parent
    if not (folder / "assets" / "two_cities.wav").is_file():
        raise NoSource("moonshine's recordings: pip install moonshine-voice==0.1.0")
    return folder / "assets"


def _mended(text: str) -> str:
    for slip, right in _SLIPS:
        text = text.replace(slip, right)
    return " ".join(text.split())
