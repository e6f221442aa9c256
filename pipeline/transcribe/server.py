"""Our speech-to-text as an OpenAI-compatible server: ``/v1/audio/transcriptions``.

Audio of any length is cut by our VAD into stretches an engine can take, and decoded by the pool
that meetings use, in turn with them. Nothing of it is kept: an upload lives in an unnamed
temporary file while it is read.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from typing import BinaryIO, Final, Protocol, cast

import msgspec
import structlog
from aiohttp import hdrs, web

from pipeline.audio.media_file import MediaFile
from pipeline.audio.packet import Samples
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import SileroVad, Vad
from pipeline.base.errors import BadInput, EngineError
from pipeline.transcribe.engine import SAMPLE_RATE, Capabilities, Hints, Pcm, Transcription
from pipeline.transcribe.long_audio import Spoken, spoken
from pipeline.transcribe.server_form import (
    ApiError,
    Piece,
    Wish,
    answer,
    delta_event,
    done_event,
    models,
    wish,
)
from pipeline.transcribe.upload import LONGEST_FIELD, ServerLimits, take

log = structlog.get_logger()

_IN_MEMORY: Final = 4_000_000

_TURN: Final = "server"
"""All requests together have the turn of one meeting in the pool: many of them must not take the
share of people who talk."""

_LIMITS = ServerLimits()


class Decode(Protocol):
    """``DecodePool.transcribe``: fair between the ``meeting`` keys. Raises EngineError."""

    async def __call__(
        self, meeting: str, pcm: Pcm, hints: Hints, *, speech_ms: int | None = None
    ) -> Transcription:
        """The words of one stretch."""
        ...


class TranscriptionServer:
    """The handlers. ``vad`` makes one for each request; ``is_ours`` judges ``Host`` headers.

    ``capabilities`` are those of the engine behind ``decode``; its name is the model's.
    """

    def __init__(
        self,
        decode: Decode,
        capabilities: Capabilities,
        *,
        audio: AudioSettings,
        is_ours: Callable[[Sequence[str]], bool],
        limits: ServerLimits = _LIMITS,
        vad: Callable[[], Vad] = SileroVad,
    ) -> None:
        self._decode = decode
        self._engine = capabilities
        self._audio = audio
        self._is_ours = is_ours
        self._limits = limits
        self._make_vad = vad
        self._running = 0

    def application(self) -> web.Application:
        """To be listened on."""
        app = web.Application(middlewares=[self._guarded], client_max_size=LONGEST_FIELD)
        app.router.add_post("/v1/audio/transcriptions", self._transcriptions)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{model}", self._model)
        return app

    @web.middleware
    async def _guarded(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Only programs of this machine; a page in its browser is somebody else's program."""
        try:
            self._admit(request)
            return await handler(request)
        except ApiError as error:
            return _refusal(error)
        except web.HTTPException as error:
            message = f"{request.method} {request.path[:80]}: {error.reason}"
            return _refusal(ApiError(message, status=error.status, code="unknown_url"))

    def _admit(self, request: web.Request) -> None:
        if not self._is_ours(request.headers.getall(hdrs.HOST, [])):
            raise ApiError("this server answers its own machine only", status=403)
        if hdrs.ORIGIN in request.headers:
            raise ApiError("this server takes nothing from web pages", status=403)

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": models(self._engine)})

    async def _model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        found = next((model for model in models(self._engine) if model["id"] == name), None)
        if found is None:
            raise ApiError(f"there is no model {name[:60]!r}", status=404, code="model_not_found")
        return web.json_response(found)

    async def _transcriptions(self, request: web.Request) -> web.StreamResponse:
        if self._running >= self._limits.requests:
            raise ApiError(
                f"{self._running} requests are being answered; try again",
                status=429,
                code="rate_limit_exceeded",
                retry_after_s=1.0,
            )
        self._running += 1
        try:
            with cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY)) as upload:
                fields, size = await take(request, upload, self._limits)
                wanted = wish(fields, self._engine)
                if not size:
                    raise ApiError("send a file", param="file", code="missing_parameter")
                upload.seek(0)
                return await self._answer(request, wanted, upload)
        finally:
            self._running -= 1

    # -- the answer -------------------------------------------------------------------------

    async def _answer(
        self, request: web.Request, wanted: Wish, upload: BinaryIO
    ) -> web.StreamResponse:
        try:
            media = await asyncio.to_thread(MediaFile, upload, "the file")
        except BadInput as error:
            raise ApiError(str(error), param="file", code="invalid_file") from error
        with closing(media):
            async with aclosing(self._heard(request, wanted, media)) as pieces:
                if wanted.stream:
                    return await self._streamed(request, pieces)
                found = [piece async for piece in pieces]
            body, content_type = answer(wanted, found, media.position)
        return web.Response(text=body, content_type=content_type)

    async def _streamed(
        self, request: web.Request, pieces: AsyncGenerator[Piece, None]
    ) -> web.StreamResponse:
        """Words as they are found. What goes wrong before the first of them is still an error of
        its own status; later it is an event."""
        piece = await anext(pieces, None)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        said: list[Piece] = []
        try:
            while piece is not None:
                if piece.text:
                    text = f" {piece.text}" if said else piece.text
                    said.append(piece)
                    await self._write(request, response, delta_event(text))
                piece = await anext(pieces, None)
            await self._write(request, response, done_event(said))
        except ApiError as error:
            await self._write(request, response, error.body())
        await response.write_eof()
        return response

    async def _write(
        self, request: web.Request, response: web.StreamResponse, value: object
    ) -> None:
        """Cuts a client off that takes nothing for ``stalled_s``. Raises ConnectionResetError."""
        try:
            async with asyncio.timeout(self._limits.stalled_s):
                await response.write(b"data: " + msgspec.json.encode(value) + b"\n\n")
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the client reads nothing") from None

    async def _heard(
        self, request: web.Request, wanted: Wish, media: MediaFile
    ) -> AsyncGenerator[Piece, None]:
        """The words of each stretch, in order. Raises ApiError."""
        waiting: deque[tuple[Spoken, asyncio.Task[Transcription]]] = deque()
        reading: asyncio.Task[Spoken | None] | None = None
        try:
            vad = await asyncio.to_thread(self._make_vad)
            stretches = spoken(self._bounded(request, media), vad, self._audio)
            while True:
                reading = asyncio.create_task(asyncio.to_thread(next, stretches, None))
                if (found := await asyncio.shield(reading)) is None:
                    break
                decode = self._decode(_TURN, found.pcm, wanted.hints, speech_ms=found.speech_ms)
                waiting.append((found, asyncio.ensure_future(decode)))
                while waiting and (len(waiting) >= self._limits.ahead or waiting[0][1].done()):
                    yield await _settled(waiting)
            while waiting:
                yield await _settled(waiting)
        except BadInput as error:
            raise ApiError(str(error), param="file", code="invalid_file") from error
        except EngineError as error:
            log.warning("server.engine_failed", kind=error.kind, error=str(error))
            raise ApiError(
                f"speech-to-text failed: {error}",
                status=503 if error.retryable else 500,
                code=error.kind,
                retry_after_s=(error.retry_after_s or 1.0) if error.retryable else None,
            ) from error
        finally:
            if reading is not None:  # its thread must be out of FFmpeg before the file is closed
                await asyncio.wait({reading})
            for _, task in waiting:
                task.cancel()
            await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)

    def _bounded(self, request: web.Request, media: MediaFile) -> Iterator[Samples]:
        for samples in media.read():
            if request.transport is None or request.transport.is_closing():
                raise ApiError("the client is gone", status=499)
            if media.position > self._limits.audio_s * SAMPLE_RATE:
                raise ApiError(
                    f"the audio is longer than {self._limits.audio_s / 3600:g} hours",
                    param="file",
                    code="audio_too_long",
                )
            yield samples


async def _settled(waiting: deque[tuple[Spoken, asyncio.Task[Transcription]]]) -> Piece:
    """The words of the oldest stretch."""
    stretch, task = waiting[0]
    heard = await task
    waiting.popleft()
    return Piece(stretch.at, stretch.at + len(stretch.pcm), heard)


def _refusal(error: ApiError) -> web.Response:
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = f"{max(1, round(error.retry_after_s))}"
    return web.json_response(error.body(), status=error.status, headers=headers)
