"""A meeting written as a script (prompts/cases/*.yaml): who says what, and what else happens."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from pipeline.base.errors import BadInput, NotFound
from pipeline.model.events import Product
from pipeline.tapes.header import TapeParticipant


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in the script; ``voice`` names a voice of whoever renders it."""

    id: str
    user_id: int
    name: str
    voice: str = ""

    @property
    def participant(self) -> TapeParticipant:
        """As a tape names them."""
        return TapeParticipant(user_id=self.user_id, user_name=self.name)


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that happens; exactly one of say, chat, silence, join, leave, mute, unmute, lost.

    ``gap``: seconds after the previous words' end (negative: before it). ``silence`` and ``lost``
    are seconds; ``media`` and ``replay`` belong to ``lost``.
    """

    id: str | None = None
    who: str | None = None
    say: str | None = None
    chat: str | None = None
    gap: float | None = None
    silence: float | None = None
    join: str | None = None
    leave: str | None = None
    mute: str | None = None
    unmute: str | None = None
    lost: float | None = None
    media: Literal["audio", "video", "deskshare", "transcript", "chat", "all"] = "all"
    replay: bool = False

    @property
    def kind(self) -> str:
        """Which of the eight it is. Raises BadInput for none or several."""
        kinds = ("say", "chat", "silence", "join", "leave", "mute", "unmute", "lost")
        found = [name for name in kinds if getattr(self, name) is not None]
        if len(found) != 1:
            raise BadInput(f"a turn has exactly one of {', '.join(kinds)}; this has {found or 0}")
        return found[0]


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A scripted meeting; keys that only scoring needs are passed over."""

    title: str
    zone: str
    start: str
    """Local time, ISO 8601 without offset."""
    product: Product = "meeting"
    participants: tuple[Actor, ...]
    turns: tuple[Turn, ...]

    @property
    def start_ms(self) -> int:
        """``start`` as Unix milliseconds."""
        try:
            local = datetime.fromisoformat(self.start).replace(tzinfo=ZoneInfo(self.zone))
        except (ValueError, ZoneInfoNotFoundError) as error:
            raise BadInput(f"start {self.start!r} in zone {self.zone!r}: {error}") from error
        return round(local.timestamp() * 1000)

    def actor(self, name: str | None) -> Actor:
        """The participant with this script id. Raises BadInput."""
        for actor in self.participants:
            if actor.id == name:
                return actor
        raise BadInput(f"{name!r} is not one of the script's participants")


def load_script(path: Path) -> Script:
    """Read a YAML script. Raises NotFound, BadInput naming the file."""
    try:
        return msgspec.convert(yaml.safe_load(path.read_bytes()), Script)
    except FileNotFoundError:
        raise NotFound(f"{path}: no such script") from None
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise BadInput(f"{path}: {' '.join(str(error).split())}") from error
