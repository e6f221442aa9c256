"""`rtms-notes tape info|cut|build`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pipeline.base.errors import BadInput, NotFound
from pipeline.export.escape import clean
from pipeline.tapes.describe import Description, describe

if TYPE_CHECKING:
    from pipeline.tapes.meeting_files import Shared

Voices = Literal["auto", "flite", "espeak-ng", "none"]
VOICES: Final[tuple[Voices, ...]] = ("auto", "flite", "espeak-ng", "none")

ENDING: Final = ".rtms.zst"
SCRIPTS: Final = (".yaml", ".yml")
START: Final = "2026-01-05T09:00:00"
"""Of a meeting that does not say: fixed, so that the same inputs give the same tape."""


def info(*, tape: Path, json: bool) -> None:
    """Print what is on a tape."""
    with _progress("reading", None) as tell:
        found = describe(tape, tell=tell)
    if json:
        _json(found)
    else:
        _table(found)


def cut(*, tape: Path, begin: str | None, end: str | None, out: Path, json: bool) -> None:
    """Write a piece of a tape as a tape."""
    from pipeline.tapes.cut import cut as run

    start_ms = 0 if begin is None else moment(begin)
    end_ms = None if end is None else moment(end)
    with _progress("cutting", None) as tell:
        run(tape, _tape_name(out), start_ms=start_ms, end_ms=end_ms, tell=tell)
    _made(out, json=json)


def build(
    *,
    inputs: Sequence[Path],
    out: Path,
    transcript: Path | None,
    voices: Voices | None,
    mixed: bool,
    lossless: bool,
    share: Sequence[str],
    title: str | None,
    zone: str | None,
    start: str | None,
    credit: str,
    json: bool,
) -> None:
    """Make a tape from tapes, a script, or sound files and a transcript."""
    _tape_name(out)
    if out in inputs:
        raise BadInput(f"{out} is one of the inputs; give another --out")
    kinds = [_kind(path) for path in inputs]
    only = {
        "--transcript": transcript,
        "--voices": voices,
        "--mixed": mixed,
        "--lossless": lossless,
        "--share": share,
        "--title": title,
        "--zone": zone,
        "--start": start,
        "--credits": credit,
    }
    if "tape" in kinds:
        if set(kinds) != {"tape"}:
            raise BadInput("tapes can only be put together with other tapes")
        _refuse(only, (), "tapes are put together as they are")
        _join(inputs, out)
    elif "script" in kinds:
        if len(inputs) != 1:
            raise BadInput("a script is built by itself; give nothing beside it")
        _refuse(
            only, ("--voices", "--credits"), "a script says the rest itself, and has no pictures"
        )
        _script(inputs[0], out, voices or "auto", credit)
    else:
        texts = [p for p, kind in zip(inputs, kinds, strict=True) if kind == "transcript"]
        texts += [transcript] if transcript is not None else []
        if len(texts) > 1:
            raise BadInput(f"one transcript at most, not {len(texts)}")
        sounds = [p for p, kind in zip(inputs, kinds, strict=True) if kind == "sound"]
        if sounds and voices not in (None, "none"):
            raise BadInput("--voices speaks a transcript or script; there is sound already")
        _files(
            sounds,
            texts[0] if texts else None,
            out,
            voices=voices or "none",
            mixed=mixed,
            lossless=lossless,
            share=share,
            title=title or out.name.removesuffix(ENDING),
            zone=zone or "UTC",
            start=start or START,
            credit=credit,
        )
    _made(out, json=json)


def moment(text: str) -> int:
    """``75``, ``75.5``, ``1:15`` or ``1:02:03.5`` as milliseconds. Raises BadInput."""
    if not re.fullmatch(r"(\d{1,3}:)?(\d{1,3}:)?\d{1,6}(\.\d{1,3})?", text):
        raise BadInput(f"{text!r} is no time; write seconds, or H:MM:SS")
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return round(seconds * 1000)


def _join(inputs: Sequence[Path], out: Path) -> None:
    from pipeline.tapes.join import join

    with _progress("putting together", None) as tell:
        join(inputs, out, tell=tell)


def _script(path: Path, out: Path, voices: Voices, credit: str) -> None:
    from pipeline.tapes.build import build as run
    from pipeline.tapes.script import load_script
    from pipeline.tapes.voices import find_engine, render
    from pipeline.tapes.writer import TapeWriter

    script = load_script(path)
    sounds = None
    if voices != "none":
        engine = find_engine(voices)
        with _progress("speaking", len(script.turns)) as tell:
            sounds = render(engine, script, tell)
        credit = credit or engine.credit
    header, lines = run(script, sounds, credit=credit)
    with TapeWriter(out, header) as tape:
        for line in lines:
            tape.write(line)


def _files(
    sounds: Sequence[Path],
    text: Path | None,
    out: Path,
    *,
    voices: Voices,
    mixed: bool,
    lossless: bool,
    share: Sequence[str],
    title: str,
    zone: str,
    start: str,
    credit: str,
) -> None:
    from pipeline.tapes.meeting_files import Source, Voice, build_meeting
    from pipeline.tapes.transcripts import read_transcript
    from pipeline.tapes.voices import find_engine
    from pipeline.tapes.writer import QUICK, TapeWriter

    words = tuple(read_transcript(text)) if text is not None else ()
    speakers = {w.speaker for w in words if w.speaker}
    engine = find_engine(voices) if voices != "none" else None
    source = Source(
        voices=tuple(Voice(path, name) for name, path in map(_named, sounds)),
        words=words,
        shared=tuple(map(_shared, share)),
        mixed=mixed or (len(sounds) == 1 and len(speakers) > 1),
        lossless=lossless,
        title=title,
        zone=zone,
        start_ms=_start_ms(start, zone),
        credit=credit or (engine.credit if engine is not None else ""),
    )
    with _progress("building", None) as tell:
        header, lines = build_meeting(source, engine=engine, tell=tell)
        with TapeWriter(out, header, level=QUICK) as tape:
            for line in lines:
                tape.write(line)


def _kind(path: Path) -> Literal["tape", "script", "transcript", "sound"]:
    from pipeline.tapes.transcripts import KINDS

    if path.name.endswith(ENDING):
        return "tape"
    ending = path.suffix.lower()
    if ending in SCRIPTS:
        return "script"
    return "transcript" if ending in KINDS else "sound"


def _named(path: Path) -> tuple[str | None, Path]:
    """``Anna Miller=anna.wav`` names whose sound it is."""
    name, sign, file = str(path).partition("=")
    if not sign or path.exists():
        return None, path
    if not name.strip() or not file:
        raise BadInput(f"{str(path)!r}: write NAME=FILE")
    return name.strip(), Path(file)


def _shared(text: str) -> Shared:
    from pipeline.tapes.meeting_files import Shared

    name, sign, at = text.rpartition("@")
    if not sign or not name:
        raise BadInput(f"--share {text!r}: write IMAGE@SECONDS")
    return Shared(Path(name), moment(at))


def _start_ms(start: str, zone: str) -> int:
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(f"--zone {zone!r} is no IANA time zone, such as Europe/London") from None
    try:
        local = datetime.fromisoformat(start)
        local = local if local.tzinfo is not None else local.replace(tzinfo=place)
        ms = round(local.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"--start {start!r}: {error}; write 2026-11-24T10:00") from None
    if ms < 10**11:
        raise BadInput(f"--start {start!r} is before 1974; RTMS times would be ambiguous")
    return ms


def _refuse(options: Mapping[str, object], allowed: Sequence[str], why: str) -> None:
    given = [name for name, value in options.items() if value and name not in allowed]
    if given:
        raise BadInput(f"{', '.join(given)} cannot be given here: {why}")


def _tape_name(out: Path) -> Path:
    if not out.name.endswith(ENDING):
        raise BadInput(f"--out {out}: a tape's name ends in {ENDING}")
    if not out.parent.is_dir():
        raise NotFound(f"{out.parent}: no such folder")
    return out


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None] | None]:
    """A bar on a terminal, nothing elsewhere. Without a total it counts the tape's time."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        shown = 0

        def tell(done: int) -> None:
            nonlocal shown
            if total is None and done - shown < 1_000 and done >= shown:
                return
            shown = done
            text = f"{what}: {done} of {total}" if total else f"{what}: {_clock(done)}"
            bar.update(task, description=text, completed=done)

        yield tell


