"""What meetings are made of, built from the settings once a process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from pipeline.base.clock import Clock, MeetingClock
from pipeline.base.errors import BadInput, StorageError
from pipeline.base.ids import Ids
from pipeline.base.url_guard import UrlGuard
from pipeline.config import Settings
from pipeline.meeting.partials import HintsFor, Partials
from pipeline.meeting.parts import START_TRIES, Parts
from pipeline.meeting.taped import TapedStream
from pipeline.model.live import LiveWords
from pipeline.model.log import MeetingLog
from pipeline.rtms.credentials import Credentials
from pipeline.rtms.enums import MediaType
from pipeline.rtms.products import Announcement
from pipeline.rtms.rest import ZoomApi
from pipeline.rtms.stream import RtmsStream, Sink
from pipeline.summarize.extract import ExtractiveWriter
from pipeline.summarize.model_writer import ModelWriter
from pipeline.summarize.notes import NotesStage
from pipeline.summarize.prompts import Prompts
from pipeline.summarize.writer import Writer
from pipeline.tapes.recording import TapeRecorder
from pipeline.transcribe.as_stream import SegmentsAsStream
from pipeline.transcribe.choose import (
    STREAMING,
    Opened,
    check_engines,
    chosen,
    open_engine,
    open_stream_engine,
    partial_engine,
    workers_for,
)
from pipeline.transcribe.engine import Capabilities, Engine, StreamEngine
from pipeline.transcribe.fallback import Health, WithFallback
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.vocabulary import Vocabulary

if TYPE_CHECKING:
    from pipeline.openai_client.client import ChatClient

log = structlog.get_logger()

_FOR_STT: Final = {
    "native": MediaType.TRANSCRIPT | MediaType.CHAT,
    "both": MediaType.AUDIO | MediaType.TRANSCRIPT | MediaType.CHAT,
}
_FROM_AUDIO: Final = MediaType.AUDIO | MediaType.CHAT
_BY_NAME: Final = {
    "audio": MediaType.AUDIO,
    "video": MediaType.VIDEO,
    "share": MediaType.DESKSHARE,
    "transcript": MediaType.TRANSCRIPT,
    "chat": MediaType.CHAT,
}

FindMeeting = Callable[[Announcement], str | None]
"""Our id of the meeting that a stream was announced for."""


def wanted_media(settings: Settings) -> MediaType:
    """What is asked of Zoom: what speech-to-text and saving need, and what is named beside it."""
    media = _FOR_STT.get(settings.general.stt, _FROM_AUDIO)
    if settings.audio.record != "off":
        media |= MediaType.AUDIO
    for name in settings.general.media:
        media |= _BY_NAME[name]
    if settings.meeting.save_video:
        media |= MediaType.VIDEO
    if settings.meeting.save_share:
        media |= MediaType.DESKSHARE
    return media


async def open_parts(
    stack: AsyncExitStack,
    settings: Settings,
    *,
    find: FindMeeting,
    clock: Clock,
    speed: float,
    ids: Ids,
    rng: random.Random,
) -> Parts:
    """Raises ConfigError, BadInput (the folder of tapes) and EngineError; what was opened is closed
    when ``stack`` unwinds."""
    tapes = _tape_folder(settings)
    vocabulary = await asyncio.to_thread(Vocabulary.open, settings.transcribe)
    pool, capabilities = await _pool(stack, settings, clock, rng)
    live = LiveWords()
    model: ChatClient | None = None
    if settings.llm.is_on:
        from pipeline.openai_client.client import ChatClient  # 0.4 s: only when needed

        model = ChatClient(settings.llm, clock=clock)
        stack.push_async_callback(model.close)
    api = _api(settings, clock)
    if api is not None:
        stack.push_async_callback(api.close)
    return Parts(
        engine=settings.general.stt,
        clock=clock,
        speed=speed,
        audio=settings.audio,
        pool=pool,
        capabilities=capabilities,
        stream=_streams(settings, find=find, tapes=tapes, clock=clock, speed=speed, rng=rng),
        notes=_notes(settings, model, clock, ids),
        meeting=settings.meeting,
        vocabulary=vocabulary,
        live=live,
        partials=_partials(stack, settings, pool, live, clock),
        restart_grace_s=settings.general.restart_grace_s,
        start_again=None if api is None else api.start,
        start_tries=replace(START_TRIES, attempts=settings.zoom_api.tries - 1),
        end_streams=settings.rtms.on_shutdown == "close",
    )


def _partials(
    stack: AsyncExitStack, settings: Settings, pool: DecodePool, live: LiveWords, clock: Clock
) -> Callable[[str, HintsFor], Partials] | None:
    """Who hears words while they are said, where our own engine's words are those that are shown:
    beside Zoom's they would be shown twice. Raises ConfigError."""
    if settings.general.stt in ("native", "both"):
        return None
    options = settings.transcribe
    name = chosen(settings.general.stt, options)
    second = partial_engine(name, options)
    if second is None:
        return None
    streaming: StreamEngine | None = None
    if second in STREAMING:
        streaming = open_stream_engine(second, options, settings.stt, clock=clock)
        stack.push_async_callback(streaming.close)

    def partials(meeting: str, hints: HintsFor) -> Partials:
        def engine(file: str) -> StreamEngine:
            return streaming or SegmentsAsStream(
                partial(pool.partial, meeting, file),
                capabilities=pool.capabilities,
                every_s=options.partial_every_s,
                clock=clock,
            )

        finals = streaming is not None and second == name
        return Partials(meeting, live=live, engine=engine, clock=clock, finals=finals, hints=hints)

    return partials


