"""Who is on a tape: names by id, as the header, the events and the media say. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from pipeline.tapes.header import TapeParticipant
from pipeline.tapes.lines import Packed

Key = tuple[int, str | None]
"""``user_id`` and ``channel_id``."""


class People:
    """The newest name of everybody; at most ``MOST``, a meeting's most."""

    MOST: ClassVar[int] = 10_000

    def __init__(self, known: Iterable[TapeParticipant] = ()) -> None:
        self.names: dict[Key, str] = {}
        for person in known:
            self._note((person.user_id, person.channel_id), person.user_name)

    def audio(self, packed: Packed) -> None:
        """Learn from a line of packed audio."""
        if packed.user_id or packed.channel_id:
            self._note((packed.user_id, packed.channel_id), packed.user_name or "")

    def message(self, message: dict[str, Any]) -> None:
        """Learn from a server's message."""
        kind = message.get("msg_type")
        if kind == 6:
            event = message.get("event")
            people = event.get("participants") if isinstance(event, dict) else None
            for person in people if isinstance(people, list) else ():
                self._person(person)
        elif kind in (14, 15, 16, 17):
            self._person(message.get("content"))

    def participants(self) -> tuple[TapeParticipant, ...]:
        """For a header."""
        return tuple(
            TapeParticipant(user_id=user_id, user_name=name, channel_id=channel)
            for (user_id, channel), name in self.names.items()
        )

    def _person(self, person: Any) -> None:
        if not isinstance(person, dict):
            return
        user_id, name = person.get("user_id"), person.get("user_name")
        if type(user_id) is int and 0 < user_id < 1 << 32 and isinstance(name, str):
            self._note((user_id, None), name)

    def _note(self, key: Key, name: str) -> None:
        known = key in self.names
        if name if known else len(self.names) < self.MOST:
            self.names[key] = name
