"""When everything in a scripted meeting happens, given how long each turn takes to say."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.base.errors import BadInput
from pipeline.tapes.script import Script, Turn

OPENING_MS: Final = 2_500
"""Quiet before the first word."""
CLOSING_MS: Final = 3_000
_GAP_MS: Final = (700, 1_300)
_CHAT_MS: Final = 300
_LOSS_MS: Final = 1_400  # the words before a loss still reach everybody, transcript included


@dataclass(frozen=True)
class Placed:
    """A turn and when it is, in ms from the start; ``end`` equals ``start`` for an instant."""

    turn: Turn
    start: int
    end: int
    muted: bool = False


def schedule(script: Script, lengths: Mapping[int, int]) -> list[Placed]:
    """Place every turn. ``lengths``: ms of speech by the turn's index, for each ``say``.

    Turns without a ``gap`` get a natural one, the same every time. Starts lie on a grid of 20 ms.
    """
    rng = random.Random(script.title)  # noqa: S311 - not a secret
    placed: list[Placed] = []
    muted: set[str] = set()
    cursor = OPENING_MS
    first = True
    free: dict[str, int] = {}
    for index, turn in enumerate(script.turns):
        kind = turn.kind
        natural = rng.randint(*_GAP_MS)
        start = cursor
        end = cursor
        match kind:
            case "say":
                who = script.actor(turn.who).id
                gap = natural if turn.gap is None else round(turn.gap * 1000)
                start = max(0, cursor + (0 if first and turn.gap is None else gap)) // 20 * 20
                end = start + lengths[index]
                if start < free.get(who, 0):
                    raise BadInput(f"turn {turn.id or index}: {who} is still speaking")
                free[who] = end
                cursor = max(cursor, end)
                first = False
            case "chat":
                script.actor(turn.who)
                start = end = cursor + _CHAT_MS
            case "silence":
                end = cursor = cursor + round((turn.silence or 0) * 1000)
            case "lost":
                start = end = cursor = cursor + _LOSS_MS
            case "join" | "leave":
                script.actor(turn.join or turn.leave)
            case "mute":
                muted.add(script.actor(turn.mute).id)
            case _:
                muted.discard(script.actor(turn.unmute).id)
        placed.append(Placed(turn, start, end, muted=kind == "say" and turn.who in muted))
    return placed
