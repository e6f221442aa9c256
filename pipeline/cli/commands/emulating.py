"""``emulate`` and its many options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.application import (
    JsonOption,
    app,
    one_line_errors,
)

_SERVER, _HOOKS, _TIMES = "How its servers behave", "Webhooks", "Times, in seconds of the tape"


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
