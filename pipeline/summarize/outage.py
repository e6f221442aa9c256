"""A writer that fails for a while: what went wrong, how often, and when to try again."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.base.backoff import Backoff
from pipeline.base.errors import ModelError
from pipeline.summarize.settings import SummarizeSettings
from pipeline.summarize.writer import WriterFailed

_ABOUT_THE_WORDS = frozenset({"bad_output", "refused", "truncated", "context_exceeded", "too_long"})
_TRIES = 3
"""After so many failures that may lie in the words themselves, the next try goes past them."""


class Outage:
    """From a first failure to the next success. Times are monotonic seconds of the machine."""

    def __init__(self, settings: SummarizeSettings) -> None:
        self._cap = settings.model_retry_cap_s
        self._delays: Iterator[float] = Backoff(
            base=settings.model_retry_s, cap=settings.model_retry_cap_s
        ).delays()
        self._about_words = 0
        self.count = 0
        self.next_try = 0.0

    def failed(self, error: ModelError, now: float) -> float:
        """Another failure; the seconds until the next try."""
        self.count += 1
        self._about_words = self._about_words + 1 if error.kind in _ABOUT_THE_WORDS else 0
        delay = next(self._delays) if error.retryable else self._cap
        if isinstance(error, WriterFailed) and error.retry_after_s:
            delay = max(delay, error.retry_after_s)
        self.next_try = now + delay
        return delay

    @property
    def is_about_the_words(self) -> bool:
        """Whether trying the same words once more is pointless."""
        return self._about_words >= _TRIES

    def went_past(self) -> None:
        """The words were left to the fallback; others follow."""
        self._about_words = 0
