"""Who said what when, from VTT, SRT, JSON or plain text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.base.errors import BadInput, NotFound

KINDS: Final = (".vtt", ".srt", ".json", ".txt")
LARGEST: Final = 64 << 20
"""Bytes of a transcript that are read."""

_TIME: Final = r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_CUE: Final = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}")
_VOICE: Final = re.compile(r"<v(?:\.[^ >]*)?\s+([^>]+)>")
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>")
_NAMED: Final = re.compile(r"^\s*[\[(]?([^\W\d_][^:\]\n]{0,59}?)[\])]?\s*:\s+(\S.*)$", re.DOTALL)
_MOST_NAME_WORDS: Final = 5


class Words(msgspec.Struct, frozen=True):
    """One thing that was said; ms from the start, None where the file has no times."""

    speaker: str | None
    text: str
    start_ms: int | None = None
    end_ms: int | None = None


def read_transcript(path: Path) -> list[Words]:
    """In order of time. The speaker is the voice tag ``<v Name>``, the key ``speaker``, or the
    ``Name:`` before the words. Raises NotFound, BadInput naming file and line.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise NotFound(f"{path}: no such transcript") from None
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise BadInput(f"{path}: larger than {LARGEST >> 20} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 (byte {error.start})") from error
    match path.suffix.lower():
        case ".vtt" | ".srt":
            found = list(_cues(path, text))
        case ".json":
            found = _from_json(path, text)
        case ".txt":
            found = list(_lines(path, text))
        case other:
            raise BadInput(f"{path}: {other or 'no ending'}; a transcript is one of {KINDS}")
    if not found:
        raise BadInput(f"{path}: no words in it")
    return sorted(found, key=lambda words: words.start_ms or 0)


def _cues(path: Path, text: str) -> Iterator[Words]:
    """Blocks of a VTT or SRT file; WEBVTT, NOTE, STYLE and REGION blocks have no arrow."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    number = 0
    speaker: str | None = None
    while number < len(lines):
        line = lines[number]
        number += 1
        if "-->" not in line:
            continue
        times = _CUE.match(line)
        if times is None:
            raise BadInput(f"{path}, line {number}: not a cue's times: {line.strip()[:60]!r}")
        start, end = _ms(times.groups()[:4]), _ms(times.groups()[4:])
        if end < start:
            raise BadInput(f"{path}, line {number}: ends before it begins")
        payload: list[str] = []
        while number < len(lines) and lines[number].strip():
            payload.append(lines[number])
            number += 1
        for voice, said in _voices(" ".join(payload)):
            speaker = voice or speaker
            yield Words(speaker, said, start, end)


def _voices(payload: str) -> Iterator[tuple[str | None, str]]:
    """Speaker and words of one cue; several ``<v>`` in a cue are several speakers."""
    parts = _VOICE.split(payload)
    if len(parts) > 1:
        for place in range(1, len(parts), 2):
            said = _plain(parts[place + 1])
            if said:
                yield _plain(parts[place]), said
        return
    said = _plain(payload)
    if said:
        yield _named(said)


def _named(text: str) -> tuple[str | None, str]:
    """``Name: words`` apart; None where nobody is named."""
    found = _NAMED.match(text)
    if found is None or len(found[1].split()) > _MOST_NAME_WORDS:
        return None, text
    return found[1].strip(), found[2].strip()


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", text)).split())


def _ms(groups: tuple[str | Any, ...]) -> int:
    hours, minutes, seconds, fraction = groups
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int(str(fraction).ljust(3, "0"))


def _lines(path: Path, text: str) -> Iterator[Words]:
    """``Name: words`` a line, without times; a line without a name goes on."""
    speaker: str | None = None
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        named, said = _named(line.strip())
        speaker = named or speaker
        if speaker is None:
            raise BadInput(f"{path}: its first line names nobody; write 'Name: words'")
        yield Words(speaker, said)


def _from_json(path: Path, text: str) -> list[Words]:
    """A list of rows, or an object that holds one: our own export (``transcript``), Whisper's and
    WhisperX's (``segments``)."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput(f"{path}: {error}") from error
    origin = 0
    rows = found
    if isinstance(found, dict):
        rows = next(
            (found[k] for k in ("transcript", "segments", "utterances", "cues") if k in found), None
        )
        meeting = found.get("meeting")
        if isinstance(meeting, dict) and type(meeting.get("started_ms")) is int:
            origin = meeting["started_ms"]
    if not isinstance(rows, list):
        raise BadInput(
            f"{path}: no list of words (looked for transcript, segments, utterances, cues)"
        )
    people = _people(found)
    return [
        words
        for number, row in enumerate(rows, start=1)
        if (words := _row(path, number, row, origin, people)) is not None
    ]


def _people(found: Any) -> dict[str, str]:
    rows = found.get("participants") if isinstance(found, dict) else None
    return {
        str(row["id"]): str(row["name"])
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and "id" in row and "name" in row
    }


def _row(path: Path, number: int, row: Any, origin: int, people: dict[str, str]) -> Words | None:
    if not isinstance(row, dict):
        raise BadInput(f"{path}, entry {number}: not an object")
    text = row.get("text", row.get("words"))
    if not isinstance(text, str):
        raise BadInput(f"{path}, entry {number}: no text")
    if row.get("deleted") is True or not text.strip():
        return None
    speaker = row.get("speaker") or people.get(str(row.get("participant"))) or row.get("user_name")
    named, said = (str(speaker), text) if speaker else _named(text.strip())
    start, end = (_moment(path, number, row, key, origin) for key in ("start", "end"))
    if start is not None and end is not None and end < start:
        raise BadInput(f"{path}, entry {number}: ends before it begins")
    return Words(named, " ".join(said.split()), start, end)


def _moment(path: Path, number: int, row: dict[str, Any], key: str, origin: int) -> int | None:
    """``start_ms`` in ms (from ``origin``, our export's) or ``start`` in seconds."""
    for name, scale in ((f"{key}_ms", 1), (key, 1000)):
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            ms = round(value * scale)
            ms -= origin if name.endswith("_ms") and ms >= origin else 0
            if not 0 <= ms <= 48 * 3_600_000:
                raise BadInput(f"{path}, entry {number}: {name} {value} is no time of a meeting")
            return ms
        if value is not None:
            raise BadInput(f"{path}, entry {number}: {name} is not a number")
    return None
