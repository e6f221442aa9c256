"""Message 18: chat (reference section 12.3)."""

from __future__ import annotations

from typing import Final

import msgspec

from pipeline.rtms.messages.parts import Id, Part, Person, Tagged
from pipeline.rtms.repair import CHAT_KEYS, chat

_plain: Final = msgspec.json.Decoder()


class ChatSession(Part, frozen=True, kw_only=True):
    type: int | None = None
    id: str | None = None


class ChatFile(Part, frozen=True, kw_only=True):
    file_id: str | None = None
    file_name: str | None = None
    file_size: int | None = None


class ChatBody(Part, frozen=True, kw_only=True):
    """``content.data`` of chat, object form (section 12.3)."""

    data: str = ""
    chat_session: ChatSession | None = None
    operation_type: int | None = None
    message_id: str | None = None
    parent_message_id: str | None = None
    sender: Person | None = None
    receiver: Person | None = None
    files: list[ChatFile] | None = None
    delete_file_id_list: list[str] | None = None


class ChatContent(Part, frozen=True, kw_only=True):
    """``data``: an object, a JSON text of one, or plain text; ``chat_body`` reads all three."""

    data: str | ChatBody
    timestamp: int | None = None
    user_id: Id | None = None
    user_name: str | None = None


class ChatData(Tagged, frozen=True, kw_only=True, tag=18):
    content: ChatContent


def chat_body(data: str | ChatBody) -> ChatBody:
    """The chat message in ``content.data``, in any of its three forms.

    People can write JSON too: a text counts as an object only with a key that Zoom always sets.
    """
    if isinstance(data, ChatBody):
        return data
    if data.lstrip()[:1] == "{":
        try:
            raw = _plain.decode(data)
            if isinstance(raw, dict) and CHAT_KEYS & raw.keys():
                return msgspec.convert(chat(raw), ChatBody, strict=False)
        except (ValueError, RecursionError):
            pass
    return ChatBody(data=data)
