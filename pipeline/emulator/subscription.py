"""Which events a client hears: message 5 (reference section 10)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from pipeline.model.events import Product
from pipeline.rtms.enums import AUTOMATIC_EVENTS, EventType, MediaType, StatusCode

_LAST_VOICE: Final = 34
"""The events page says contact center goes up to here; 30..34 have no names (section 10.2)."""
_MEETING: Final = frozenset(int(kind) for kind in EventType)
_VOICE: Final = frozenset(range(1, _LAST_VOICE + 1))
_SHARING: Final = frozenset({int(EventType.SHARING_START), int(EventType.SHARING_STOP)})
_CALLS: Final = frozenset({"contact_center", "phone"})


def is_call(product: Product) -> bool:
    """Whether event numbers from 8 on are those of calls, not of meetings, and streams are named
    by channel."""
    return product in _CALLS


class Taken(NamedTuple):
    """What one message 5 came to. There is no answer to it (section 10): ``wrong`` holds the
    status that would fit each entry that is ignored."""

    new: list[int]
    wrong: list[StatusCode]


class Subscription:
    """The choices of one signaling connection."""

    def __init__(self, product: Product, scopes: Collection[MediaType], *, tolerant: bool) -> None:
        self._known = _VOICE if is_call(product) else _MEETING
        needs_scope = not is_call(product) and MediaType.DESKSHARE not in scopes
        self._forbidden = _SHARING if needs_scope else frozenset[int]()
        self._tolerant = tolerant
        self.chosen: set[int] = set()

    def take(self, message: Mapping[str, Any]) -> Taken:
        """Message 5."""
        found = Taken([], [])
        events = message.get("events")
        if not isinstance(events, list):
            found.wrong.append(StatusCode.INVALID_EVENTS)
            return found
        for entry in events:
            choice = entry.get("subscribe") if isinstance(entry, dict) else None
            kind = self._number(entry.get("event_type")) if isinstance(entry, dict) else None
            if kind is None:
                found.wrong.append(StatusCode.INVALID_EVENT_TYPE)
            elif type(choice) is not bool:
                found.wrong.append(StatusCode.INVALID_EVENT_SUBSCRIBE)
            elif kind in AUTOMATIC_EVENTS:
                continue  # sent anyway; the SDK can be told to ask for them
            elif not choice:
                self.chosen.discard(kind)
            elif kind in self._forbidden:
                found.wrong.append(StatusCode.MEDIA_TYPE_DESKSHARE_NOT_SUPPORT)
            elif kind not in self.chosen:
                self.chosen.add(kind)
                found.new.append(kind)
        return found

    def _number(self, value: object) -> int | None:
        if self._tolerant and isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:4])
        return value if type(value) is int and value in self._known else None
