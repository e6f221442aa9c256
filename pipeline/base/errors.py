"""The error tree of the project.

RtmsNotesError
├── BadInput                 the person can mend it: one line says what and how
│   ├── ConfigError          settings file, environment or flag
│   ├── NotFound             no such meeting, file, prompt
│   ├── TapeError            not a tape, or a broken one
│   └── InUse                a port, or the writer lock, is held by somebody else
└── OutsideError             a system we do not own failed; carries ``retryable``
    ├── ZoomError            signaling, media or webhook peer
    ├── EngineError          speech-to-text
    ├── ModelError           language model
    └── StorageError         disk full, file system, database

Rooms derive from these where a caller needs to tell two cases apart.
"""

from __future__ import annotations

from typing import ClassVar


class RtmsNotesError(Exception):
    """Root of everything this package raises on purpose. ``str()`` is one clear line."""


class BadInput(RtmsNotesError):
    """Something the person gave cannot be used; the message says what to do."""


class ConfigError(BadInput):
    """A setting is missing, unknown or of the wrong form."""


class NotFound(BadInput):
    """What was asked for does not exist."""


class TapeError(BadInput):
    """The file is not a tape, or its content is broken."""


class InUse(BadInput):
    """A port or the home's writer lock is held by another process."""


class OutsideError(RtmsNotesError):
    """A system we do not own failed.

    ``retryable`` tells whether trying the same again later can help; the caller asks the
    error, never a table of its own. ``kind`` is a short stable word for metrics and state.
    """

    source: ClassVar[str] = "outside"

    def __init__(self, message: str, *, kind: str = "failed", retryable: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable


class ZoomError(OutsideError):
    """Zoom's side of a socket refused, broke off or sent what cannot be read."""

    source = "zoom"


class EngineError(OutsideError):
    """A speech-to-text engine failed. ``retry_after_s``: so long its server asked to be left alone,
    None when it did not say."""

    source = "stt"

    def __init__(
        self,
        message: str,
        *,
        kind: str = "failed",
        retryable: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, kind=kind, retryable=retryable)
        self.retry_after_s = retry_after_s


class ModelError(OutsideError):
    """A language model or its server failed."""

    source = "llm"


class StorageError(OutsideError):
    """The disk or the database refused a write or a read."""

    source = "store"