def _clock(ms: int) -> str:
    minutes, seconds = divmod(ms // 1000, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _made(out: Path, *, json: bool) -> None:
    found = describe(out)
    if json:
        _json(found)
    else:
        print(
            f"{clean(str(out))}: {found.duration_ms / 1000:.1f} s, {found.lines} lines,"
            f" {found.bytes / 1e6:.2f} MB"
        )


def _json(found: Description) -> None:
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


def _table(found: Description) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    for name, value in _rows(found):
        table.add_row(Text(name), Text(clean(value)))
    console.print(table)
    people = Table("user id", "name", "speech")
    for person in found.participants:
        who = person.channel_id if person.user_id == 0 and person.channel_id else person.user_id
        name = person.user_name or ("everybody, mixed" if who == 0 else "")
        seconds = f"{person.audio_ms / 1000:.1f} s"
        people.add_row(Text(clean(str(who))), Text(clean(name)), Text(seconds))
    console.print(people)


def _rows(found: Description) -> Iterator[tuple[str, str]]:
    yield "tape", f"{found.file} (version {found.version})"
    if found.cut_off:
        yield "cut off", "its end is missing; `tape cut` writes what is here as a whole tape"
    yield "title", found.title
    yield "product", found.product
    yield "id", found.id
    yield "stream", found.stream
    yield "start", found.start
    yield "length", f"{found.duration_ms / 1000:.1f} s"
    yield "size", f"{found.bytes / 1e6:.2f} MB, {found.lines} lines"
    for coded in found.audio:
        channels = "stereo" if coded.channels == 2 else "mono"
        packets = f"{coded.packets} packets of {coded.packet_ms} ms"
        yield "audio", f"{coded.codec}, {coded.sample_rate} Hz {channels}, {packets}"
    for mark in found.lost:
        yield "lost", f"{mark.media} for {mark.ms / 1000:g} s at {mark.t / 1000:.1f} s"
    if found.more_lost:
        yield "lost", f"and {found.more_lost} times more"
    for cause, frames in found.missing.items():
        yield "missing", f"{frames} frames ({cause.replace('_', ' ')})"
    yield "messages", ", ".join(f"{name} {count}" for name, count in found.messages.items())
    yield "credits", found.credits
