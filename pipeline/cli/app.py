"""The typer application: every command with its options; what they do lives beside this file."""

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
tape_app = typer.Typer(help="Describe, cut and build tapes.", no_args_is_help=True)
eval_app = typer.Typer(help="Score notes and speech-to-text.", no_args_is_help=True)
app.add_typer(tape_app, name="tape")
app.add_typer(eval_app, name="eval")

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Folder of the store (RTMS_NOTES_HOME)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SERVER, _HOOKS, _TIMES = "How its servers behave", "Webhooks", "Times, in seconds of the tape"
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
    script: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Faults to play (YAML or JSON).")
    ] = None,
    streams: Annotated[
        int, typer.Option(help="Meetings that play the tape at once.", min=1, max=10_000)
    ] = 1,
    mode: Annotated[
        Literal["strict", "tolerant"],
        typer.Option(help="Refuse what Zoom does not allow, or clamp it.", rich_help_panel=_SERVER),
    ] = "strict",
    second: Annotated[
        Literal["refuse", "kick"],
        typer.Option(
            help="A second connection: refused, or takes the first's place.",
            rich_help_panel=_SERVER,
        ),
    ] = "refuse",
    urls: Annotated[
        Literal["both", "all", "split"],
        typer.Option(help="Media URLs: one for all, one a kind.", rich_help_panel=_SERVER),
    ] = "both",
    media_form: Annotated[
        Literal["object", "flat"],
        typer.Option(help="Form of media messages; flat is older.", rich_help_panel=_SERVER),
    ] = "object",
    frames: Annotated[
        Literal["text", "binary"],
        typer.Option(help="Websocket frames it sends.", rich_help_panel=_SERVER),
    ] = "text",
    scopes: Annotated[
        str,
        typer.Option(metavar="NAME,...", help="Media the app may have.", rich_help_panel=_SERVER),
    ] = "audio,video,deskshare,transcript,chat",
    replay_missed: Annotated[
        bool,
        typer.Option(
            "--replay/--no-replay",
            help="Send what was said while nobody was there.",
            rich_help_panel=_SERVER,
        ),
    ] = True,
    start: Annotated[
        Literal["first", "all"],
        typer.Option(
            help="Without --webhook: play when the first, or every, stream has a client.",
            rich_help_panel=_SERVER,
        ),
    ] = "first",
    spread: Annotated[
        bool,
        typer.Option(help="Serve streams out of step, as in life.", rich_help_panel=_SERVER),
    ] = True,
    webhook_form: Annotated[
        Literal["flat", "nested"],
        typer.Option(help="Fields under payload or payload.object.", rich_help_panel=_HOOKS),
    ] = "flat",
    webhook_alias: Annotated[
        bool,
        typer.Option(
            "--webhook-alias",
            help="Older event names (phone.call_rtms_...).",
            rich_help_panel=_HOOKS,
        ),
    ] = False,
    id_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Key of the id (webinar: webinar_uuid, meeting_uuid).",
            rich_help_panel=_HOOKS,
        ),
    ] = None,
    webhook_timeout: Annotated[
        float, typer.Option(help="Seconds to answer.", min=0.1, rich_help_panel=_HOOKS)
    ] = 3.0,
    webhook_retries: Annotated[
        str,
        typer.Option(
            metavar="S,...", help="Seconds before each further try.", rich_help_panel=_HOOKS
        ),
    ] = "300,1200,3600",
    keepalive: Annotated[
        float,
        typer.Option(help="Seconds between keep-alives.", min=0.1, rich_help_panel=_TIMES),
    ] = 10.0,
    misses: Annotated[
        int,
        typer.Option(
            help="Unanswered ones before a client counts as gone.", min=1, rich_help_panel=_TIMES
        ),
    ] = 3,
    connect_window: Annotated[
        float, typer.Option(help="Seconds to connect in.", min=0, rich_help_panel=_TIMES)
    ] = 60.0,
    signaling_window: Annotated[
        float, typer.Option(help="Seconds to come back in.", min=0, rich_help_panel=_TIMES)
    ] = 60.0,
    media_window: Annotated[
        float,
        typer.Option(help="Seconds to bring media back in.", min=0, rich_help_panel=_TIMES),
    ] = 65.0,
    buffer: Annotated[
        float,
        typer.Option(help="Seconds of media that are kept.", min=0, rich_help_panel=_TIMES),
    ] = 60.0,
    json: JsonOption = False,
) -> None:
    """A fake Zoom that plays a tape to any RTMS client.

    Example: rtms-notes emulate --webhook http://localhost:8090/webhook

    Faults come from a script, each at a second of the tape, or from the
    control address while it runs (docs/emulator.md has all of them):

    echo '- {fault: drop, at: 30, socket: media}' > faults.yaml;
    rtms-notes emulate --script faults.yaml

    curl -H 'Content-Type: application/json' CONTROL_URL/faults
    -d '{"fault": "stall", "for": 5}'
    """
    from pipeline.cli.emulate import run

    run(
        tape=tape,
        script=script,
        json=json,
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
        streams=streams,
        mode=mode,
        second=second,
        urls=urls,
        media_form=media_form,
        frames=frames,
        scopes=scopes,
        replay=replay_missed,
        start=start,
        spread=spread,
        webhook_form=webhook_form,
        webhook_alias=webhook_alias,
        id_key=id_key,
        webhook_timeout_s=webhook_timeout,
        webhook_retries=webhook_retries,
        keepalive_s=keepalive,
        misses=misses,
        connect_window_s=connect_window,
        signaling_window_s=signaling_window,
        media_window_s=media_window,
        buffer_s=buffer,
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
