"""Meeting and notes as a model is shown them: one JSON value a line, never more than data.

``<`` and ``>`` are escaped, so that no words of anybody can close the block they stand in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from pipeline.model.notes import NoteItem, Notes
from pipeline.model.speech import Utterance
from pipeline.summarize.writer import Spoken

_LONGEST = 600
"""Characters of an item's text a digest repeats."""
_GOES_FIRST = {"point": 0, "topic": 1, "risk": 2, "question": 3, "decision": 4, "action": 4}
_MINUTE_MS = 60_000


def json_line(value: Mapping[str, Any]) -> str:
    """A value on one line, without what is empty, safe between tags."""
    kept = {k: v for k, v in value.items() if v not in (None, "", [], ())}
    text = msgspec.json.encode(kept).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def spoken_line(line: Spoken, started_ms: int) -> str:
    """An utterance or chat message; ``at`` counts minutes and seconds from the start."""
    at_ms = line.start_ms if isinstance(line, Utterance) else line.at_ms
    minutes, rest = divmod(max(0, at_ms - started_ms), _MINUTE_MS)
    return json_line(
        {
            "id": line.id,
            "at": f"{minutes}:{rest // 1000:02}",
            "who": line.speaker,
            "chat": None if isinstance(line, Utterance) else True,
            "says": " ".join(line.text.split()),
        }
    )


def items(notes: Notes, limit: int) -> list[str]:
    """The items that stand, oldest first; when they are more than ``limit``, the oldest points go
    first, then topics, and never the overview."""
    shown = [item for item in notes.live() if item.kind != "overview"]
    overview = [item for item in notes.live() if item.kind == "overview"]
    excess = len(shown) + len(overview) - limit
    if excess > 0:
        ranked = sorted(shown, key=lambda i: (_GOES_FIRST.get(i.kind, 9), i.changed_ms))
        left_out = {item.id for item in ranked[:excess]}
        shown = [item for item in shown if item.id not in left_out]
    return [item_line(item) for item in (*overview, *shown)]


def item_line(item: NoteItem) -> str:
    """An item without its evidence."""
    return json_line(
        {
            "id": item.id,
            "kind": item.kind,
            "status": item.status if item.status != "open" else None,
            "text": item.text[:_LONGEST],
            "owner": item.owner or " or ".join(item.owner_candidates),
            "due_date": item.due,
            "due_words": item.due_text,
            "answer": item.answer,
        }
    )


def roster_lines(names: Iterable[str]) -> list[str]:
    """People of the meeting."""
    return [json_line({"name": name}) for name in names]


def meeting_line(title: str | None, started_ms: int, zone: str) -> str:
    """What is known of the meeting as a whole; the same from its first call to its last."""
    start = datetime.fromtimestamp(started_ms / 1000, tz=UTC).astimezone(ZoneInfo(zone))
    return json_line(
        {"title": title, "date": start.date().isoformat(), "weekday": f"{start:%A}", "zone": zone}
    )
