"""``bench``, and ``eval`` with its commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import (
    ConfigOption,
    JsonOption,
    app,
    one_line_errors,
)

eval_app = typer.Typer(help="Score notes and speech-to-text.", no_args_is_help=True)
app.add_typer(eval_app, name="eval")


@app.command()
@one_line_errors
def bench(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None,
    json: JsonOption = False,
) -> None:
    """Measure speed: ratios against a floor taken in the same run.

    Example: rtms-notes bench decode --json
    """
    from pipeline.cli.bench import run

    run(names=names or [], json=json)


@eval_app.command("notes")
@one_line_errors
def eval_notes(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of scripted meetings.")],
    json: JsonOption = False,
) -> None:
    """Precision and recall of decisions, actions and questions on scripted meetings.

    Example: rtms-notes eval notes prompts/cases
    """
    from pipeline.cli.evaluate import notes as run

    run(folder=folder, json=json)


@eval_app.command("stt")
@one_line_errors
def eval_stt(
    manifest: Annotated[
        Path,
        typer.Argument(
            help="JSON lines with audio_filepath and text; offset, duration, speaker, meeting."
        ),
    ],
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="NAME", help="As --stt. (default: local)")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write report.json, report.md and plots.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Give the engine whole clips, without our chain.")
    ] = False,
    paced: Annotated[
        bool, typer.Option("--paced", help="In real time: also delays of words, and lag.")
    ] = False,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Meetings as one mixed stream: who speaks is a guess.")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare with an earlier report.json.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Score a speech-to-text engine: words, characters, speakers, speed.

    Example: rtms-notes eval stt corpus/natural.jsonl --engine local --out report
    """
    from pipeline.cli.eval_stt import run

    run(
        manifest=manifest,
        engine=engine,
        json=json,
        out=out,
        whole=whole,
        paced=paced,
        mixed=mixed,
        against=against,
        config=config,
    )


@eval_app.command("corpus")
@one_line_errors
def eval_corpus(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where manifests and audio go.")],
    pyannote: Annotated[
        Path | None,
        typer.Option(metavar="WHEEL", help="A downloaded pyannote-audio wheel (a telephone call)."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Build recordings with their words from what is installed, to score engines on.

    Example: rtms-notes eval corpus corpus --pyannote pyannote_audio-4.0.7-py3-none-any.whl
    """
    from pipeline.cli.eval_stt import build_corpus

    build_corpus(folder=folder, pyannote=pyannote, json=json)
