"""What a reader must know before believing the notes: what is missing, not final, not checked.

The same plain sentences stand at the top of the page and of the markdown.
"""

from __future__ import annotations

import msgspec

from pipeline.export.times import Times, lasting
from pipeline.model.notes import NoteItem
from pipeline.model.speech import SHOWN, Gap, Message, Utterance
from pipeline.model.state import MeetingState
from pipeline.model.view import StageHealth

UNKNOWN = "Unknown speaker"
UNTITLED = "Untitled meeting"

MEDIA = {
    "all": "everything",
    "audio": "audio",
    "transcript": "transcript",
    "chat": "chat",
    "video": "video",
    "deskshare": "screen share",
    "notes": "notes",
}
NEVER = "not_connected"
"""Cause of the gap of a stream that was never received."""

_STAGES = {
    "stream": "Connection to Zoom",
    "transcribe": "Speech-to-text",
    "summarize": "Notes",
    "store": "Store",
    "images": "Pictures",
    "recording": "Recording",
}
_WORDS = {
    "native": "Zoom's own transcript",
    "local": "speech-to-text on this machine",
    "whisper": "speech-to-text on this machine (Whisper)",
    "both": "Zoom's own transcript, gaps filled by speech-to-text of our own",
}


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How far the notes have read. ``read_to_ms``: end of the latest words they have read, None
    before the first; ``unread``: shown words, as they stand now, that they have not read."""

    read_to_ms: int | None
    unread: int


def coverage(state: MeetingState) -> Coverage:
    """Compare what is shown with what the notes say they have read."""
    words: list[Utterance | Message] = [
        *(u for u in state.utterances.values() if u.role in SHOWN and not u.deleted),
        *state.open_chat(),
    ]
    read = [w for w in words if state.seqs.get(w.id, 0) <= state.covered_seq]
    ends = (w.end_ms if isinstance(w, Utterance) else w.at_ms for w in read)
    return Coverage(read_to_ms=max(ends, default=None), unread=len(words) - len(read))


def coverage_line(state: MeetingState, times: Times) -> str:
    """``Notes have read up to 10:03:12; 2 newer lines are not in them yet``."""
    found = coverage(state)
    if found.read_to_ms is None:
        return "Notes have not read anything yet" if found.unread else "No words yet"
    line = f"Notes have read up to {times.clock(found.read_to_ms)}"
    if found.unread:
        line += f"; {count(found.unread, 'newer line')} not in them yet"
    return line


def gap_line(gap: Gap, state: MeetingState, times: Times) -> str:
    """``10:02:05-10:02:14, everything, media connection lost (9 s)``: when, what, why."""
    what = MEDIA.get(gap.media, gap.media)
    if gap.participant is not None:
        known = state.participants.get(gap.participant)
        what += f" of {known.name if known else 'one participant'}"
    why = gap.detail or gap.cause.replace("_", " ")
    return f"{gap_span(gap, times, '-')}, {what}, {why}{gap_length(gap)}"


def gap_span(gap: Gap, times: Times, dash: str) -> str:
    """``10:02:05-10:02:14``; ``from 10:02:05 on`` for a stream that was never received: nobody
    knows how long it went on."""
    if gap.cause == NEVER:
        return f"from {times.clock(gap.from_ms)} on"
    return f"{times.clock(gap.from_ms)}{dash}{times.clock(gap.to_ms)}"


def gap_length(gap: Gap) -> str:
    """`` (9 s)``, `` (0.4 s)``, or nothing where it is not known."""
    length_ms = gap.to_ms - gap.from_ms
    if gap.cause == NEVER:
        return ""
    return f" ({lasting(length_ms)})" if length_ms >= 1000 else f" ({length_ms / 1000:.1g} s)"


def stage_line(stage: StageHealth) -> str | None:
    """``Notes degraded: the model answers too slowly; it is tried again``, or None when ok."""
    if stage.state == "ok":
        return None
    why = stage.detail or stage.error or "no reason given"
    again = "; it is tried again" if stage.retryable and stage.state == "degraded" else ""
    return f"{_STAGES.get(stage.stage, stage.stage)} {stage.state}: {why}{again}"


def words_from(state: MeetingState) -> str:
    """Where the shown words come from."""
    engine = state.opened.engine if state.opened else "native"
    return _WORDS.get(engine, f"speech-to-text of a configured server ({engine})")


def notes_label(state: MeetingState) -> str:
    """Who made the notes: ``extracted, not written`` when no model had a part in them."""
    authors = {item.author for item in state.notes.live()}
    label = {
        frozenset[str](): "no notes yet" if state.finished is None else "nothing noted",
        frozenset({"extractive"}): "extracted, not written",
        frozenset({"model"}): "written by a language model",
        frozenset({"person"}): "written by people",
    }.get(frozenset(authors - {"person"} or authors), "partly extracted, partly written by a model")
    edited = any(item.locked or item.author == "person" for item in state.notes.live())
    return label + ", edited by people" if edited and authors != {"person"} else label


def standing(state: MeetingState, times: Times) -> list[str]:
    """Sentences on what is not final and not certain; empty when there is nothing to say."""
    return progress(state, times) + notices(state) + troubles(state)


def progress(state: MeetingState, times: Times) -> list[str]:
    """Why the notes are not final, if they are not."""
    if state.ended is None and state.finished is None:
        return [f"The meeting is still live. {coverage_line(state, times)}."]
    if state.finished is None:
        return [f"The meeting has ended; the notes are not final. {coverage_line(state, times)}."]
    if not state.final:
        return ["The final pass over the notes did not run; they are as they stood live."]
    return []


def notices(state: MeetingState) -> list[str]:
    """What is not certain about the notes, and words that are still to come."""
    lines = []
    if state.pending:
        lines.append(f"{count(len(state.pending), 'piece')} of speech still to be transcribed.")
    if "extracted" in notes_label(state):
        lines.append(
            "Notes were extracted, not written: their lines are words from the meeting chosen by"
            " rules, without a language model."
        )
    if any(fault.reason == "clock_jump" for fault in state.faults.values()):
        lines.append("Zoom's clock jumped during the meeting; some of the times may be wrong.")
    made_up = sum(bool(u.doubt) for u in state.transcript())
    if made_up:
        lines.append(
            f"{count(made_up, 'line')} of the transcript may be made up by speech-to-text; the"
            " reason stands beside the words, and their audio is kept until that is settled"
            " (rtms-notes recheck)."
        )
    doubtful = [item for item in state.notes.live() if item.check.state == "unverified"]
    if doubtful:
        lines.append(
            f"{count(len(doubtful), 'line')} marked unverified: a check failed, and the reason"
            " stands beside it."
        )
    return lines


def troubles(state: MeetingState) -> list[str]:
    """Stages that do not work as they should, and why."""
    return [line + "." for stage in state.stages.values() if (line := stage_line(stage))]


def count(number: int, word: str) -> str:
    """``1 line``, ``2 lines``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def who(item: NoteItem) -> str:
    """The owner as shown: a name, several when it is not certain, or that nobody is known."""
    if item.owner:
        return item.owner
    if item.owner_candidates:
        return " or ".join(item.owner_candidates) + " (not certain which)"
    return "owner not known"
