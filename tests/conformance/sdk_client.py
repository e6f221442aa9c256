"""Zoom's SDK as a client, for the conformance tests: one process a case.

    python sdk_client.py SPEC

SPEC is JSON: ``signaling_url``, ``meeting_uuid``, ``rtms_stream_id``, ``client_id``,
``client_secret``; ``want``: media kinds whose callback is registered (``audio``, ``video``,
``deskshare``, ``transcript``); ``tell``: more callbacks (see ``_MORE``); ``audio``, ``video``,
``deskshare``: constructor arguments of the SDK's parameter classes.

Each callback is one JSON line on stdout: its name, the machine's monotonic time in seconds, its
arguments; bytes in base64. Commands come as JSON lines on stdin: ``["leave"]``, ``["quit"]``,
``["subscribe_event", [5, 6]]``, ``["subscribe_video", 16778240, true]``.

The library keeps its state in globals and must be joined and polled on one thread, so there is one
client, and this process does nothing else. It writes its protocol log to ``logs/`` in the working
directory, which must exist beforehand.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import rtms

Tell = Callable[..., None]

_MORE = {
    "people": "on_participant_event",
    "speaker": "on_active_speaker_event",
    "sharing": "on_sharing_event",
    "interrupted": "on_media_connection_interrupted",
    "cameras": "on_participant_video",
    "subscribed": "on_video_subscribed",
}


def main() -> None:
    spec = json.loads(sys.argv[1])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the library prints to it

    def tell(name: str, *values: Any) -> None:
        out.write(json.dumps([name, time.monotonic(), *values]) + "\n")
        out.flush()

    commands: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            commands.put(json.loads(line))
        commands.put(["quit"])

    loop = rtms.EventLoop()
    client = _commanded(loop, commands, tell)
    _register(client, spec, tell)
    threading.Thread(target=read, daemon=True).start()
    loop.add(client)
    tell("joining")
    client.join(
        meeting_uuid=spec["meeting_uuid"],
        rtms_stream_id=spec["rtms_stream_id"],
        server_urls=spec["signaling_url"],
        client=spec["client_id"],
        secret=spec["client_secret"],
    )
    loop.run()
    tell("end")
    os._exit(0)  # the library's threads still run; its destructors crash under them


def _commanded(loop: Any, commands: queue.SimpleQueue[list[Any]], tell: Tell) -> Any:
    class Client(rtms.Client):  # type: ignore[misc]
        """Does what stdin says between two polls, on the library's own thread."""

        def poll(self) -> None:
            while not commands.empty():
                self.obey(*commands.get())
            super().poll()

        def obey(self, name: str, *values: Any) -> None:
            match name:
                case "quit":
                    loop.stop()
                case "leave":
                    self.leave()
                    loop.stop()
                case "subscribe_event" | "subscribe_video":
                    getattr(self, name)(*values)
                    tell("obeyed", name)
                case _:
                    raise ValueError(name)

    return Client()


def _register(client: Any, spec: dict[str, Any], tell: Tell) -> None:
    """Callbacks that only report."""
    client.on_join_confirm(lambda code: tell("join", code))
    client.on_leave(lambda reason: tell("leave", reason))
    # Its streamId is not read: the library leaves that field uninitialised.
    client.on_session_update(lambda op, session: tell("session", op, session.sessionId))
    client.on_user_update(lambda op, user: tell("user", op, user.id, user.name))
    client.on_event_ex(lambda text: tell("event", text))

    def media(kind: str) -> Any:
        def on_data(data: bytes, size: int, timestamp: int, meta: Any) -> None:
            coded = base64.b64encode(data).decode()
            words = (meta.startTs, meta.endTs) if kind == "transcript" else ()
            tell(kind, coded, size, timestamp, meta.userId, meta.userName, *words)

        return on_data

    for kind in spec.get("want", ["audio"]):
        getattr(client, f"on_{kind}_data")(media(kind))
    for name in spec.get("tell", []):
        getattr(client, _MORE[name])(_reporter(tell, name))
    if "audio" in spec:
        client.set_audio_params(rtms.AudioParams(*spec["audio"]))
    if "video" in spec:
        client.set_video_params(rtms.VideoParams(*spec["video"]))
    if "deskshare" in spec:
        client.set_deskshare_params(rtms.DeskshareParams(*spec["deskshare"]))


def _reporter(tell: Tell, name: str) -> Callable[..., None]:
    return lambda *values: tell(name, *values)


if __name__ == "__main__":
    main()
