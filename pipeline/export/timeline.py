"""Everything that was said, typed, shown or lost, in the order of the meeting's time."""

from __future__ import annotations

from pipeline.model.happening import Happening, Image
from pipeline.model.speech import Gap, Message, Utterance
from pipeline.model.state import MeetingState

Entry = Utterance | Message | Gap | Happening | Image

_RANKS: dict[type, int] = {Gap: 0, Utterance: 1, Message: 2, Happening: 3, Image: 4}


def timeline(state: MeetingState) -> list[Entry]:
    """Shown utterances, chat messages, gaps, happenings and pictures by start time."""
    entries: list[Entry] = [
        *state.transcript(),
        *state.chat(),
        *state.missing(),
        *state.happened(),
        *state.pictures(),
    ]
    return sorted(entries, key=order)


def order(entry: Entry) -> tuple[int, int, int, str]:
    """What entries are sorted by: start, then gap, words, chat, others, then number of the id."""
    rank = _RANKS[type(entry)]
    number = entry.id[1:]
    return starts(entry), rank, int(number) if number.isdecimal() else 0, entry.id


def starts(entry: Entry) -> int:
    """Start of an entry in meeting time, Unix milliseconds."""
    match entry:
        case Utterance():
            return entry.start_ms
        case Message() | Happening() | Image():
            return entry.at_ms
        case Gap():
            return entry.from_ms
