"""Commands that read the store: meetings, show, search, export, config; and its upkeep."""

from __future__ import annotations

import os
import re
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import Progress
from rich.table import Column, Table
from rich.text import Text

from pipeline.base.errors import BadInput, NotFound, StorageError
from pipeline.config import load, rows
from pipeline.export import markdown
from pipeline.export.beside import fault_line, happening_line, picture_line
from pipeline.export.chat import audience, files_line, reactions_line
from pipeline.export.escape import clean
from pipeline.export.formats import FORMATS
from pipeline.model.speech import Message
from pipeline.model.state import MeetingState
from pipeline.model.view import MeetingView
from pipeline.store import rebuild as rebuilding
from pipeline.store import verify as verifying
from pipeline.store.layout import images as images_folder
from pipeline.store.reader import Reader


def _reader(home: Path | None) -> Reader:
    return Reader.open(home or load().settings.home)


def _print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def _when(view: MeetingView) -> str:
    at = datetime.fromtimestamp(view.started_ms / 1000, ZoneInfo(view.zone))
    return at.strftime("%Y-%m-%d %H:%M")


def meetings(*, json: bool, home: Path | None) -> None:
    """Print the list of meetings."""
    found = _reader(home).meetings()
    if json:
        _print_json(found)
        return
    if not found:
        typer.echo("no meetings yet; try `rtms-notes demo`, or `rtms-notes serve` for real ones")
        return
    table = Table("id", "started", "state", "title", box=None)
    for view in found:
        table.add_row(view.id, _when(view), view.state, Text(clean(view.title or "(untitled)")))
    Console().print(table)


def show(*, meeting: str, transcript: bool, json: bool, home: Path | None) -> None:
    """Print a meeting's notes, and its transcript when asked for."""
    reader = _reader(home)
    state = reader.state(reader.resolve(meeting))
    if json:
        sys.stdout.write(FORMATS["json"].render(state) + "\n")
        return
    render(notes_only(FORMATS["md"].render(state)))
    if transcript:
        _print_transcript(state)
    _print_faults(state)


def _print_faults(state: MeetingState) -> None:
    """What Zoom sent that could not be used."""
    console = Console()
    if state.faults:
        console.print(Text("From Zoom, not usable", style="dim bold"))
    for fault in state.faults.values():
        console.print(Text(f"  {clean(fault_line(fault))}", style="dim"), soft_wrap=True)


def _print_transcript(state: MeetingState) -> None:
    """Words, chat and gaps by time."""
    zone = ZoneInfo(state.view().zone)
    lines = [(u.start_ms, u.speaker or "Unknown speaker", u.text) for u in state.transcript()]
    lines += [_chat_line(message) for message in state.chat()]
    lines += [(g.from_ms, "missing", g.detail or g.cause) for g in state.missing()]
    lines += [(h.at_ms, "event", happening_line(h)) for h in state.happened()]
    lines += [(i.at_ms, "picture", f"{picture_line(i)}: images/{i.file}") for i in state.pictures()]
    console = Console()
    console.print(Text("Transcript", style="bold"))
    for at_ms, who, words in sorted(lines, key=lambda line: line[0]):
        at = datetime.fromtimestamp(at_ms / 1000, zone).strftime("%H:%M:%S")
        line = Text(f"  {at} ", style="dim")
        style = {"missing": "yellow", "event": "dim", "picture": "dim"}.get(who, "bold")
        line.append(f"{clean(who)}: ", style=style)
        line.append(clean(words))
        console.print(line, soft_wrap=True)


def _chat_line(message: Message) -> tuple[int, str, str]:
    marks = ", ".join(filter(None, ["chat", audience(message)]))
    beside = [f"({line})" for line in (files_line(message), reactions_line(message)) if line]
    words = " ".join([message.text, *beside])
    return message.at_ms, f"{message.speaker or 'Unknown'} ({marks})", words


def notes_only(markdown: str) -> str:
    """The markdown without front matter and transcript, for the terminal."""
    body = markdown.split("\n---\n", 1)[-1]
    return body.split("\n## Transcript", 1)[0]


