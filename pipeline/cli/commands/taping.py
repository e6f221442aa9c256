"""``tape`` with its commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import (
    JsonOption,
    app,
    one_line_errors,
)

tape_app = typer.Typer(help="Describe, cut and build tapes.", no_args_is_help=True)
app.add_typer(tape_app, name="tape")


@tape_app.command("info")
@one_line_errors
def tape_info(
    tape: Annotated[Path, typer.Argument(help="A tape (NAME.rtms.zst).")], json: JsonOption = False
) -> None:
    """Describe a tape, also one that was cut off.

    Example: rtms-notes tape info monday.rtms.zst
    """
    from pipeline.cli.tape import info as run

    run(tape=tape, json=json)


OutTape = Annotated[
    Path, typer.Option("--out", "-o", metavar="FILE", help="The new tape (NAME.rtms.zst).")
]


@tape_app.command("cut")
@one_line_errors
def tape_cut(
    tape: Annotated[Path, typer.Argument(help="A tape (NAME.rtms.zst).")],
    out: OutTape,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="S", help="Seconds, or H:MM:SS. (default: 0)")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="S", help="Seconds, or H:MM:SS. (default: the end)"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a piece of a tape as a tape of its own; without times, mend one that was cut off.

    Example: rtms-notes tape cut monday.rtms.zst --from 1:30 --to 5:00 --out piece.rtms.zst
    """
    from pipeline.cli.tape import cut as run

    run(tape=tape, begin=begin, end=end, out=out, json=json)


@tape_app.command("build")
@one_line_errors
def tape_build(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help="Sound files (FILE or NAME=FILE, one a person) and a transcript (.vtt, .srt,"
            " .json, .txt); or a script (.yaml); or tapes to put together.",
        ),
    ],
    out: OutTape,
    transcript: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The transcript, also as an input.")
    ] = None,
    voices: Annotated[
        str | None,
        typer.Option(
            metavar="auto|flite|espeak-ng|none",
            help="Speak a script or transcript. (default: auto for a script, else none)",
        ),
    ] = None,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="The one sound file is of everybody.")
    ] = False,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Keep sound files' samples (FLAC).")
    ] = False,
    share: Annotated[
        list[str] | None,
        typer.Option(metavar="IMAGE@S", help="Show a JPEG or PNG from here on; may be repeated."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Of the meeting.")] = None,
    zone: Annotated[str | None, typer.Option(help="IANA time zone. (default: UTC)")] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Local start. (default: 2026-01-05T09:00:00)"),
    ] = None,
    credit: Annotated[str, typer.Option("--credits", help="Whose voices, under which terms.")] = "",
    json: JsonOption = False,
) -> None:
    """Make a tape. The same inputs give the same tape.

    Example: rtms-notes tape build anna.wav bob.wav meeting.vtt --out monday.rtms.zst
    """
    from pipeline.cli.tape import VOICES
    from pipeline.cli.tape import build as run

    if voices is not None and voices not in VOICES:
        raise typer.BadParameter(
            f"{voices!r} is not one of {', '.join(VOICES)}", param_hint="--voices"
        )
    run(
        inputs=inputs,
        out=out,
        transcript=transcript,
        voices=voices,
        mixed=mixed,
        lossless=lossless,
        share=share or (),
        title=title,
        zone=zone,
        start=start,
        credit=credit,
        json=json,
    )
