"""Chat as events: messages with whom they are for, files, reactions, groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from pipeline.meeting.words import sound
from pipeline.model import events as ev
from pipeline.model.speech import Message, SharedFile
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out

RAW: Final = 4_096
"""Bytes kept of an event of Zoom's that is not documented."""

_FILES: Final = 50
_DEPTH: Final = 6


class Chat:
    """Makes bodies for the log of one meeting; ``state`` is the meeting so far.

    A message is told once, whatever Zoom sends again (without an id: the same words of the same
    person at the same time); one that was deleted stays deleted, even when its text comes later
    than its deletion. An edit whose message never came is all there is of it, and told as one where
    it says whom it is for: else something private might count as said to everybody.
    """

    def __init__(self, state: MeetingState, name_of: Callable[[str], str | None]) -> None:
        self._name_of = name_of
        self._count = len(state.messages)
        self._messages = {m.zoom_id: m for m in state.messages.values() if m.zoom_id}
        self._nameless = {
            (m.participant, m.at_ms, m.text) for m in state.messages.values() if not m.zoom_id
        }
        self._groups = dict(state.chat_groups)
        self._reactions = {
            (m.id, r.emoji, r.participant) for m in state.messages.values() for r in m.reactions
        }

    def typed(self, stream: str, chat: out.ChatReceived) -> list[ev.Body]:
        """A chat message, its edit or deletion, a reaction, or files that are gone."""
        if chat.operation in ("reaction_added", "reaction_removed"):
            return self._reacted(chat)
        known = self._known(chat.zoom_id)
        if known is None:
            if chat.operation == "new" or (chat.operation == "update" and chat.session is not None):
                return self._said(self._new(stream, chat)) if self._is_news(chat) else []
            if chat.operation == "delete" and chat.zoom_id:
                return self._said(
                    msgspec.structs.replace(self._new(stream, chat), text="", deleted=True)
                )
            return []
        if known.deleted:
            return []
        match chat.operation:
            case "update":
                changed = self._changed(known, text=sound(chat.text))
            case "delete":
                changed = self._changed(known, deleted=True)
            case "files_deleted":
                gone = {sound(name) for name in chat.deleted_files}
                files = tuple(f for f in known.files if f.id not in gone)
                changed = self._changed(known, files=files)
            case _:  # it came before
                return []
        return self._said(changed) if changed is not None else []

    def groups(self, stream: str, told: out.ChatGroupChanged) -> list[ev.Body]:
        """Chat groups, or who is in them."""
        names = group_names(told.raw)
        self._groups |= names
        return [
            ev.ChatGroupsChanged(
                stream=stream,
                at_ms=told.at_ms,
                change=told.change,
                raw=told.raw[:RAW].decode("utf-8", "replace"),
                names=names,
            )
        ]

    def _new(self, stream: str, chat: out.ChatReceived) -> Message:
        self._count += 1
        participant = None if chat.user_id is None else str(chat.user_id)
        to_id = None if chat.to_id is None else str(chat.to_id)
        group = sound(chat.group) if chat.group else None
        return Message(
            id=f"c{self._count}",
            stream=stream,
            at_ms=chat.at_ms,
            text=sound(chat.text),
            participant=participant,
            speaker=self._name(participant, chat.user_name),
            zoom_id=sound(chat.zoom_id) if chat.zoom_id else None,
            session=chat.session,
            chat_group=self._groups.get(group, group) if group else None,
            to_id=to_id,
            to_name=self._name(to_id, chat.to_name),
            parent=sound(chat.parent) if chat.parent else None,
            files=tuple(_file(file) for file in chat.files[:_FILES]),
        )

    def _is_news(self, chat: out.ChatReceived) -> bool:
        """Of messages without an id, whether this one did not come before."""
        if chat.zoom_id:
            return True
        participant = None if chat.user_id is None else str(chat.user_id)
        known = len(self._nameless)
        self._nameless.add((participant, chat.at_ms, sound(chat.text)))
        return len(self._nameless) > known

    def _changed(self, known: Message, **fields: Any) -> Message | None:
        """The next revision; None when it says nothing new."""
        changed = msgspec.structs.replace(known, **fields)
        if changed == known:
            return None
        return msgspec.structs.replace(changed, revision=known.revision + 1)

    def _said(self, message: Message) -> list[ev.Body]:
        if message.zoom_id:
            self._messages[message.zoom_id] = message
        return [ev.MessageSaid(message=msgspec.structs.replace(message, reactions=()))]

    def _reacted(self, chat: out.ChatReceived) -> list[ev.Body]:
        target = self._known(chat.zoom_id) or self._known(chat.parent)
        emoji = sound(chat.text).strip()
        if target is None or target.deleted or not emoji:
            return []
        participant = None if chat.user_id is None else str(chat.user_id)
        removed = chat.operation == "reaction_removed"
        key = (target.id, emoji, participant)
        if (key in self._reactions) != removed:
            return []  # it stands already, or was never there
        self._reactions ^= {key}
        return [
            ev.MessageReacted(
                message=target.id,
                emoji=emoji,
                at_ms=chat.at_ms,
                participant=participant,
                speaker=self._name(participant, chat.user_name),
                removed=removed,
            )
        ]

    def _known(self, zoom_id: str | None) -> Message | None:
        return self._messages.get(sound(zoom_id)) if zoom_id else None

    def _name(self, participant: str | None, given: str | None) -> str | None:
        if given:
            return sound(given)
        return self._name_of(participant) if participant else None


def _file(file: out.SharedFile) -> SharedFile:
    return SharedFile(
        id=sound(file.id) if file.id else None,
        name=sound(file.name) if file.name else None,
        size=file.size,
    )


def group_names(raw: bytes) -> dict[str, str]:
    """Ids and names of chat groups in an event of Zoom's whose fields are not documented: any
    object with a text under a key that ends in ``id`` and one that ends in ``name``, and that is
    no person."""
    try:
        told = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    names: dict[str, str] = {}
    _collect(told, names, _DEPTH)
    return names


def _collect(value: object, names: dict[str, str], depth: int) -> None:
    if depth == 0 or len(names) >= 100:
        return
    if isinstance(value, list):
        for part in value:
            _collect(part, names, depth - 1)
    elif isinstance(value, dict):
        found = {
            end: str(held)
            for key, held in value.items()
            for end in ("id", "name")
            if key.endswith(end) and not key.startswith("user") and isinstance(held, str) and held
        }
        if len(found) == 2:
            names[sound(found["id"])] = sound(found["name"])
        for part in value.values():
            _collect(part, names, depth - 1)