def search(*, query: str, meeting: str | None, limit: int, json: bool, home: Path | None) -> None:
    """Print where words were said, typed or noted, best first."""
    if not query.strip():
        raise BadInput("name the words to look for")
    reader = _reader(home)
    hits = reader.search(query, meeting=reader.resolve(meeting) if meeting else None, limit=limit)
    if json:
        _print_json(hits)
        return
    if not hits:
        typer.echo(f"nothing found for {query!r}")
        return
    console = Console()
    views = {view.id: view for view in reader.meetings()}
    for hit in hits:
        at = datetime.fromtimestamp(hit.at_ms / 1000, ZoneInfo(views[hit.meeting].zone))
        line = Text(f"{hit.meeting} {at:%Y-%m-%d %H:%M:%S} {hit.ref:>5} ", style="dim")
        line.append(f"{clean(hit.speaker)}: " if hit.speaker else "", style="bold")
        line.append("(private) " if hit.private else "", style="yellow")
        line.append(clean(hit.snippet))
        console.print(line, soft_wrap=True)


def export(*, meeting: str, format: str, out: Path | None, home: Path | None) -> None:  # noqa: A002
    """Write one meeting in one of the formats."""
    if format not in FORMATS:
        raise BadInput(f"--format {format}: there are {', '.join(sorted(FORMATS))}")
    reader = _reader(home)
    state = reader.state(reader.resolve(meeting))
    if format == "md":
        folder = images_folder(reader.home, state.meeting).absolute()
        seen = os.path.relpath(folder, out.absolute().parent) if out is not None else str(folder)
        text = markdown.render(state, Path(seen).as_posix())
    else:
        text = FORMATS[format].render(state)
    if out is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    write_private(out, text)
    typer.echo(f"wrote {out}", err=True)


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file only its owner can read. Raises BadInput or StorageError in one line."""
    if not path.parent.is_dir():
        raise NotFound(f"{path.parent}: no such folder")
    if path.is_dir():
        raise BadInput(f"{path}: is a folder; name a file")
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        fresh.replace(path)  # whole or not at all, and never with an older file's mode
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot be written ({error.strerror})") from error


_ANCHOR = re.compile(r'<a id="\^\w+"></a>| \^\w+$', re.MULTILINE)
_TO_ANCHOR = re.compile(r"\]\(#\^\w+\)")


def without_anchors(markdown: str) -> str:
    """What links to an utterance leads nowhere on a terminal: the text without link and target."""
    return _ANCHOR.sub("", _TO_ANCHOR.sub("]", markdown))


def render(text: str) -> None:
    """Markdown: laid out on a terminal, as it is in a pipe."""
    console = Console()
    if console.is_terminal:
        console.print(Markdown(without_anchors(text)))
    else:
        sys.stdout.write(text.strip() + "\n")


def config(*, json: bool, file: Path | None) -> None:
    """Print the effective settings with their sources."""
    table = rows(load(file=file))
    if json:
        _print_json({key: {"value": value, "source": source} for key, value, source in table})
        return
    columns = (Column(name, overflow="fold") for name in ("setting", "value", "source"))
    shown = Table(*columns, box=None)
    for key, value, source in table:
        shown.add_row(key, Text(value), Text(source, style="" if source != "default" else "dim"))
    Console().print(shown)


def rebuild(*, home: Path | None) -> None:
    """Make all projections anew from the log."""
    with Progress(
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("rebuilding", total=None)
        count = rebuilding.rebuild(
            home or load().settings.home,
            lambda done, of: bar.update(task, completed=done, total=of),
        )
    typer.echo(f"rebuilt {count} meeting{'' if count == 1 else 's'} from the log")


def verify(*, home: Path | None) -> None:
    """Print each difference between log and projections in a line; exit 1 if there is any."""
    differences = verifying.verify(home or load().settings.home)
    for line in differences:
        typer.echo(line)
    if differences:
        raise typer.Exit(1)
    typer.echo("the log has no holes and every projection equals its replay")
