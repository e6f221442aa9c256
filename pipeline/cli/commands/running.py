"""Meetings that run: ``demo``, ``serve``, ``replay``, ``transcribe``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import (
    ConfigOption,
    HomeOption,
    JsonOption,
    RecordOption,
    SttOption,
    app,
    one_line_errors,
)


@app.command()
@one_line_errors
def demo(
    speed: Annotated[float, typer.Option(help="How many times faster than life.", min=0.1)] = 4.0,
    stt: SttOption = None,
    record: RecordOption = None,
    port: Annotated[
        int, typer.Option(help="Port of the live page (0: any free one).", min=0, max=65535)
    ] = 0,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Serve the live page.")] = True,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the meeting's store and markdown go.")
    ] = Path("rtms-notes-demo"),
    stay: Annotated[
        bool, typer.Option(help="Keep the page up after the meeting, until Ctrl-C.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Play the bundled meeting: a fake Zoom in, live notes out. Needs no account and no key.

    Example: rtms-notes demo --stt local --speed 2
    """
    from pipeline.cli.demo import run

    run(
        speed=speed,
        stt=stt,
        record=record,
        port=port,
        page=page,
        out=out,
        stay=stay,
        config=config,
    )


@app.command()
@one_line_errors
def serve(
    stt: SttOption = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the live page.", min=0, max=65535)
    ] = None,
    webhook_port: Annotated[
        int | None, typer.Option(help="Port of the webhook.", min=0, max=65535)
    ] = None,
    stt_port: Annotated[
        int | None,
        typer.Option(
            help="Also serve speech-to-text, OpenAI-compatible, on this port (0: any free one).",
            min=0,
            max=65535,
        ),
    ] = None,
    record: RecordOption = None,
    once: Annotated[bool, typer.Option(help="End after the first meeting has ended.")] = False,
    allow_loopback: Annotated[
        bool, typer.Option(help="Also connect to ws:// on this machine (a fake Zoom).")
    ] = False,
    media: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Also receive audio, video, share, transcript, chat; saving is a setting.",
        ),
    ] = None,
    tape: Annotated[
        Path | None,
        typer.Option("--tape", metavar="DIR", help="Record every stream as a tape into DIR."),
    ] = None,
    on_shutdown: Annotated[
        str | None,
        typer.Option(
            metavar="keep|close",
            help="Streams that run at the end: Zoom keeps them for us, or is asked to end them.",
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            help="Of a fake Zoom that plays faster than life: the same number as its --speed.",
            min=0.1,
        ),
    ] = 1.0,
    json: JsonOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
) -> None:
    """Run the service: webhook, meetings, live page.

    Example: ZOOM_CLIENT_ID=... ZOOM_CLIENT_SECRET=... ZOOM_SECRET_TOKEN=... rtms-notes serve
    """
    from pipeline.cli.serve import run

    run(
        stt=stt,
        port=port,
        webhook_port=webhook_port,
        stt_port=stt_port,
        record=record,
        once=once,
        allow_loopback=allow_loopback,
        media=media,
        tape=tape,
        on_shutdown=on_shutdown,
        speed=speed,
        json=json,
        home=home,
        config=config,
    )


@app.command()
@one_line_errors
def replay(
    tape: Annotated[Path, typer.Argument(help="A tape (NAME.rtms.zst).")],
    speed: Annotated[float, typer.Option(help="How many times faster than life.", min=0.1)] = 8.0,
    stt: SttOption = None,
    record: RecordOption = None,
    json: JsonOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
) -> None:
    """Play a tape through a fake Zoom's real sockets and the whole pipeline, into your store.

    Example: rtms-notes replay monday.rtms.zst --speed 10
    """
    from pipeline.cli.demo import replay as run

    run(
        tape=tape,
        speed=speed,
        stt=stt,
        record=record,
        json=json,
        home=home,
        config=config,
    )


@app.command()
@one_line_errors
def transcribe(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Audio or video; several: one a participant."),
    ],
    speaker: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Who speaks; once for each file (default: nobody"
            " is named for one file, the files' names for several).",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When it was recorded, like 2026-03-02T09:00."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Of the meeting.")] = None,
    stt: Annotated[
        str | None,
        typer.Option("--stt", metavar="NAME", help="The engine: local, whisper, openai, ..."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="TAG", help="What is spoken, like en or de.")
    ] = None,
    glossary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Words to expect, one a line.")
    ] = None,
    calendar: Annotated[
        Path | None, typer.Option(metavar="FILE", help="People to expect: an .ics file.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE|DIR", help="Write .md or .json here, not to stdout."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Once more, though these files are transcribed.")
    ] = False,
    record: RecordOption = None,
    json: JsonOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
) -> None:
    """Transcribe audio or video files as if they had been a meeting, with notes.

    Ctrl-C keeps what is transcribed; the same command goes on from there.

    Example: rtms-notes transcribe anna.wav ben.m4a --start 2026-03-02T09:00
    """
    from pipeline.cli.transcribe import run

    run(
        files=files,
        speakers=speaker or (),
        start=start,
        title=title,
        stt=stt,
        language=language,
        glossary=glossary,
        calendar=calendar,
        out=out,
        again=again,
        record=record,
        json=json,
        home=home,
        config=config,
    )
