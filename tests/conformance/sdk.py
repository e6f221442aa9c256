"""Zoom's SDK in a process of its own, and what its callbacks and its protocol log told."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pipeline.emulator.emulator import Where

PATIENCE_S: Final = 20.0
"""How long a test waits for what must come."""

Known = Literal["always", "refused", "left", "dropped"]

KNOWN: Final[dict[Known, tuple[re.Pattern[str], ...]]] = {
    # It asks for an IPv6 address too; localhost has none on many machines.
    "always": (re.compile(r"dns_provider_t::sync_resolve failed"),),
    # It looks for URLs in a refusal, which has none (reference section 5.2), and then reports the
    # status as it should.
    "refused": (
        re.compile(r"handle_signal_handshake_resp, get (media_server|server_urls) failed"),
    ),
    # It fails on every form of the list that was tried (observations, section 5), but passes the
    # event on.
    "left": (re.compile(r"handle_participant_leave, get participants failed"),),
    # OpenSSL's word for a connection that ended without a close_notify, as dropped ones do.
    "dropped": (re.compile(r"ssl_ctx_t::export_ssl_error"),),
}
"""ERROR records of its protocol log that say nothing against the server, by when they may be."""

_RECORD: Final = re.compile(r"^\d\d/\d\d/\d{4} [\d:]+\t", re.MULTILINE)


class Heard(NamedTuple):
    """A media callback."""

    data: bytes
    size: int
    timestamp: int
    user_id: int
    user_name: str
    start: int = 0
    end: int = 0


class Sdk:
    """``async with Sdk(where, folder, want=[...]) as sdk: await sdk.until("join")``."""

    def __init__(self, where: Where, folder: Path, **spec: Any) -> None:
        self._where = where
        self._folder = folder
        self._spec = spec
        self._rows: list[list[Any]] = []
        self._more = asyncio.Event()

    async def __aenter__(self) -> Sdk:
        where = self._where
        (self._folder / "logs").mkdir(parents=True)
        spec = {
            "signaling_url": where.signaling_url,
            "meeting_uuid": where.meeting_uuid,
            "rtms_stream_id": where.rtms_stream_id,
            "client_id": where.client_id,
            "client_secret": where.client_secret,
        } | self._spec
        environ = {k: v for k, v in os.environ.items() if not k.startswith("ZM_RTMS_")}
        # The library leaves a pointer of what it passes to the session callback uninitialised and
        # reads a text through it: about 1 join in 50 ends in SIGSEGV. Zeroed memory makes it NULL.
        environ |= {"MALLOC_PERTURB_": "255", "ZM_RTMS_LOG_ENABLED": "false"}
        if where.ca_file is not None:
            environ["ZM_RTMS_CA"] = where.ca_file
        script = Path(__file__).with_name("sdk_client.py")
        self._stderr = (self._folder / "stderr").open("wb")
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(script), json.dumps(spec)),
            cwd=self._folder,
            env=environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._stderr,
            limit=1 << 24,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *exc: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading
        self._stderr.close()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._rows.append(json.loads(line))
            self._more.set()
        self._rows.append(["gone", 0.0])
        self._more.set()

    # -- callbacks ---------------------------------------------------------------------------

    def of(self, name: str) -> list[list[Any]]:
        """The arguments of all calls of one callback so far."""
        return [row[2:] for row in self._rows if row[0] == name]

    def times(self, name: str) -> list[float]:
        """When they were, on the machine's monotonic clock."""
        return [row[1] for row in self._rows if row[0] == name]

    def media(self, kind: str) -> list[Heard]:
        """All calls of a media callback so far."""
        return [Heard(base64.b64decode(row[0]), *row[1:]) for row in self.of(kind)]

    def events(self) -> list[Any]:
        """The raw events so far."""
        return [json.loads(text) for (text,) in self.of("event")]

    async def until(self, name: str, count: int = 1) -> list[Any]:
        """Wait for the n-th call of a callback; its arguments. Fails when the process ends first,
        or nothing comes."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while len(self.of(name)) < count:
                    if self._rows and self._rows[-1][0] == "gone" and name != "gone":
                        raise AssertionError(f"the SDK ended before {name}: {self._told()}")
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"no {name} in {PATIENCE_S:g} s: {self._told()}") from None
        return self.of(name)[count - 1]

    def _told(self) -> str:
        calm = [row for row in self._rows if row[0] not in ("audio", "video", "deskshare")]
        stderr = (self._folder / "stderr").read_text(errors="replace")
        return f"exit {self._process.returncode}, {calm}, {stderr[-2000:]}"

    # -- commands ----------------------------------------------------------------------------

    def tell(self, *command: Any) -> None:
        """Give the driver a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def leave(self) -> int:
        """Leave and wait for the end of the process; its exit code."""
        self.tell("leave")
        await self.until("gone")
        return await self._process.wait()

    # -- its protocol log --------------------------------------------------------------------

    def log(self) -> list[str]:
        """The records so far; one may have several lines."""
        text = "".join(
            file.read_text(errors="replace") for file in (self._folder / "logs").iterdir()
        )
        starts = [match.start() for match in _RECORD.finditer(text)] + [len(text)]
        return [text[a:b] for a, b in itertools.pairwise(starts)]

    def sent(self, msg_type: int) -> list[tuple[str, dict[str, Any]]]:
        """Messages of a type that it says it sent, each with the object that sent it."""
        found = []
        for record in self.log():
            match = re.search(r"send[^{]*(\{.*\})\n, this = (\w+)", record, re.DOTALL)
            if match is not None:
                message = json.loads(match[1])
                if message.get("msg_type") == msg_type:
                    found.append((match[2], message))
        return found

    def errors(self, *allowed: Known) -> list[str]:
        """ERROR records that are none of the known ones."""
        known = [pattern for name in ("always", *allowed) for pattern in KNOWN[name]]
        return [
            record
            for record in self.log()
            if "\tERROR\t" in record and not any(k.search(record) for k in known)
        ]
