"""Words of what is still being said: from open segments to whoever looks at the meeting.

One stream of speech for each open segment. Its words stay visible until the log has the final ones,
which come the usual way: a partial is never stored, and a stream that fails costs nothing but its
partials. An engine that streams anyway may give the final words, too (``ready``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from pipeline.audio.open_speech import HeardSoFar, OpenSpeech
from pipeline.base import metrics
from pipeline.base.clock import Clock
from pipeline.base.errors import EngineError
from pipeline.model import events as ev
from pipeline.model.live import LiveWords, Partial
from pipeline.model.log import MeetingLog
from pipeline.model.speech import Segment
from pipeline.transcribe.engine import (
    NO_HINTS,
    SAMPLE_RATE,
    Capabilities,
    Hints,
    Pcm,
    SpeechStream,
    StreamEngine,
    Transcription,
)

log = structlog.get_logger()

HintsFor = Callable[[Capabilities, str], Hints]
"""What may help such an engine with a segment; the text is the same for each try at it."""

BLOCK = SAMPLE_RATE // 10
"""Samples that are worth handing on."""

KEPT = 32
"""Ended segments of a meeting whose partials are shown while their final words are awaited.
Overflow rule: the oldest is not shown any more; its final words come nevertheless."""

UNLOGGED_S = 10.0
"""Machine time after which an ended segment that is not in the log is not waited for: the disk
refuses, or it became none."""

FINAL_S = 10.0
"""Machine time a stream may take for its final words before the segment is decoded as usual."""

EXCESS = SAMPLE_RATE
"""Samples a stream may have heard beyond its segment's end: the silence that ended it."""


@dataclass(eq=False)
class _Line:
    """One open segment, or one whose final words are awaited."""

    stream: str
    speech: OpenSpeech
    final: asyncio.Future[Transcription | None]
    fed: int = 0
    cut: bool = False  # the stream heard another's words too, or not late audio: not exactly this
    ended: bool = False
    ended_at: float = 0.0
    blocks: list[Pcm] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    said: tuple[str, str] = ("", "")
    task: asyncio.Task[None] | None = None

    @property
    def voice(self) -> tuple[str, str | None]:
        return self.stream, self.speech.participant


