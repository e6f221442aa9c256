"""Where the fake Zoom is to be found: its ports, its URLs, and what a client must know."""

from __future__ import annotations

import socket

import msgspec

from pipeline.emulator.addresses import prefix
from pipeline.emulator.listening import refusing_socket
from pipeline.emulator.settings import EmulatorSettings
from pipeline.tapes.header import TapeHeader


class Where(msgspec.Struct, frozen=True):
    """What a client needs to know; the JSON line of ``rtms-notes emulate --json``."""

    signaling_url: str
    meeting_uuid: str
    rtms_stream_id: str
    client_id: str
    client_secret: str
    ca_file: str | None
    control_url: str


class Addresses:
    """``ports``: two that are listened on; every failover leads to the other one."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self.ports: list[int] = []
        self._settings = settings
        self._scheme = "wss" if settings.tls else "ws"
        self._dead: socket.socket | None = None

    def base(self, stream: int, turn: int = 0) -> str:
        """What a stream's URLs start with after so many failovers."""
        host = self._settings.host
        shown = f"[{host}]" if ":" in host else host
        return f"{self._scheme}://{shown}:{self.ports[turn % 2]}{prefix(stream, turn)}"

    def dead_url(self) -> str:
        """A signaling URL that refuses connections."""
        if self._dead is None:
            self._dead = refusing_socket()
        return f"{self._scheme}://127.0.0.1:{self._dead.getsockname()[1]}/signaling"

    def where(
        self, stream: int, header: TapeHeader, *, ca_file: str | None, control_url: str
    ) -> Where:
        """For the clients of one stream, counted from 1."""
        settings = self._settings
        last = f"-{stream}" if stream > 1 else ""
        zoom_id = settings.meeting_uuid or header.id
        if header.product != "contact_center":  # there one engagement has several streams
            zoom_id += last
        return Where(
            signaling_url=f"{self.base(stream)}/signaling",
            meeting_uuid=zoom_id,
            rtms_stream_id=(settings.stream_id or header.stream) + last,
            client_id=settings.client_id,
            client_secret=settings.client_secret.reveal(),
            ca_file=ca_file,
            control_url=control_url,
        )

    def close(self) -> None:
        """Let go of the port that refuses."""
        if self._dead is not None:
            self._dead.close()
