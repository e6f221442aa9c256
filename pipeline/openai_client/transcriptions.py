"""``POST /audio/transcriptions`` of any OpenAI-compatible server: a recording in, its words out."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx2
import msgspec

from pipeline.base.clock import Clock
from pipeline.base.errors import ConfigError
from pipeline.base.secret import Secret
from pipeline.openai_client.errors import CallFailed, from_status
from pipeline.openai_client.wire import AnswerTooLong, open_http


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A recording (``wav``: a whole file) and how it is to be heard; empty: the server decides.
    ``key``: the same for every try at it."""

    wav: bytes
    model: str
    language: str = ""
    terms: tuple[str, ...] = ()
    word_times: bool = False
    stream: bool = False
    key: str = ""


class SpokenWord(msgspec.Struct, frozen=True):
    """Times are seconds; ``probability`` is told by some servers."""

    word: str
    start: float
    end: float
    probability: float | None = None


class SpokenPart(msgspec.Struct, frozen=True):
    """A sentence or so; the server's confidence is told for each."""

    start: float = 0.0
    end: float = 0.0
    avg_logprob: float | None = None


class _Language(msgspec.Struct, frozen=True):
    code: str


class Spoken(msgspec.Struct, frozen=True):
    """What a server says of a recording, as it stands: untrusted. ``language`` may be a name."""

    text: str
    language: str | None = None
    languages: list[_Language] | None = None
    words: list[SpokenWord] | None = None
    segments: list[SpokenPart] | None = None