class Partials:
    """Of one meeting. ``show`` is an ``AudioIntake``'s feed; ``run`` takes words away once the log
    has them, until it is cancelled.

    ``engine`` gives the stream engine for a segment's file. ``finals``: it is the engine of the
    final words as well. Without that, nothing is heard while nobody looks.
    """

    def __init__(
        self,
        meeting: str,
        *,
        live: LiveWords,
        engine: Callable[[str], StreamEngine],
        clock: Clock,
        finals: bool = False,
        hints: HintsFor = lambda capabilities, key: NO_HINTS,  # noqa: ARG005
    ) -> None:
        self._meeting = meeting
        self._live = live
        self._engine = engine
        self._clock = clock
        self._finals = finals
        self._hints = hints
        self._lines: dict[str, _Line] = {}  # by file, in the order of their beginning
        self._files: dict[str, str] = {}  # by segment, of lines

    async def run(self, meeting_log: MeetingLog, after: int) -> None:
        """Follow the log from ``after`` on; however it ends, nothing is shown any more."""
        try:
            async for event in meeting_log.follow(after):
                self._take(event)
        finally:
            await self._close()

    def show(self, stream: str, speaking: Sequence[OpenSpeech], heard: HeardSoFar) -> None:
        """What is open in a stream now. Returns at once."""
        self._end_others(stream, speaking)
        if not (self._finals or self._live.watched(self._meeting)):
            return
        for speech in speaking:
            line = self._lines.get(speech.file) or self._begin(stream, speech)
            line.cut = line.cut or speech.patches > line.speech.patches
            renamed = _who(line.speech) != _who(speech)
            line.speech = speech
            if renamed:
                self._publish(line)
            if speech.samples - line.fed >= BLOCK:
                pcm = heard(speech.file, line.fed)
                line.fed += len(pcm)
                line.blocks.append(pcm)
                line.more.set()

    async def ready(self, segment: Segment) -> Transcription | None:
        """The stream's own final words of exactly this segment; None when there are none: then it
        is decoded like any other. Waits for them at most ``FINAL_S``."""
        line = self._lines.get(segment.file)
        if line is None or not self._finals:
            return None
        await self._in_time(line.final)
        if not line.final.done() or line.cut:
            return None
        whole = segment.samples <= line.fed <= segment.samples + EXCESS
        return line.final.result() if whole else None

    # -- lines ----------------------------------------------------------------------------

    def _take(self, event: ev.Event) -> None:
        """What the log says is settled is not shown as a partial any more."""
        match event.body:
            case ev.SegmentSpooled(segment=segment) if segment.file in self._lines:
                self._files[segment.id] = segment.file
            case ev.SegmentClosed(segment=segment_id) if segment_id in self._files:
                self._settle(self._files.pop(segment_id))

    async def _close(self) -> None:
        tasks = [line.task for line in self._lines.values() if line.task is not None]
        for file in list(self._lines):
            self._settle(file)
        if tasks:
            await asyncio.wait(tasks)
        self._live.forget(self._meeting)

    def _begin(self, stream: str, speech: OpenSpeech) -> _Line:
        line = _Line(stream, speech, asyncio.get_running_loop().create_future())
        self._lines[speech.file] = line
        line.task = asyncio.create_task(self._hear(line), name=f"partial {speech.file}")
        return line

    def _end_others(self, stream: str, speaking: Sequence[OpenSpeech]) -> None:
        """Segments of the stream that are not open any more get no more audio."""
        still = {speech.file for speech in speaking}
        for file, line in list(self._lines.items()):
            if line.stream != stream or line.ended or file in still:
                continue
            line.ended, line.ended_at = True, self._clock.monotonic()
            heard_to = line.speech.start_ms + line.fed * 1000 // SAMPLE_RATE
            line.cut = line.cut or any(
                (stream, speech.participant) == line.voice
                and line.speech.start_ms < speech.start_ms < heard_to
                for speech in speaking
            )
            line.more.set()
            if not any(line.said) and not self._finals:
                self._settle(file)
        ended = [file for file, line in self._lines.items() if line.ended]
        for file in ended[:-KEPT]:
            self._settle(file)
        in_log = set(self._files.values())
        for file in ended[-KEPT:]:
            late = self._clock.monotonic() - self._lines[file].ended_at > UNLOGGED_S
            if late and file not in in_log:
                self._settle(file)

    def _settle(self, file: str) -> None:
        line = self._lines.pop(file, None)
        if line is None:
            return
        if line.task is not None:
            line.task.cancel()
        if not line.final.done():
            line.final.set_result(None)
        self._live.drop(self._meeting, file)

    def _publish(self, line: _Line) -> None:
        committed, tentative = line.said
        if not (committed or tentative) or self._lines.get(line.speech.file) is not line:
            return
        speech = line.speech
        self._live.put(
            self._meeting,
            Partial(
                file=speech.file,
                stream=line.stream,
                start_ms=speech.start_ms,
                participant=speech.participant,
                speaker=speech.speaker,
                attribution=speech.attribution,
                speaker_confidence=speech.speaker_confidence,
                committed=committed,
                tentative=tentative,
            ),
        )

    # -- streams of speech ----------------------------------------------------------------

    async def _hear(self, line: _Line) -> None:
        """One segment through the engine. A failure ends its partials and nothing else."""
        engine = self._engine(line.speech.file)
        try:
            stream = await engine.open(self._hints(engine.capabilities, line.speech.file))
            try:
                final = await self._both_ways(line, stream)
            finally:
                await stream.close()
            if final is not None and not line.final.done():
                name = final.engine or engine.capabilities.name
                line.final.set_result(msgspec.structs.replace(final, engine=name))
        except EngineError as error:
            metrics.PARTIALS_FAILED.labels(error.kind).inc()
            log.warning("partials.failed", meeting=self._meeting, kind=error.kind, error=str(error))
        except Exception:
            log.exception("partials.fault", meeting=self._meeting)
        finally:
            if not line.final.done():
                line.final.set_result(None)

    async def _both_ways(self, line: _Line, stream: SpeechStream) -> Transcription | None:
        """Audio in, words out, until the segment has ended; then the final words, if they are
        wanted and come in time."""
        reading = asyncio.ensure_future(self._read(line, stream))
        sending = asyncio.ensure_future(self._send(line, stream))
        try:
            await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await sending  # it has ended, well or not
                if self._finals:
                    await self._in_time(reading)
            if not sending.done():
                return None  # words of the beginning are not the whole
            sending.result()
            return reading.result() if reading.done() else None
        finally:
            reading.cancel()
            sending.cancel()
            await asyncio.gather(reading, sending, return_exceptions=True)

    async def _send(self, line: _Line, stream: SpeechStream) -> None:
        while True:
            await line.more.wait()
            line.more.clear()
            blocks, line.blocks = line.blocks, []
            for pcm in blocks:
                await stream.send(pcm)
            if line.ended:
                if self._finals:
                    await stream.finish()
                return

    async def _read(self, line: _Line, stream: SpeechStream) -> Transcription | None:
        """Show words as they come; the final ones, if the stream gave any."""
        async for heard in stream.heard():
            if heard.final is not None:
                return heard.final
            if line.ended and not self._finals:
                return None
            line.said = heard.committed, heard.tentative
            self._publish(line)
        return None

    async def _in_time(self, awaited: asyncio.Future[Transcription | None]) -> None:
        """Until it is done, or ``FINAL_S`` are over; raises nothing of it."""
        limit = asyncio.create_task(self._clock.sleep(FINAL_S))
        both: set[asyncio.Future[Any]] = {awaited, limit}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            limit.cancel()


def _who(speech: OpenSpeech) -> tuple[str | None, str, float | None]:
    return speech.speaker, speech.attribution, speech.speaker_confidence
