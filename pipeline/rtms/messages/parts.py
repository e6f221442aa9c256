"""What all messages are made of."""

from __future__ import annotations

import msgspec

Id = int | str
Moment = int | float | str | None
"""A timestamp that is only sent back, never read."""


class Tagged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="msg_type"):
    """A message of one type; its tag is the type's number. Fields without a default are those its
    sender must always write; None means absent and is not written."""


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An object inside a message."""


class Person(Part, frozen=True, kw_only=True):
    """Somebody in an event or a chat message."""

    user_id: Id | None = None
    user_name: str | None = None