class _Event(msgspec.Struct, frozen=True):
    type: str = ""
    text: str | None = None
    languages: list[_Language] | None = None
    error: Any = None
    message: str | None = None


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for bytes of a server."""

_spoken = msgspec.json.Decoder(Spoken)
_event = msgspec.json.Decoder(_Event)
_models = msgspec.json.Decoder(_Models)


class Transcriptions:
    """A client of one server. Nothing is repeated here; the caller asks the error."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: Secret,
        connect_timeout_s: float,
        read_timeout_s: float,
        max_answer_bytes: int,
        clock: Clock,
        ca_file: str = "",
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """``transport`` replaces the network. Raises ConfigError for a ``ca_file`` that is none."""
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._limit = max_answer_bytes
        self._clock = clock
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        try:
            self._http = open_http(
                api_key=api_key,
                timeout=httpx2.Timeout(read_timeout_s, connect=connect_timeout_s),
                max_answer_bytes=max_answer_bytes,
                ca_file=ca_file,
                transport=transport,
            )
        except OSError as error:
            raise ConfigError(f"stt.ca_file: {ca_file}: {error.strerror}") from error

    async def close(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def models(self) -> list[str]:
        """The models the server lists. Raises CallFailed."""
        request = self._http.build_request("GET", f"{self._base_url}/models")
        body = await self._answer(request, ())
        try:
            found = _models.decode(body if isinstance(body, bytes) else b"")
        except _UNREADABLE as error:
            raise CallFailed("the server lists no models", kind="no_model") from error
        return [model.id for model in found.data]

    async def transcribe(self, ask: Ask) -> Spoken:
        """The words of a recording. Raises CallFailed."""
        headers = {"accept-encoding": "identity"}
        if ask.key:
            headers["idempotency-key"] = ask.key
        request = self._http.build_request(
            "POST",
            f"{self._base_url}/audio/transcriptions",
            data=_fields(ask),
            files={"file": ("segment.wav", ask.wav, "audio/wav")},
            headers=headers,
        )
        body = await self._answer(request, ask.terms)
        if isinstance(body, Spoken):
            return body
        try:
            return _spoken.decode(body)
        except msgspec.ValidationError as error:
            raise CallFailed(
                "the server's answer is no transcription", kind="bad_answer"
            ) from error
        except _UNREADABLE as error:
            raise CallFailed("the server's answer is not whole JSON", kind="server") from error

    async def _answer(self, request: httpx2.Request, sent: tuple[str, ...]) -> bytes | Spoken:
        """The body, or what its last event said when it is a stream of them."""
        try:
            response = await self._http.send(request, stream=True)
            try:
                if not response.is_success:
                    raise self._failed(response, await self._read(response), sent)
                if response.headers.get("content-type", "").startswith("text/event-stream"):
                    return await self._last_event(response)
                return await self._read(response)
            finally:
                await response.aclose()
        except (AnswerTooLong, httpx2.SSEError) as error:
            raise CallFailed("the server's answer does not end", kind="too_long") from error
        except httpx2.TimeoutException as error:
            raise CallFailed(self._waited_for(error), kind="timeout") from error
        except httpx2.HTTPError as error:
            cause = type(error).__name__
            raise CallFailed(
                f"no connection to {self._base_url} ({cause})", kind="connect"
            ) from error

    async def _read(self, response: httpx2.Response) -> bytes:
        """The body as it is meant: a packed one may be a thousand times longer than it came."""
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > self._limit:
                raise AnswerTooLong
        return bytes(body)

    async def _last_event(self, response: httpx2.Response) -> Spoken:
        """The text of ``transcript.text.done``: what came before it is parts of the same."""
        async for sent in httpx2.EventSource(response, max_event_size=self._limit):
            if sent.data == "[DONE]":
                break
            try:
                event = _event.decode(sent.data)
            except msgspec.ValidationError as error:
                raise CallFailed(
                    "the server's events are of another form", kind="bad_answer"
                ) from error
            except _UNREADABLE as error:
                raise CallFailed(
                    "an event of the server is not whole JSON", kind="server"
                ) from error
            if event.error is not None or "error" in (event.type, sent.event):
                raise CallFailed("the server broke off with an error", kind="server")
            if event.type == "transcript.text.done":
                if event.text is None:
                    raise CallFailed("the server's last event has no text", kind="bad_answer")
                return Spoken(event.text, languages=event.languages)
        raise CallFailed("the server's answer broke off", kind="connect")

    def _failed(self, response: httpx2.Response, body: bytes, sent: tuple[str, ...]) -> CallFailed:
        said: Any = body.decode(errors="replace")
        with contextlib.suppress(*_UNREADABLE):
            said = msgspec.json.decode(body)
        return from_status(
            response.status_code,
            said,
            response.headers,
            now_ms=self._clock.now_ms(),
            sent=[text for text in (*sent, self._api_key.reveal()) if text],
        )

    def _waited_for(self, error: httpx2.TimeoutException) -> str:
        match error:
            case httpx2.ConnectTimeout():
                return f"no connection to {self._base_url} within {self._connect_timeout_s:g} s"
            case httpx2.WriteTimeout():
                return f"the server took no audio for {self._read_timeout_s:g} s"
            case _:
                return f"no answer within {self._read_timeout_s:g} s"


MOST_PROMPT = 600
"""Characters. Whisper reads the last 224 tokens of a prompt; the likeliest terms are first."""


def _fields(ask: Ask) -> dict[str, Any]:
    """The form beside the file. OpenAI's newer models take lists of words and of languages, all
    others one language and a text before the first word."""
    fields: dict[str, Any] = {
        "model": ask.model,
        "response_format": "verbose_json" if ask.word_times else "json",
    }
    if ask.word_times:
        fields["timestamp_granularities[]"] = ["word", "segment"]
    if ask.stream:
        fields["stream"] = "true"
    terms = [term for term in (" ".join(term.split()) for term in ask.terms) if term]
    if "gpt-transcribe" in ask.model:
        fields |= {"languages[]": [ask.language]} if ask.language else {}
        return fields | ({"keywords[]": terms} if terms else {})
    if ask.language:
        fields["language"] = ask.language
    if prompt := prompt_of(terms):
        fields["prompt"] = prompt
    return fields


def prompt_of(terms: list[str]) -> str:
    """Terms as the text before the first word, as many as fit."""
    prompt = ""
    for term in terms:
        longer = f"{prompt}, {term}" if prompt else term
        if len(longer) > MOST_PROMPT:
            break
        prompt = longer
    return prompt
