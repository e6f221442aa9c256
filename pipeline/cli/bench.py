"""`rtms-notes bench`: speed against a floor taken in the same run."""

from __future__ import annotations

import asyncio
import os
import platform
import sys

import msgspec
from rich.console import Console
from rich.table import Table

from pipeline.evaluate.bench import BENCHES, Figure, select


def run(*, names: list[str], json: bool) -> None:
    """Measure and print."""
    console = Console(stderr=True)
    figures: list[Figure] = []
    for name in select(names):
        with console.status(f"measuring {name}"):
            figures.append(asyncio.run(_one(name)))
    if json:
        sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")
        return
    table = Table("bench", "value", "floor", "ratio", "spread", "what", box=None)
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.value:g} {figure.unit}",
            "" if figure.floor is None else f"{figure.floor:g}",
            "" if figure.ratio is None else f"{figure.ratio:g}",
            f"{figure.spread:g}",
            figure.note,
        )
    Console().print(table)
    Console().print(
        f"[dim]{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores;"
        " ratio above 1 is better than the floor[/dim]"
    )


async def _one(name: str) -> Figure:
    return await BENCHES[name]()
