"""How transcribing goes, as the meeting's state tells it: events where that is news."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.base.errors import EngineError
from pipeline.model import events as ev
from pipeline.model.view import StageHealth
from pipeline.transcribe.load import Load
from pipeline.transcribe.settings import TranscribeSettings

_MORE = 2.0
"""People are told again when the delay has grown so many times."""


class TranscribeHealth:
    """An engine that fails, and words that come late: either is ``degraded``.

    ``before``: what the log says already. Words are late from ``defer_after_s`` on and on time
    again below ``shed_after_s``. ``now``: meeting time.
    """

    def __init__(
        self, before: StageHealth | None, settings: TranscribeSettings, now: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._now = now
        self._failures = before.count if before is not None else 0
        self._well = before is None or before.state == "ok"
        self._error: EngineError | None = None
        self._was_behind = before is not None and before.error == "behind"
        self._late: Load | None = None

    def engine(self, error: EngineError | None) -> list[ev.Body]:
        """The engine failed, or gave the words of a segment (None)."""
        if error is None:
            if self._well or (self._error is None and self._late is not None):
                return []
            self._error = None
            return [self._told()]
        self._failures += 1
        if self._error is not None:
            return []
        self._error = error
        return [self._told()]

    def load(self, load: Load) -> list[ev.Body]:
        """What the meeting waits for now."""
        before = self._late
        if before is None:
            over = self._was_behind and not self._well and not load.segments
            if load.lag_s <= self._settings.defer_after_s and not over:
                return []
            self._late = None if over else load
        elif load.lag_s < self._settings.shed_after_s:
            self._late = None
        elif load.lag_s < _MORE * before.lag_s:
            return []
        else:
            self._late = load
        return [self._told()] if self._error is None else []

    def _told(self) -> ev.StageChanged:
        error, late = self._error, self._late
        self._well = error is None and late is None
        if error is not None:
            kind, detail, retryable = error.kind, str(error), error.retryable
        elif late is not None:
            kind, detail, retryable = "behind", _lateness(late), True
        else:
            kind, detail, retryable = "", "", False
        return ev.StageChanged(
            stage="transcribe",
            state="ok" if self._well else "degraded",
            at_ms=self._now(),
            error=kind,
            detail=detail,
            retryable=retryable,
            count=self._failures,
        )


def _lateness(load: Load) -> str:
    many = "1 segment waits" if load.segments == 1 else f"{load.segments} segments wait"
    return (
        f"words come {load.lag_s:.0f} s after they are said; {many} on disk"
        f" ({load.audio_s:.0f} s of audio); none is lost"
    )
