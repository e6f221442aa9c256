"""What is kept: ``meetings``, ``show``, ``search``, ``export``, ``rebuild``, ``verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import (
    HomeOption,
    JsonOption,
    app,
    one_line_errors,
)


@app.command()
@one_line_errors
def meetings(json: JsonOption = False, home: HomeOption = None) -> None:
    """List the meetings of the store, newest first.

    Example: rtms-notes meetings --json
    """
    from pipeline.cli.reading import meetings as run

    run(json=json, home=home)


@app.command()
@one_line_errors
def show(
    meeting: Annotated[str, typer.Argument(metavar="ID", help="Our id, or any unique prefix.")],
    transcript: Annotated[
        bool, typer.Option("--transcript", help="Also print the transcript.")
    ] = False,
    json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Print a meeting's notes.

    Example: rtms-notes show 3f9 --transcript
    """
    from pipeline.cli.reading import show as run

    run(meeting=meeting, transcript=transcript, json=json, home=home)


@app.command()
@one_line_errors
def search(
    query: Annotated[str, typer.Argument(help="Words to look for.")],
    meeting: Annotated[str | None, typer.Option(metavar="ID", help="Only in this meeting.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=500)] = 20,
    json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Find words in everything that was said, typed and noted.

    Example: rtms-notes search "venue deposit"
    """
    from pipeline.cli.reading import search as run

    run(query=query, meeting=meeting, limit=limit, json=json, home=home)


@app.command()
@one_line_errors
def export(
    meeting: Annotated[str, typer.Argument(metavar="ID", help="Our id, or any unique prefix.")],
    format: Annotated[str, typer.Option("--format", help="md or json.")] = "md",  # noqa: A002 - the option's name
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write here, not to stdout.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Write a meeting as markdown or JSON.

    Example: rtms-notes export 3f9 --format md --out notes.md
    """
    from pipeline.cli.reading import export as run

    run(meeting=meeting, format=format, out=out, home=home)


@app.command()
@one_line_errors
def rebuild(home: HomeOption = None) -> None:
    """Make all projections anew from the log.

    Example: rtms-notes rebuild
    """
    from pipeline.cli.reading import rebuild as run

    run(home=home)


@app.command()
@one_line_errors
def verify(home: HomeOption = None) -> None:
    """Check that the log has no holes and that every projection equals its replay.

    Example: rtms-notes verify
    """
    from pipeline.cli.reading import verify as run

    run(home=home)
