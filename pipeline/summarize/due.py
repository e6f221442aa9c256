"""The deadline somebody names in a sentence: which words, and which day they mean."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import msgspec

from pipeline.summarize.calendar_words import Mention, mentions


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A deadline: ``date`` is an ISO date, ``words`` are the words of the text that name it."""

    date: str
    words: str


_DEADLINE = re.compile(
    r"(?:\b(?:(?:(?:not\s+)?(?:by|before)|until|till|til|no\s+later\s+than|not\s+later\s+than|due(?:\s+on|\s+by)?)"
    r"(?:\s+the\s+latest)?|deadline\s+is|make\s+(?:it|that))\s+(?:like\s+|on\s+|the\s+)?)$",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"\b(?:by|before|until|till)\s+(noon|midnight|lunch(?:time)?|\d{1,2}(?::\d\d)?\s*(?:am|pm|o['’]clock)"
    r"|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\s+o['’]?clock)\b",
    re.IGNORECASE,
)
_SOFT = re.compile(r"\b(?:on|for|at|over)\s+$", re.IGNORECASE)
_OF_SOMETHING = re.compile(
    r"\b(?:from|of|about|in|than|the|our|your|their|that)\s+$", re.IGNORECASE
)
_CORRECTION = re.compile(
    r"\b(?:no|sorry|actually|rather|i\s+mean|make\s+(?:it|that)|instead|not|better|wait)\b",
    re.IGNORECASE,
)
_NOUN_AFTER = re.compile(
    r"^\s+(?!(?:and|or|but|so|at|if|please|because|when|as|is|it|that|i|we|you|then|the|to|for|by"
    r"|latest|morning|afternoon|evening|night|noon|instead|works|would|will|not|no|with|in|on|from"
    r"|sharp|maybe|okay|ok|thanks|before|after|right|though|too|also|tom|can|could|next)\b)[a-z]+",
    re.IGNORECASE,
)


def resolve_due(text: str, said_ms: int, zone: str) -> Due | None:
    """The deadline in ``text``, said at ``said_ms`` (Unix ms), as a day in the IANA ``zone``.

    None when no date is named, when it could be several days ("next week", two days offered), or
    when it lies in the past: a commitment cannot. Raises ZoneInfoNotFoundError.
    """
    today = datetime.fromtimestamp(said_ms / 1000, tz=UTC).astimezone(ZoneInfo(zone)).date()
    mention = _deadline(text, today)
    if mention is None or mention.day is None or mention.day < today:
        return None
    return Due(date=mention.day.isoformat(), words=_words(text, mention))


def due_words(text: str) -> str | None:
    """The words of ``text`` that name a deadline, even where no single day follows from them."""
    mention = _deadline(text, date(2026, 1, 1))  # any day: the words do not depend on it
    return _words(text, mention) if mention else None


def is_deadline(text: str) -> bool:
    """Whether ``text`` names a date with a word like "by" or "before"."""
    return any(_is_hard(text, m) for m in mentions(text, date(2026, 1, 1)))


def _deadline(text: str, today: date) -> Mention | None:
    """The mention that is the deadline. Words such as "by" win over a bare date; of several equal
    ones none wins, unless the last corrects the others."""
    found = _joined(text, [m for m in mentions(text, today) if not _names_a_thing(text, m)])
    hard = [m for m in found if _is_hard(text, m)]
    best = hard or [m for m in found if _SOFT.search(text[: m.start])] or found
    if not best:
        clock = _CLOCK.search(text)
        return Mention(clock.start(1), clock.end(), today) if clock else None
    last = best[-1]
    if hard and found[-1] is not last and _CORRECTION.search(text[last.end : found[-1].start]):
        return found[-1]
    if len(best) == 1 or len({m.day for m in best}) == 1:
        return last
    if _CORRECTION.search(text[best[-2].end : last.start]):
        return last
    return Mention(best[0].start, last.end, None)


def _is_hard(text: str, mention: Mention) -> bool:
    return bool(
        _DEADLINE.search(text[: mention.start])
        or re.match(r"(?:the\s+)?(?:end|eod|cob|close)\b", text[mention.start :], re.IGNORECASE)
    )


def _names_a_thing(text: str, mention: Mention) -> bool:
    """ "the Friday meeting", "the report of Monday": a date that only tells which one is meant."""
    before, after = text[: mention.start], text[mention.end :]
    if _DEADLINE.search(before):
        return False
    if re.match(r"(?:the|in|within)\b", text[mention.start :], re.IGNORECASE):
        return bool(re.search(r"\b(?:of|about)\s+$", before, re.IGNORECASE))
    return bool(_OF_SOMETHING.search(before) and _NOUN_AFTER.match(after)) or bool(
        re.search(r"\b(?:of|about|from|than)\s+$", before, re.IGNORECASE)
    )


def _joined(text: str, found: list[Mention]) -> list[Mention]:
    """ "Friday the 27th" is one date; if its halves disagree, it is none for certain."""
    joined: list[Mention] = []
    for mention in found:
        previous = joined[-1] if joined else None
        if previous and re.fullmatch(r",?\s*(?:on\s+)?", text[previous.end : mention.start]):
            day = mention.day if mention.day in (previous.day, None) else _agreed(previous, mention)
            joined[-1] = Mention(previous.start, mention.end, day)
        else:
            joined.append(mention)
    return joined


def _agreed(first: Mention, second: Mention) -> date | None:
    """The exact date wins over the weekday beside it if it falls on that weekday."""
    if first.day is None or second.day is None:
        return first.day or second.day
    return second.day if first.day.weekday() == second.day.weekday() else None


def _words(text: str, mention: Mention) -> str:
    before = _DEADLINE.search(text[: mention.start]) or _SOFT.search(text[: mention.start])
    start = before.start() if before else mention.start
    return text[start : mention.end].strip()
