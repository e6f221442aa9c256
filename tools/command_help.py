"""Writes docs/commands.md from the commands themselves; ``--check`` only compares (CI)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.update(COLUMNS="100", NO_COLOR="1", TERM="dumb", _TYPER_FORCE_DISABLE_TERMINAL="1")

import click
import typer
from typer.testing import CliRunner

from pipeline.cli.app import app

OUT = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
HEAD = """# Commands

Made by `make docs` from the commands themselves; a test checks that it is current.
"""


def paths(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command, depth first, in the order of its declaration."""
    subcommands = getattr(command, "commands", None)
    if subcommands is None or not path:
        yield path
    for name, sub in (subcommands or {}).items():
        yield from paths(sub, (*path, name))


def render() -> str:
    """The whole page."""
    runner = CliRunner()
    parts = [HEAD]
    for path in paths(typer.main.get_command(app)):
        shown = runner.invoke(app, [*path, "--help"], prog_name="rtms-notes")
        text = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
        parts.append(f"## {' '.join(('rtms-notes', *path))}\n\n```\n{text}\n```\n")
    return "\n".join(parts)


def main() -> None:
    fresh = render()
    if "--check" in sys.argv:
        if not OUT.is_file() or OUT.read_text(encoding="utf-8") != fresh:
            sys.exit("docs/commands.md is not current; run `make docs`")
        return
    OUT.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main()
