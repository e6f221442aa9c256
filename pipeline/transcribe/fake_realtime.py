"""A scripted OpenAI realtime transcription server: for tests."""

from __future__ import annotations

import base64
import json
from typing import Any

from websockets.asyncio.server import ServerConnection

from pipeline.transcribe.fake_sockets import Call, Closes, FakeSockets, Mixes, Reports, Says, Turn

_PIECES = 4
"""A text is told in so many."""


class FakeRealtime(FakeSockets):
    """OpenAI's realtime transcription. It refuses what OpenAI refuses: audio without a session, a
    commit of less than 100 ms, ``language`` with a model that takes ``languages``."""

    ITEM = "item_1"

    def _hello(self) -> str:
        return json.dumps({"type": "session.created", "session": {"id": "s"}})

    async def _took(
        self, connection: ServerConnection, call: Call, turn: Turn, message: str | bytes
    ) -> None:
        event = json.loads(message)
        call.messages.append(event)
        match event["type"]:
            case "session.update":
                await self._update(connection, event["session"])
            case "input_audio_buffer.append":
                if len(call.messages) == 1:
                    await connection.send(json.dumps(self._error(Reports("no_session"))))
                call.audio += base64.b64decode(event["audio"], validate=True)
                if isinstance(turn, Closes) and not turn.at_end:
                    await connection.close(turn.code, turn.reason)
                if isinstance(turn, Says) and turn.early:
                    await self._early(connection, call, turn.text)
            case "input_audio_buffer.commit":
                if len(call.audio) < 4800:
                    report = Reports("input_audio_buffer_commit_empty")
                    await connection.send(json.dumps(self._error(report)))
                    return
                if isinstance(turn, Says | Mixes):
                    committed = {"type": "input_audio_buffer.committed", "item_id": self.ITEM}
                    await connection.send(json.dumps(committed))
                await self._end(connection, call, turn)

    async def _update(self, connection: ServerConnection, session: dict[str, Any]) -> None:
        asked = session["audio"]["input"]
        plural = asked["transcription"]["model"] in ("gpt-live-transcribe", "gpt-transcribe")
        right = (
            session["type"] == "transcription"
            and asked["format"] == {"type": "audio/pcm", "rate": 24000}
            and asked["turn_detection"] is None
            and not (plural and "language" in asked["transcription"])
        )
        told = {"type": "session.updated", "session": session} if right else None
        await connection.send(json.dumps(told or self._error(Reports("invalid_value"))))

    async def _early(self, connection: ServerConnection, call: Call, text: str) -> None:
        """The next piece of the text, not minding where words end."""
        count = sum(m["type"] == "input_audio_buffer.append" for m in call.messages)
        step = -(-len(text) // _PIECES)
        piece = text[(count - 1) * step : count * step]
        if piece:
            await connection.send(self._tentative(piece, call))

    def _tentative(self, text: str, call: Call) -> str:  # noqa: ARG002 (it has no times)
        return self._event("delta", delta=text)

    def _final(self, turn: Says | Mixes, call: Call) -> list[str]:  # noqa: ARG002
        if isinstance(turn, Mixes):
            return [self._event("completed", "item_0", transcript=turn.text)]
        tags = [{"code": tag} for tag in turn.languages]
        return [self._event("completed", transcript=turn.text, languages=tags or None)]

    def _event(self, name: str, item: str = ITEM, **fields: Any) -> str:
        kind = f"conversation.item.input_audio_transcription.{name}"
        return json.dumps({"type": kind, "item_id": item, "content_index": 0, **fields})

    def _error(self, turn: Reports) -> dict[str, Any]:
        error = {"code": turn.code, "type": turn.type, "message": f"no: {turn.repeats}"}
        return {"type": "error", "event_id": "e1", "error": error}