async def _pool(
    stack: AsyncExitStack, settings: Settings, clock: Clock, rng: random.Random
) -> tuple[DecodePool, Capabilities | None]:
    """The decodes of all meetings, and what their engine can do, once it is open. With ``--stt
    native`` it is opened when the first segment comes, which one of an earlier run may be."""
    name = chosen(settings.general.stt, settings.transcribe)
    options = settings.transcribe
    opener = partial(open_engine, transcribe=options, stt=settings.stt, clock=clock, rng=rng)
    engine: Callable[[], Engine] = partial(opener, name)
    second: Callable[[], Engine] | None = None
    partials = partial_engine(name, options)
    if partials is not None and partials != name and partials not in STREAMING:
        second = partial(opener, partials)
    fallback: Callable[[], Engine] | None = None
    if options.fallback:
        fallback = partial(opener, options.fallback)
    capabilities: Capabilities | None = None
    if settings.general.stt != "native" or settings.general.stt_port is not None:
        # what is missing is told now, not in a meeting
        check_engines(name, options, settings.stt)
        engine = opened = await _opened(stack, engine)
        capabilities = opened.capabilities
        second = second and await _opened(stack, second)
        fallback = fallback and await _opened(stack, fallback)
    if fallback is not None:
        engine = partial(
            WithFallback,
            engine,
            fallback,
            health=Health(clock),
            clock=clock,
            patience_s=options.timeout_s / 2,
        )
    pool = DecodePool(
        engine,
        open_partial=second,
        settings=workers_for(name, options, settings.stt),
        clock=clock,
    )
    stack.push_async_callback(pool.close)
    return pool, capabilities


async def _opened(stack: AsyncExitStack, open_one: Callable[[], Engine]) -> Opened:
    opened = Opened(await asyncio.to_thread(open_one), open_one)
    stack.push_async_callback(opened.close)
    return opened


def _streams(
    settings: Settings,
    *,
    find: FindMeeting,
    tapes: Path | None,
    clock: Clock,
    speed: float,
    rng: random.Random,
) -> Callable[[Announcement, Sink], RtmsStream]:
    zoom = settings.zoom
    options: Mapping[str, Any] = {
        "credentials": Credentials(zoom.client_id, zoom.client_secret),
        "settings": settings.rtms,
        "media": wanted_media(settings),
        "clock": clock,
        "rng": rng,
        "speed": speed,
    }

    def stream(announcement: Announcement, sink: Sink) -> RtmsStream:
        recorder = None
        if tapes is not None:
            recorder = _recorder(tapes, announcement, settings, find, clock)
        if recorder is None:
            return RtmsStream(announcement, sink, **options)
        return TapedStream(announcement, sink, recorder=recorder, **options)

    return stream


def _recorder(
    folder: Path, announcement: Announcement, settings: Settings, find: FindMeeting, clock: Clock
) -> TapeRecorder | None:
    """A tape under our id; Zoom's text is no part of a file's name. None when the disk refuses:
    the meeting is worth more than its tape."""
    zoom, api = settings.zoom, settings.zoom_api
    secrets = (zoom.client_secret, zoom.secret_token, api.client_secret)
    try:
        recorder = TapeRecorder(
            folder / f"{find(announcement) or 'meeting'}.rtms.zst",
            product=announcement.product,
            id=announcement.zoom_id,
            stream=announcement.stream,
            start_ms=announcement.announced_ms,
            clock=clock,
            title=announcement.title or "",
            zone=settings.zone,
            secrets=[secret.reveal() for secret in secrets if secret],
        )
        recorder.path.chmod(0o600)  # the folder may be one that others can read
        return recorder
    except (StorageError, OSError) as error:
        log.error("tape.not_recorded", error=str(error))  # noqa: TRY400 - the line says it all
        return None


def _notes(
    settings: Settings, model: ChatClient | None, clock: Clock, ids: Ids
) -> Callable[[MeetingLog, MeetingClock], NotesStage]:
    prompts = Prompts.load(settings.summarize.prompts)

    def notes(meeting_log: MeetingLog, meeting_clock: MeetingClock) -> NotesStage:
        extract = ExtractiveWriter()
        writer: Writer = extract
        if model is not None:
            writer = ModelWriter(model, prompts, settings.summarize, clock=clock, ids=ids)
        return NotesStage(
            log=meeting_log,
            clock=meeting_clock,
            machine=clock,
            writer=writer,
            fallback=None if model is None else extract,
            settings=settings.summarize,
            ids=ids,
        )

    return notes


def _api(settings: Settings, clock: Clock) -> ZoomApi | None:
    if not settings.zoom_api.is_on:
        return None
    return ZoomApi(
        settings.zoom_api,
        app_client_id=settings.zoom.client_id,
        guard=UrlGuard(settings.rtms.allowed_domains, settings.rtms.allow_loopback),
        clock=clock,
    )


def _tape_folder(settings: Settings) -> Path | None:
    """Made now, so that a folder that cannot be written is told before a meeting."""
    if not settings.general.tapes:
        return None
    folder = Path(settings.general.tapes)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise BadInput(f"--tape {folder}: cannot be used ({error.strerror})") from error
    return folder
