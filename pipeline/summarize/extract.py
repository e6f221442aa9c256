"""Notes without a language model: sentences and clauses people said, found by rules.

Everything is read anew from the transcript at each call, so what comes out depends on the words
alone, not on how they came in windows; what a turn does is remembered as long as its words stay
the same, which keeps a call short. The outcome is compared with the items the meeting has, and
only the difference is proposed.

The rules know English. Where a stretch of talk is in another language (by the utterance's tag or
by its function words) they find points only, and an ``overview`` item says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pipeline.model.notes import (
    Add,
    Author,
    Close,
    Evidence,
    NoteItem,
    Op,
    Retract,
    Update,
)
from pipeline.model.speech import Message, Utterance
from pipeline.model.state import MeetingState
from pipeline.summarize.actions import Actions
from pipeline.summarize.acts import read
from pipeline.summarize.decisions import Decisions
from pipeline.summarize.draft import Draft, Talk, items
from pipeline.summarize.people import call_names
from pipeline.summarize.points import Blocks, Weight, lines, overview, weigh
from pipeline.summarize.questions import Questions
from pipeline.summarize.reading import roster_of, zone_of
from pipeline.summarize.said import Said, is_vague
from pipeline.summarize.turns import Turn, turns
from pipeline.summarize.words import STOP_WORDS, content, tokens
from pipeline.summarize.writer import Proposal, Window

_ENGLISH = 0.3
"""Share of function words below which a stretch of talk is not English (English lies near 0.5,
other European languages below 0.2)."""
_SURELY_NOT = 0.15
"""Between this and ``_ENGLISH`` a short turn is judged by the talk around it."""
_ENOUGH_TO_TELL = 12
_STRETCH_TURNS = 6
_FIELDS = ("text", "status", "owner", "owner_candidates", "due", "due_text", "answer", "evidence")
OTHER_LANGUAGE = (
    "Some of this meeting is not in English: from those words only points are taken, because"
    " the built-in rules find decisions, actions and questions in English alone."
)


class ExtractiveWriter:
    """A ``Writer`` whose every line is somebody's words. One object a meeting; not to be called
    by two threads at once."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, tuple[tuple[int, int], ...]], tuple[Said, ...]] = {}
        self._weights: dict[str, Weight] = {}
        self._function_words: dict[str, tuple[int, int]] = {}
        self._names: frozenset[str] = frozenset()
        self._blocks = Blocks()

    @property
    def author(self) -> Author:
        return "extractive"

    async def propose(self, window: Window) -> Proposal:
        """The difference between the notes and what the words of ``window.state`` give."""
        found = self.extract(window.state, final=window.phase == "final")
        return Proposal(ops=difference(window.state.notes.items.values(), found))

    def extract(self, state: MeetingState, *, final: bool) -> list[NoteItem]:
        """The items the words give, with ids that follow from where they were said; an overview
        only when ``final``."""
        talk, foreign = self._talk(state)
        actions = Actions(talk)
        decisions = Decisions(talk)
        used = actions.used | decisions.used
        questions = Questions(talk, used)
        used |= {span[:2] for draft in questions.drafts for span in draft.spans}
        rows = lines(talk, [self._weighed(turn) for turn in talk.turns])
        told = [d for d in (*decisions.drafts, *actions.drafts) if _tells(d)]
        drafts = [*told, *questions.drafts]
        found = items(talk, [*drafts, *self._blocks.points(talk, rows, used)])
        if final and (draft := overview(talk, rows)):
            found = [_named(items(talk, [draft])[0], "n-overview"), *found]
        if foreign is not None:
            span = (foreign, *talk.turns[foreign].spans[0])
            notice = Draft(kind="overview", anchor=span, spans=[span], text=OTHER_LANGUAGE)
            found = [_named(items(talk, [notice])[0], "n-language"), *found]
        return found

    def _talk(self, state: MeetingState) -> tuple[Talk, int | None]:
        """The meeting as the rules read it, and the first turn in another language."""
        roster = roster_of(state)
        names = call_names(roster)
        if names != self._names:
            self._names = names
            self._read.clear()
        spoken: list[Utterance | Message] = sorted(
            [*state.transcript(), *state.open_chat()], key=_start
        )
        found = turns(spoken)
        english = self._english(found)
        said = [
            self._said(turn) if known else () for turn, known in zip(found, english, strict=True)
        ]
        foreign = next((n for n, known in enumerate(english) if not known), None)
        return Talk(turns=found, said=said, roster=roster, zone=zone_of(state)), foreign

    def _said(self, turn: Turn) -> tuple[Said, ...]:
        key = (turn.text, turn.spans)
        if key not in self._read:
            self._read[key] = read(turn, self._names)
        return self._read[key]

    def _weighed(self, turn: Turn) -> list[Weight]:
        found: list[Weight] = []
        for start, end in turn.spans:
            text = turn.text[start:end]
            if text not in self._weights:
                self._weights[text] = weigh(text)
            found.append(self._weights[text])
        return found

    def _english(self, found: Sequence[Turn]) -> list[bool]:
        """For each turn whether it is English: by its tag, else by its own words, else by those
        of the turns around it. Nothing known counts as English."""
        counts = [self._counted(turn) for turn in found]
        known: list[bool] = []
        for number, turn in enumerate(found):
            tag = (turn.language or "").lower().split("-")[0]
            if tag and tag != "und":
                known.append(tag == "en")
                continue
            share = _share([counts[number]])
            if share is None or _SURELY_NOT <= share < _ENGLISH:
                first = max(0, number - _STRETCH_TURNS)
                share = _share(counts[first : number + _STRETCH_TURNS + 1])
            known.append(share is None or share >= _ENGLISH)
        return known

    def _counted(self, turn: Turn) -> tuple[int, int]:
        """How many English function words a turn has, and how many words."""
        if turn.text not in self._function_words:
            words = [word for word in tokens(turn.text) if not word[0].isdigit()]
            functional = sum(word in STOP_WORDS for word in words)
            self._function_words[turn.text] = functional, len(words)
        return self._function_words[turn.text]


