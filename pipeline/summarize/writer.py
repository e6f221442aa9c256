"""What a writer of notes is given and what it answers with."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from pipeline.base.errors import ModelError
from pipeline.model.events import LlmCalled
from pipeline.model.notes import Author, Op
from pipeline.model.speech import Message, Utterance
from pipeline.model.state import MeetingState

Spoken = Utterance | Message


def span_of(line: Spoken) -> tuple[int, int]:
    """From when to when a line was said, in meeting time; a message has a moment."""
    if isinstance(line, Utterance):
        return line.start_ms, line.end_ms
    return line.at_ms, line.at_ms


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to write about: the meeting so far and the words not yet covered.

    ``state`` is read only. ``new`` holds shown utterances and chat messages in order of ``seq``
    (revised ones included); in the ``final`` phase it is everything said, by time.
    """

    state: MeetingState
    new: tuple[Spoken, ...]
    phase: Literal["live", "final"]
    now_ms: int


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the meeting, in meeting time, whose words a writer could not take in."""

    from_ms: int
    to_ms: int
    detail: str


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """Operations a writer proposes (not yet verified), and the LLM calls it made for them.

    A new item may carry any id; the stage numbers it ``n1``, ``n2``, ... in order and renames it
    in the operations that follow. ``skipped`` is what was left out, never silently.
    """

    ops: tuple[Op, ...] = ()
    calls: tuple[LlmCalled, ...] = ()
    skipped: tuple[Skipped, ...] = ()


class WriterFailed(ModelError):
    """A writer could not write. ``calls`` are those it made all the same; ``retry_after_s`` is
    how long its server asked us to wait."""

    def __init__(
        self,
        message: str,
        *,
        kind: str = "failed",
        retryable: bool = False,
        calls: tuple[LlmCalled, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, kind=kind, retryable=retryable)
        self.calls = calls
        self.retry_after_s = retry_after_s


class Writer(Protocol):
    """Turns words into operations on the notes."""

    @property
    def author(self) -> Author:
        """Whose mark new items carry."""
        ...

    async def propose(self, window: Window) -> Proposal:
        """Operations for ``window``. Raises ModelError; never partial results."""
        ...
