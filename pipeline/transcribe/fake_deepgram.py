"""A scripted server of Deepgram's streaming speech-to-text: for tests."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable
from typing import Any

from websockets.asyncio.server import ServerConnection

from pipeline.transcribe.fake_sockets import Call, Closes, FakeSockets, Mixes, Reports, Says, Turn


class FakeDeepgram(FakeSockets):
    """Deepgram's ``/v1/listen``: words get times spread evenly over the audio. ``answers``: it
    answers ``Finalize`` (the real one does not always)."""

    REQUEST = "r-1"

    def __init__(
        self,
        script: Iterable[Turn] = (),
        *,
        otherwise: Turn | None = None,
        tls: ssl.SSLContext | None = None,
        answers: bool = True,
    ) -> None:
        super().__init__(script, otherwise=otherwise, tls=tls)
        self._answers = answers

    async def _took(
        self, connection: ServerConnection, call: Call, turn: Turn, message: str | bytes
    ) -> None:
        if isinstance(message, bytes):
            call.audio += message
            if isinstance(turn, Closes) and not turn.at_end:
                await connection.close(turn.code, turn.reason)
            if isinstance(turn, Says) and turn.early:
                words = turn.text.split()
                heard = words[: len(call.audio) * len(words) // max(len(call.audio) + 8000, 1)]
                await connection.send(self._tentative(" ".join(heard), call))
            return
        event = json.loads(message)
        call.messages.append(event)
        ending = "Finalize" if self._answers else "CloseStream"
        if event["type"] == ending:
            await self._end(connection, call, turn)
        if event["type"] == "CloseStream" and isinstance(turn, Says | Mixes):
            done = {"type": "Metadata", "request_id": self.REQUEST, "duration": _seconds(call)}
            await connection.send(json.dumps(done))
            await connection.close()

    def _tentative(self, text: str, call: Call) -> str:
        return self._results(text, 0.0, _seconds(call), final=False)

    def _final(self, turn: Says | Mixes, call: Call) -> list[str]:
        """In two results, as for speech that is longer than a few seconds."""
        total = _seconds(call)
        if isinstance(turn, Mixes):
            request = "r-0" if turn.how == "id" else self.REQUEST
            start = 0.0 if turn.how == "id" else total + 60
            return [self._results(turn.text, start, total, request=request)]
        words = turn.text.split()
        half = len(words) // 2
        parts = ((words[:half], 0.0, False), (words[half:], total / 2, self._answers))
        return [
            self._results(
                " ".join(part), start, total / 2, languages=turn.languages, from_finalize=last
            )
            for part, start, last in parts
        ]

    def _results(
        self,
        text: str,
        start: float,
        duration: float,
        *,
        final: bool = True,
        from_finalize: bool = False,
        languages: tuple[str, ...] = (),
        request: str = REQUEST,
    ) -> str:
        words = text.split()
        step = duration / max(1, len(words))
        timed = [
            {
                "word": word.lower().strip(".,?!"),
                "punctuated_word": word,
                "start": round(start + step * at, 3),
                "end": round(start + step * (at + 1), 3),
                "confidence": 0.9,
            }
            for at, word in enumerate(words)
        ]
        best: dict[str, Any] = {"transcript": text, "confidence": 0.9, "words": timed}
        if languages:
            best["languages"] = list(languages)
        return json.dumps(
            {
                "type": "Results",
                "channel_index": [0, 1],
                "start": round(start, 3),
                "duration": round(duration, 3),
                "is_final": final,
                "speech_final": False,
                "from_finalize": from_finalize,
                "channel": {"alternatives": [best]},
                "metadata": {"request_id": request},
            }
        )

    def _error(self, turn: Reports) -> dict[str, Any]:
        return {"type": "Error", "code": turn.code, "description": f"no: {turn.repeats}"}


def _seconds(call: Call) -> float:
    return len(call.audio) / 2 / 16_000