def _tells(draft: Draft) -> bool:
    """Whether somebody who was not there could make anything of a line ("post it" is nothing)."""
    return bool(content(draft.text)) and bool(
        draft.due_text or not is_vague(draft.text) or len(content(draft.text)) > 1
    )


def _share(counts: Iterable[tuple[int, int]]) -> float | None:
    """Share of function words; None when there are too few words to tell."""
    functional, words = 0, 0
    for some, all_of_it in counts:
        functional, words = functional + some, words + all_of_it
    return functional / words if words >= _ENOUGH_TO_TELL else None


def _start(line: Utterance | Message) -> tuple[int, int, int]:
    if isinstance(line, Utterance):
        return line.start_ms, line.end_ms, int(line.id[1:])
    return line.at_ms, line.at_ms, int(line.id[1:])


def _named(item: NoteItem, name: str) -> NoteItem:
    return msgspec.structs.replace(item, id=name)


# What has to change ---------------------------------------------------------------------------


def difference(known: Iterable[NoteItem], found: Sequence[NoteItem]) -> tuple[Op, ...]:
    """Operations that make the extracted items among ``known`` equal to ``found``.

    Items are recognised by the words they stand on, whatever their id. Merged items, and those
    another author made of the same words, are left as they are; locked fields are not touched.
    """
    everything = list(known)
    ours = [item for item in everything if item.author == "extractive"]
    others = [
        item
        for item in everything
        if item.author != "extractive" and item.merged_into is None and item.status != "rejected"
    ]
    matched = _matched(ours, found)
    ops: list[Op] = []
    for item in found:
        old = matched.get(item.id)
        if old is not None:
            if old.merged_into is None:
                ops.extend(_changes(old, item))
        elif not any(_same_words(other, item) for other in others):
            ops.append(Add(item))
    kept = {old.id for old in matched.values()}
    ops.extend(
        Retract(item.id, status="rejected")
        for item in ours
        if item.id not in kept
        and item.merged_into is None
        and item.status != "rejected"
        and not item.locked
    )
    return tuple(ops)


def _matched(ours: Sequence[NoteItem], found: Sequence[NoteItem]) -> dict[str, NoteItem]:
    """The item of ``ours`` that each of ``found`` is, by id of the latter. An item that still
    stands is preferred to a rejected one, equal text to other text."""
    pairs: list[tuple[tuple[int, int, int, int], NoteItem, NoteItem]] = []
    for number, item in enumerate(found):
        words = {(e.ref, e.quote) for e in item.evidence}
        refs = {e.ref for e in item.evidence}
        for order, old in enumerate(ours):
            if old.kind != item.kind:
                continue
            shared = sum((e.ref, e.quote) in words for e in old.evidence)
            near = sum(e.ref in refs for e in old.evidence)
            known = old.id == item.id or shared or (near and old.text == item.text)
            if not known and not _is_notice(old, item):
                continue
            rank = (
                4 * (old.text == item.text) + 2 * (old.status != "rejected") + (old.id == item.id)
            )
            pairs.append(((-rank, -shared, number, order), old, item))
    matched: dict[str, NoteItem] = {}
    taken: set[str] = set()
    for _, old, item in sorted(pairs, key=lambda pair: pair[0]):
        if old.id not in taken and item.id not in matched:
            matched[item.id] = old
            taken.add(old.id)
    return matched


def _is_notice(old: NoteItem, item: NoteItem) -> bool:
    """There is one overview and one notice; their words change as the meeting goes on."""
    return old.kind == "overview" and (old.text == OTHER_LANGUAGE) == (item.text == OTHER_LANGUAGE)


def _same_words(other: NoteItem, item: NoteItem) -> bool:
    """Whether another author made an item of the same kind out of the same words."""
    if other.kind != item.kind:
        return False
    if item.kind == "overview":
        return True
    return any(
        e.ref == mine.ref and (_overlap(e, mine)) for e in other.evidence for mine in item.evidence
    )


def _overlap(first: Evidence, second: Evidence) -> bool:
    one, two = first.quote.strip(" .!?"), second.quote.strip(" .!?")
    return not one or not two or one in two or two in one


def _changes(old: NoteItem, item: NoteItem) -> list[Op]:
    wanted = {
        name: getattr(item, name)
        for name in _FIELDS
        if name not in old.locked and getattr(item, name) != getattr(old, name)
    }
    held = old.status == "rejected" and old.check.state == "unverified"
    if held and set(wanted) == {"status"}:
        return []  # kept back because it could not be verified; nothing new speaks for it
    if not wanted:
        return []
    ops: list[Op] = []
    added = tuple(e for e in item.evidence if e not in old.evidence)
    joined = old.evidence + added
    status = wanted.get("status")
    if status in ("done", "answered"):
        ops.append(Close(old.id, status, added, item.answer))
    elif status == "retracted":
        ops.append(Retract(old.id, added))
    if ops:
        wanted.pop("status")
        if joined == item.evidence:
            wanted.pop("evidence", None)
        if status == "answered":
            wanted.pop("answer", None)
    if wanted:
        fields: dict[str, Any] = {n: msgspec.to_builtins(v) for n, v in wanted.items()}
        ops.append(Update(old.id, fields))
    return ops
