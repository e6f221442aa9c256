"""What a client sends to the transcription server, bounded in size and time."""

from __future__ import annotations

import asyncio
from typing import BinaryIO, Final

import msgspec
from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from pipeline.transcribe.server_form import ApiError

_CHUNK: Final = 256 * 1024
LONGEST_FIELD: Final = 16_384
"""Bytes of a form field beside the file."""
_MOST_FIELDS: Final = 200

_MALFORMED: Final = (
    ValueError,
    AssertionError,
    RuntimeError,
    LookupError,
    HttpProcessingError,
    web.RequestPayloadError,
)
"""What aiohttp raises for a body that is not what its header says, or breaks off."""


class ServerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one client may cost."""

    upload_bytes: int = 512_000_000
    """Four hours of stereo at 16 bit and 16 kHz; OpenAI takes 25 MB."""
    audio_s: float = 4 * 3600.0
    requests: int = 8
    """At a time; more are answered 429. The pool takes turns between them and the meetings."""
    ahead: int = 3
    """Stretches of one request that may wait or be decoded at a time."""
    stalled_s: float = 60.0
    """Machine time that an upload, or a reader of a stream, may stand still."""


async def take(
    request: web.Request, upload: BinaryIO, limits: ServerLimits
) -> tuple[dict[str, list[str]], int]:
    """The fields of a multipart form, and the bytes of its file, which go to ``upload``.

    Raises ApiError."""
    fields: dict[str, list[str]] = {}
    size = 0
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                raise ApiError("the body must be multipart/form-data with named fields")
            if part.name == "file":
                size += await _save(part, upload, limits, size)
                continue
            name = part.name[:40]
            fields.setdefault(part.name, []).append(await _text(part, limits, name))
            if sum(map(len, fields.values())) > _MOST_FIELDS:
                raise ApiError("too many fields")
    except TimeoutError as error:
        raise ApiError(f"nothing came for {limits.stalled_s:g} s", status=408) from error
    except _MALFORMED as error:
        raise ApiError(
            "the body must be multipart/form-data with a file, a model and options"
        ) from error
    return fields, size


async def _text(part: BodyPartReader, limits: ServerLimits, name: str) -> str:
    text = b""
    while chunk := await _chunk(part, limits):
        text += chunk
        if len(text) > LONGEST_FIELD:
            raise ApiError(f"{name} is too long", param=name)
    return text.decode("utf-8", "replace")


async def _save(part: BodyPartReader, upload: BinaryIO, limits: ServerLimits, before: int) -> int:
    size = 0
    while chunk := await _chunk(part, limits):
        size += len(chunk)
        if before + size > limits.upload_bytes:
            raise ApiError(
                f"the file is larger than {limits.upload_bytes:,} bytes",
                status=413,
                param="file",
                code="file_too_large",
            )
        try:
            await asyncio.to_thread(upload.write, chunk)
        except OSError as error:
            raise ApiError(
                f"the file cannot be kept while it is read ({error.strerror})",
                status=507,
                param="file",
                code="disk_full",
            ) from error
    return size


async def _chunk(part: BodyPartReader, limits: ServerLimits) -> bytes:
    async with asyncio.timeout(limits.stalled_s):
        return await part.read_chunk(_CHUNK)
