"""`rtms-notes bench`: speed against a floor taken in the same run."""

from __future__ import annotations

import asyncio
import os
import platform
import sys

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.evaluate.bench.catalogue import BENCHES, select
from pipeline.evaluate.bench.figure import Figure, Unmeasured


def run(*, names: list[str], json: bool) -> None:
    """Measure and print. A bench this machine cannot run says so on stderr and gives no figure.

    Raises Unmeasured when none of them could run.
    """
    console = Console(stderr=True)
    figures: list[Figure] = []
    left_out: list[str] = []
    for name in select(names):
        try:
            figures += _measured(name, console)
        except Unmeasured as reason:
            left_out.append(f"{name}: not measured: {reason}")
    if left_out and not figures:
        raise Unmeasured("; ".join(left_out))
    for line in left_out:
        sys.stderr.write(line + "\n")
    if json:
        sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")
        return
    _print(figures)


def _measured(name: str, console: Console) -> list[Figure]:
    """The figures of one bench, with a word on the terminal about what is being done."""
    with console.status(f"measuring {name}") as status:

        def progress(doing: str) -> None:
            status.update(f"measuring {name}: {doing}")

        async def measure() -> list[Figure]:
            return list(await BENCHES[name](progress))

        return asyncio.run(measure())


def _print(figures: list[Figure]) -> None:
    console = Console()
    table = Table("bench", "value", "floor", "ratio", "spread", box=None)
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.value:g} {figure.unit}",
            "" if figure.floor is None else f"{figure.floor:g}",
            "" if figure.ratio is None else f"{figure.ratio:g}",
            f"{figure.spread:g}",
        )
    console.print(table)
    for figure in figures:
        console.print(f"[bold]{figure.name}[/bold]: {escape(figure.note)}", highlight=False)
    console.print(
        f"[dim]{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores;"
        " ratio above 1 is better than the floor[/dim]"
    )
