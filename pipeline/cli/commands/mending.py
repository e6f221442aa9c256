"""Words that a person settles: ``corrections`` and ``recheck``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import (
    ConfigOption,
    HomeOption,
    JsonOption,
    app,
    one_line_errors,
)


@app.command()
@one_line_errors
def corrections(
    meeting: Annotated[str, typer.Argument(metavar="ID", help="Our id, or a unique prefix.")],
    undo: Annotated[
        str | None,
        typer.Option(
            metavar="UTTERANCE[:N]", help="Take back all of an utterance, or its N-th one."
        ),
    ] = None,
    json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """List the words that were replaced by names and glossary words they sound like.

    Example: rtms-notes corrections 7k2 --undo u12:1
    """
    from pipeline.cli.corrections import run

    run(meeting=meeting, undo=undo, json=json, home=home)


@app.command()
@one_line_errors
def recheck(
    meeting: Annotated[str, typer.Argument(metavar="ID", help="Our id, or a unique prefix.")],
    engine: Annotated[
        str | None, typer.Option(metavar="NAME", help="Hear them again with this engine.")
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="SEGMENT", help="The words are right; can be repeated."),
    ] = None,
    reject: Annotated[
        list[str] | None,
        typer.Option(metavar="SEGMENT", help="Nobody said this; can be repeated."),
    ] = None,
    audio: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write their sound here, to listen to: SEGMENT.wav."),
    ] = None,
    json: JsonOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
) -> None:
    """List words that may be made up, hear them again, or settle them.

    Example: rtms-notes recheck 7k2 --engine whisper
    """
    from pipeline.cli.recheck import run

    run(
        meeting=meeting,
        engine=engine,
        accept=accept or (),
        reject=reject or (),
        audio=audio,
        json=json,
        home=home,
        config=config,
    )
