"""``rtms-notes eval stt`` and ``eval corpus``: how well an engine hears."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from pipeline.base import log
from pipeline.base.errors import BadInput
from pipeline.cli.serve import event_loop
from pipeline.config import load

try:
    from pipeline.evaluate.stt import report as reports
    from pipeline.evaluate.stt import runner
    from pipeline.evaluate.stt.corpus.build import Built, build
    from pipeline.evaluate.stt.manifest import read
    from pipeline.evaluate.stt.score import Result
    from pipeline.evaluate.stt.units import Unit, count
except ModuleNotFoundError as error:
    raise BadInput(
        f"eval needs {error.name}: pip install 'rtms-notes[eval]'"
        " (in a checkout: .venv/bin/pip install -c constraints.txt -e '.[eval]')"
    ) from error


def run(
    *,
    manifest: Path,
    engine: str | None,
    json: bool,
    out: Path | None,
    whole: bool,
    paced: bool,
    mixed: bool,
    against: Path | None,
    config: Path | None,
) -> None:
    """Score an engine on a manifest. Raises BadInput, ConfigError, EngineError."""
    if whole and (paced or mixed):
        raise BadInput("--whole leaves our chain out: it goes with neither --paced nor --mixed")
    settings = load(file=config, flags={"general.stt": engine or "local"}).settings
    if settings.general.stt in ("native", "both"):
        raise BadInput(f"--engine {settings.general.stt}: name one engine, such as local")
    before = None if against is None else reports.read_report(against)
    clips = read(manifest)
    log.set_up(level="error")
    mode: reports.Mode = "whole" if whole else "paced" if paced else "segments"
    results: list[Result] = []
    with _progress() as bar:
        task = bar.add_task(manifest.name, total=count(clips))

        def done(_unit: Unit) -> None:
            bar.advance(task)

        async def hear() -> None:
            results.extend(
                await runner.evaluate(clips, settings, mode=mode, mixed=mixed, progress=done)
            )

        event_loop(hear())
    found = reports.report(
        results,
        manifest=str(manifest),
        engine=settings.general.stt,
        mode=mode,
        mixed=mixed,
        machine=runner.machine(),
        settings=runner.chosen(settings),
    )
    if out is not None:
        _write(found, before, out)
    if json:
        sys.stdout.write(_json(found) + "\n")
    else:
        _print(found, before, out)


def build_corpus(*, folder: Path, pyannote: Path | None, json: bool) -> None:
    """Build the corpora and say what is missing. Raises BadInput."""
    console = Console(stderr=True)
    with console.status("building") as status:
        built = build(folder, pyannote, lambda doing: status.update(f"building {doing}"))
    if json:
        sys.stdout.write(msgspec.json.encode(built).decode() + "\n")
        return
    console = Console()
    for part in built:
        _print_part(console, part)


def _print_part(console: Console, part: Built) -> None:
    if part.clips:
        line = f"{part.manifest}: {part.clips} recordings, {part.seconds:.0f} s"
        console.print(Text(line), soft_wrap=True)
    for reason in part.missing:
        console.print(
            Text(f"not in {Path(part.manifest).name}: {reason}", "yellow"), soft_wrap=True
        )


def _write(found: reports.Report, before: reports.Report | None, out: Path) -> None:
    from pipeline.evaluate.stt.plots import draw

    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.json").write_text(_json(found) + "\n", encoding="utf-8")
        (out / "report.md").write_text(reports.markdown(found, before), encoding="utf-8")
        draw(found, out)
    except OSError as error:
        raise BadInput(f"--out {out}: cannot be written ({error.strerror})") from error


def _json(found: reports.Report) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode()


def _print(found: reports.Report, before: reports.Report | None, out: Path | None) -> None:
    console = Console()
    heading = f"{found.engine} on {Path(found.manifest).name}, {reports.title(found)}"
    table = Table("figure", "value", box=None, title=Text(heading), title_justify="left")
    if before is not None:
        table.add_column("before")
    for row in reports.rows(found, before):
        cells: list[Any] = [Text(row.what), Text(row.value)]
        table.add_row(*cells, *([] if before is None else [Text(row.before)]))
    console.print(table)
    for added in (a for r in found.results for a in r.added):
        line = f"added: {added.word!r} in {added.text!r}, {added.unit} at {added.start_ms} ms"
        console.print(Text(line, "yellow"), soft_wrap=True)
    if before is not None:
        for line in reports.changes(found, before):
            console.print(Text(line), soft_wrap=True)
    console.print(Text(found.machine, "dim"), soft_wrap=True)
    if out is not None:
        console.print(Text(f"written to {out}", "bold"), soft_wrap=True)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
