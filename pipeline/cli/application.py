"""The typer application, and what its commands share. The commands are in ``commands/``."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
R = TypeVar("R")

app = typer.Typer(
    name="rtms-notes",
    help="Live meeting notes from Zoom's Realtime Media Streams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Folder of the store (RTMS_NOTES_HOME)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings file (TOML).")
]
RecordOption = Annotated[
    Literal["off", "flac", "opus"] | None,
    typer.Option("--record", help="Keep everybody's audio, lossless or small."),
]
SttOption = Annotated[
    str | None,
    typer.Option(
        "--stt",
        metavar="native|both|ENGINE",
        help="Where the words come from: Zoom, Zoom and an engine, or an engine (local, whisper, "
        "openai, openai-realtime, deepgram).",
    ),
]


def one_line_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Errors we raise on purpose become one line on stderr and exit status 1."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        from pipeline.base.errors import RtmsNotesError

        try:
            return command(*args, **kwargs)
        except RtmsNotesError as error:
            first: BaseException = error
        except KeyboardInterrupt:
            typer.echo("rtms-notes: stopped; what was committed is kept", err=True)
            raise typer.Exit(130) from None
        except BaseExceptionGroup as group:
            ours, others = group.split(RtmsNotesError)
            if ours is None or others is not None:
                raise
            first = _first_leaf(ours)
        typer.echo(f"rtms-notes: {first}", err=True)
        raise typer.Exit(1)

    return wrapped


def _first_leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"rtms-notes {version('rtms-notes')} (Python {sys.version.split()[0]})")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
