"""The HTTP client under every call: only what we mean to send, only where we mean to send it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import httpx2

from pipeline.base.secret import Secret

_OURS = frozenset(
    {
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "content-type",
        "content-length",
        "transfer-encoding",
        "idempotency-key",
    }
)


class AnswerTooLong(Exception):
    """More bytes came than ``max_answer_bytes``."""


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, limit: int) -> None:
        self._inner = inner
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for piece in self._inner:
            seen += len(piece)
            if seen > self._limit:
                raise AnswerTooLong
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Guarded(httpx2.AsyncBaseTransport):
    """Last step before the network: drops headers that the SDK or its environment variables
    (``OPENAI_CUSTOM_HEADERS``, organisation, telemetry) put in, and bounds the answer."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, key: Secret, limit: int) -> None:
        self._inner = inner
        self._key = key
        self._limit = limit

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        kept = [(name, value) for name, value in request.headers.items() if name in _OURS]
        kept.append(("user-agent", "rtms-notes"))
        if self._key:
            kept.append(("authorization", f"Bearer {self._key.reveal()}"))
        bare = httpx2.Request(
            request.method,
            request.url,
            headers=kept,
            stream=request.stream,
            extensions=request.extensions,
        )
        response = await self._inner.handle_async_request(bare)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Counted(response.stream, self._limit)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def open_http(
    *,
    api_key: Secret,
    timeout: httpx2.Timeout,
    max_answer_bytes: int,
    ca_file: str = "",
    transport: httpx2.AsyncBaseTransport | None = None,
) -> httpx2.AsyncClient:
    """A client that ignores proxies and credentials of the environment and follows
    no redirect. ``transport`` replaces the network (tests). Raises OSError for ``ca_file``."""
    if transport is None:
        context = ssl.create_default_context(cafile=ca_file or None)
        transport = httpx2.AsyncHTTPTransport(verify=context, trust_env=False)
    return httpx2.AsyncClient(
        transport=_Guarded(transport, api_key, max_answer_bytes),
        timeout=timeout,
        trust_env=False,
        follow_redirects=False,
    )
