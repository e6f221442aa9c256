"""When a meeting was last heard, kept beside its spool so that a killed process can tell later.

The log has a time only where something was said; between two sentences this file is nearer. It is
a hint, so it is never forced to disk: after a power loss the log's own times serve.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import structlog

from pipeline.base.clock import Clock

_NAME = "heard.json"

log = structlog.get_logger()


class Heartbeat(msgspec.Struct, frozen=True):
    """Meeting time and the machine's wall clock at the same moment, both Unix ms."""

    meeting_ms: int
    machine_ms: int

    def now_ms(self, machine: Clock, speed: float) -> int:
        """Meeting time now, had the meeting clock run on."""
        away_ms = max(0, machine.now_ms() - self.machine_ms)
        return self.meeting_ms + int(away_ms * speed)


def write(folder: Path, beat: Heartbeat) -> None:
    """Replace the heartbeat; a refusal of the disk is reported by the store, not here."""
    fresh = folder / (_NAME + ".new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(beat))
        fresh.replace(folder / _NAME)
    except OSError as error:
        log.debug("heartbeat.refused", error=str(error))


def read(folder: Path) -> Heartbeat | None:
    """The last heartbeat, or None when there is none or it is unreadable."""
    try:
        return msgspec.json.decode((folder / _NAME).read_bytes(), type=Heartbeat)
    except (OSError, msgspec.DecodeError):
        return None


def remove(folder: Path) -> None:
    """The meeting is finished."""
    (folder / _NAME).unlink(missing_ok=True)
