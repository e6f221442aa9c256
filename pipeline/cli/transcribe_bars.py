"""How far `rtms-notes transcribe` is, on a terminal."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from pipeline.export.escape import clean
from pipeline.meeting.transcriber import KEEPS
from pipeline.model import events as ev


class Bars:
    """Two bars on a terminal: audio read, and audio whose words are settled, with the time left.

    ``zero_ms``: meeting time at which the files begin; ``length_ms``: of the longest, None when it
    is not known.
    """

    def __init__(self, zero_ms: int, length_ms: int | None) -> None:
        self.fault: str | None = None
        """Why this process cannot go on."""
        self._zero_ms = zero_ms
        self._length_s = None if length_ms is None else length_ms / 1000
        self._read_ms = zero_ms
        self._waiting: dict[str, int] = {}  # segments and where they begin
        self._words = 0
        self.bars = Progress(
            TextColumn("{task.description:>5}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._audio = self.bars.add_task("audio", total=self._length_s, told="")
        self._settled = self.bars.add_task("words", total=self._length_s, told="")

    def __enter__(self) -> Bars:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def read(self, now_ms: int | None) -> None:
        """How far the files are read, in meeting time."""
        self._read_ms = max(self._read_ms, now_ms or 0)
        self._show()

    def tell(self, body: ev.Body) -> None:
        """An event of this process: that words do not come, why, and that they come again."""
        match body:
            case ev.StageChanged(stage="transcribe", state="degraded", detail=detail, error=error):
                again = "; tried again until it goes on or you stop it" if error else ""
                self._say(f"{detail}{again}")
            case ev.StageChanged(stage="transcribe", state="ok"):
                self._say("words come again")

    def take(self, body: ev.Body) -> bool:
        """A committed event; True when it says that this process cannot go on."""
        match body:
            case ev.MeetingOpened(started_ms=started_ms):
                self._zero_ms = started_ms
            case ev.SegmentSpooled(segment=segment):
                self._waiting[segment.id] = segment.start_ms
            case ev.SegmentClosed(segment=segment):
                self._waiting.pop(segment, None)
            case ev.UtteranceSaid(utterance=utterance) if utterance.revision == 1:
                self._words += len(utterance.text.split())
            case ev.StageChanged(stage="transcribe", error=error) if error in KEEPS:
                return True
            case ev.MeetingEnded():
                self.bars.update(self._settled, description="words", told="the last words")
            case _:
                pass
        self._show()
        return False

    def _say(self, line: str) -> None:
        self.bars.console.print(Text(clean(line)), soft_wrap=True)

    def _show(self) -> None:
        settled_ms = min(self._waiting.values(), default=self._read_ms)
        done_s = (self._read_ms - self._zero_ms) / 1000
        self.bars.update(self._audio, completed=done_s, told=_length(done_s))
        words = f"{self._words:,} words"
        if self._waiting:
            words += f", {len(self._waiting)} segments wait"
        self.bars.update(
            self._settled, completed=max(0.0, (settled_ms - self._zero_ms) / 1000), told=words
        )


def _length(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
