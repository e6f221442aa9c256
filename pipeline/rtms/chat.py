"""Chat as it is told: messages, edits, reactions, files (reference section 12.3)."""

from __future__ import annotations

from typing import Final, Literal

from pipeline.rtms.enums import ChatOperation, ChatSessionType
from pipeline.rtms.messages import ChatBody, ChatContent, ChatFile, chat_body
from pipeline.rtms.outputs import ChatOperation as Told
from pipeline.rtms.outputs import ChatReceived, SharedFile
from pipeline.rtms.people import number_of

_OPERATIONS: Final[dict[int, Told]] = {
    ChatOperation.NEW: "new",
    ChatOperation.DELETE: "delete",
    ChatOperation.UPDATE: "update",
    ChatOperation.ADD_EMOJI_REACTION: "reaction_added",
    ChatOperation.REMOVE_EMOJI_REACTION: "reaction_removed",
}
_Session = Literal["everyone", "individual", "group", "hosts", "other"]

_SESSIONS: Final[dict[int, _Session]] = {
    ChatSessionType.EVERYONE: "everyone",
    ChatSessionType.INDIVIDUAL: "individual",
    ChatSessionType.CHAT_GROUP: "group",
    ChatSessionType.HOSTS_AND_PANELISTS: "hosts",
    ChatSessionType.INDIVIDUAL_CC_HOSTS_AND_PANELISTS: "individual",
}
_SIZES_BELOW: Final = 1 << 63


def chat_received(content: ChatContent, at_ms: int) -> ChatReceived | str:
    """The message, or why it cannot be used, in words that hold nothing of it."""
    body = chat_body(content.data)
    operation = operation_of(body)
    if operation is None:
        return f"chat operation {str(body.operation_type)[:20]}"
    sender_id, sender_name = _sender(content, body)
    session = body.chat_session
    return ChatReceived(
        zoom_id=body.message_id,
        user_id=number_of(sender_id),
        user_name=sender_name or None,
        at_ms=at_ms,
        text=body.data,
        operation=operation,
        session=_session(session.type) if session is not None else None,
        group=session.id if session is not None and session.type == _GROUP else None,
        to_id=number_of(body.receiver.user_id) if body.receiver is not None else None,
        to_name=(body.receiver.user_name or None) if body.receiver is not None else None,
        parent=body.parent_message_id or _reacted_to(body, operation),
        files=tuple(_file(file) for file in body.files or ()),
        deleted_files=tuple(body.delete_file_id_list or ()),
    )


def operation_of(body: ChatBody) -> Told | None:
    """None for a number without a meaning. How files are deleted is not documented: a list of them
    with an operation that says nothing more is about the files alone, and so is one of a message
    whose text stays."""
    number = body.operation_type
    told = _OPERATIONS.get(number) if number is not None else "new"
    if not body.delete_file_id_list:
        return told
    text = bool(body.data.strip())
    if told == "new" or (told == "update" and not text) or (told == "delete" and text):
        return "files_deleted"
    return told


def _session(number: int | None) -> _Session | None:
    """None: not told. A kind that came after this version may be for anybody, so it is not taken
    as one for everyone."""
    return None if number is None else _SESSIONS.get(number, "other")


_GROUP: Final = ChatSessionType.CHAT_GROUP


def _sender(content: ChatContent, body: ChatBody) -> tuple[int | str | None, str | None]:
    """Who wrote it. An object that came as text might have been typed by a person: there the
    message's own fields go first."""
    sender = body.sender
    typed = isinstance(content.data, str) and content.user_id is not None
    if sender is None or typed:
        return content.user_id, content.user_name
    return sender.user_id, sender.user_name


def _reacted_to(body: ChatBody, operation: Told) -> str | None:
    """Where a reaction names no parent, its own id is that of the message it is about."""
    return body.message_id if operation in ("reaction_added", "reaction_removed") else None


def _file(file: ChatFile) -> SharedFile:
    size = file.file_size
    known = size is not None and 0 <= size < _SIZES_BELOW
    return SharedFile(file.file_id, file.file_name, size if known else None)
