"""Everything that was said, typed or lost, in the order of the meeting's time."""

from __future__ import annotations

from pipeline.model.speech import Gap, Message, Utterance
from pipeline.model.state import MeetingState

Entry = Utterance | Message | Gap


def timeline(state: MeetingState) -> list[Entry]:
    """Shown utterances, chat messages and gaps by start time."""
    entries: list[Entry] = [*state.transcript(), *state.chat(), *state.missing()]
    return sorted(entries, key=order)


def order(entry: Entry) -> tuple[int, int, int, str]:
    """What entries are sorted by: start, then gap, words, chat, then number of the id."""
    rank = 0 if isinstance(entry, Gap) else 1 if isinstance(entry, Utterance) else 2
    number = entry.id[1:]
    return starts(entry), rank, int(number) if number.isdecimal() else 0, entry.id


def starts(entry: Entry) -> int:
    """Start of an entry in meeting time, Unix milliseconds."""
    match entry:
        case Utterance():
            return entry.start_ms
        case Message():
            return entry.at_ms
        case Gap():
            return entry.from_ms
