"""The typer application: every command with its options; what they do lives beside this file."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

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
tape_app = typer.Typer(help="Look at tapes.", no_args_is_help=True)
eval_app = typer.Typer(help="Score notes on scripted meetings.", no_args_is_help=True)
app.add_typer(tape_app, name="tape")
app.add_typer(eval_app, name="eval")

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Folder of the store (RTMS_NOTES_HOME)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings file (TOML).")
]
SttOption = Annotated[
    str | None,
    typer.Option("--stt", metavar="native|local|both", help="Where the words come from."),
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


@app.command()
@one_line_errors
def demo(
    speed: Annotated[float, typer.Option(help="How many times faster than life.", min=0.1)] = 4.0,
    stt: SttOption = None,
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

    run(speed=speed, stt=stt, port=port, page=page, out=out, stay=stay, config=config)


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
    once: Annotated[bool, typer.Option(help="End after the first meeting has ended.")] = False,
    allow_loopback: Annotated[
        bool, typer.Option(help="Also connect to ws:// on this machine (a fake Zoom).")
    ] = False,
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
        once=once,
        allow_loopback=allow_loopback,
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
    json: JsonOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
) -> None:
    """Play a tape through a fake Zoom's real sockets and the whole pipeline, into your store.

    Example: rtms-notes replay monday.rtms.zst --speed 10
    """
    from pipeline.cli.demo import replay as run

    run(tape=tape, speed=speed, stt=stt, json=json, home=home, config=config)


@app.command()
@one_line_errors
def emulate(
    tape: Annotated[
        Path | None, typer.Argument(help="A tape; without one, the bundled meeting.")
    ] = None,
    host: Annotated[str, typer.Option(help="Loopback name to listen on.")] = "localhost",
    port: Annotated[int, typer.Option(help="Port (0: any free one).", min=0, max=65535)] = 0,
    tls: Annotated[
        bool, typer.Option("--tls", help="Serve wss:// with a certificate made now.")
    ] = False,
    client_id: Annotated[str, typer.Option(help="Client id of the app.")] = "cid",
    client_secret: Annotated[
        str, typer.Option(help="Client secret of the app.", envvar="EMULATE_CLIENT_SECRET")
    ] = "csec",  # noqa: S107 - a fake Zoom's
    secret_token: Annotated[
        str, typer.Option(help="Webhook secret token.", envvar="EMULATE_SECRET_TOKEN")
    ] = "tok",  # noqa: S107 - a fake Zoom's
    meeting_uuid: Annotated[str | None, typer.Option(help="Meeting id to announce.")] = None,
    stream_id: Annotated[str | None, typer.Option(help="Stream id to announce.")] = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Announce the stream here.")
    ] = None,
    speed: Annotated[float, typer.Option(help="How many times faster than life.", min=0.1)] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Start over when the tape ends.")] = False,
    json: JsonOption = False,
) -> None:
    """A fake Zoom that plays a tape to any RTMS client.

    Example: rtms-notes emulate --webhook http://localhost:8090/webhook
    """
    from pipeline.cli.emulate import run

    run(
        tape=tape,
        host=host,
        port=port,
        tls=tls,
        client_id=client_id,
        client_secret=client_secret,
        secret_token=secret_token,
        meeting_uuid=meeting_uuid,
        stream_id=stream_id,
        webhook=webhook,
        speed=speed,
        loop=loop,
        json=json,
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


@app.command()
@one_line_errors
def config(json: JsonOption = False, file: ConfigOption = None) -> None:
    """Print every setting with its value and where it comes from; secrets are masked.

    Example: rtms-notes config
    """
    from pipeline.cli.reading import config as run

    run(json=json, file=file)


@app.command()
@one_line_errors
def doctor(json: JsonOption = False, home: HomeOption = None, config: ConfigOption = None) -> None:
    """Check what a meeting needs (credentials, endpoints, clock, disk, engine) and say what to do.

    Example: rtms-notes doctor
    """
    from pipeline.cli.doctor import run

    run(json=json, home=home, config=config)


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


@tape_app.command("info")
@one_line_errors
def tape_info(
    tape: Annotated[Path, typer.Argument(help="A tape (NAME.rtms.zst).")], json: JsonOption = False
) -> None:
    """Describe a tape.

    Example: rtms-notes tape info monday.rtms.zst
    """
    from pipeline.cli.emulate import info as run

    run(tape=tape, json=json)


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
