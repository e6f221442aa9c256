"""The form in which a model answers, and how its answers become operations on the notes.

The model names items and lines by their ids and copies words; ids of new items, revisions, times,
people and days are ours. What it names and does not exist is dropped and counted. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import msgspec

from pipeline.model.notes import (
    Add,
    Close,
    Evidence,
    Kind,
    Merge,
    NoteItem,
    Notes,
    Op,
    Retract,
    Update,
)
from pipeline.model.speech import SHOWN, Utterance
from pipeline.summarize.due import due_words, resolve_due
from pipeline.summarize.patching import next_number
from pipeline.summarize.people import resolve_owner
from pipeline.summarize.quotes import locate
from pipeline.summarize.verify import cite
from pipeline.summarize.words import sentences
from pipeline.summarize.writer import Spoken

_LONGEST_TEXT = 1_000
_MOST_EVIDENCE = 12
_MOST_OPS = 200
_SELF = frozenset({"i", "me", "myself", "speaker", "the speaker"})
_NOBODY = frozenset(
    {"", "null", "none", "nobody", "unknown", "n/a", "unassigned", "everyone", "all"}
)
_FIRST_PERSON = re.compile(r"\b(?:i|i['\u2019]ll|i['\u2019]m|me|my)\b", re.IGNORECASE)


class Cite(msgspec.Struct, frozen=True):
    ref: str
    quote: str = ""


class Added(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    text: str
    evidence: tuple[Cite, ...] = ()
    owner: str | None = None
    due_words: str | None = None
    due_date: str | None = None


class Updated(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    text: str | None = None
    evidence: tuple[Cite, ...] = ()
    owner: str | None = None
    due_words: str | None = None
    due_date: str | None = None


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: Literal["done", "answered"]
    answer: str | None = None
    evidence: tuple[Cite, ...] = ()


class Retracted(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    evidence: tuple[Cite, ...] = ()


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    into: str


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer; the prompts' ``schema`` is its JSON Schema."""

    add: tuple[Added, ...] = ()
    update: tuple[Updated, ...] = ()
    close: tuple[Closed, ...] = ()
    retract: tuple[Retracted, ...] = ()
    merge: tuple[Merged, ...] = ()


def read_changes(value: Mapping[str, Any]) -> Changes:
    """The answer out of a JSON object. Raises ValueError in one line."""
    known = {field.name for field in msgspec.structs.fields(Changes)}
    if not known & value.keys():
        raise ValueError(f"it has none of {', '.join(sorted(known))}")
    try:
        return msgspec.convert(value, Changes)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to refer to."""

    notes: Notes
    words: Mapping[str, Spoken]
    roster: tuple[str, ...]
    zone: str


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """Operations, and how many things were dropped or mended, by what they were."""

    ops: tuple[Op, ...]
    dropped: dict[str, int]


def to_ops(changes: Changes, ground: Ground) -> Mapped:
    """The operations an answer stands for, on the items of ``ground.notes``."""
    return _Mapping(ground).all(changes)


class _Mapping:
    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._dropped: Counter[str] = Counter()
        self._number = next_number(ground.notes)

    def all(self, changes: Changes) -> Mapped:
        ops: list[Op] = []
        ops += [op for entry in changes.add if (op := self._add(entry))]
        ops += [op for entry in changes.update if (op := self._update(entry))]
        for closed in changes.close:
            if self._is_known(closed.id):
                evidence = self._evidence(closed.evidence)
                ops.append(Close(closed.id, closed.status, evidence, _clean(closed.answer)))
        ops += [
            Retract(entry.id, self._evidence(entry.evidence))
            for entry in changes.retract
            if self._is_known(entry.id)
        ]
        ops += [
            Merge(entry.id, entry.into)
            for entry in changes.merge
            if self._is_known(entry.id) and self._is_known(entry.into) and entry.id != entry.into
        ]
        if len(ops) > _MOST_OPS:
            self._dropped["operations too many"] += len(ops) - _MOST_OPS
        return Mapped(ops=tuple(ops[:_MOST_OPS]), dropped=dict(+self._dropped))

    def _add(self, entry: Added) -> Op | None:
        text = _clean(entry.text)
        if text is None:
            self._dropped["items without text"] += 1
            return None
        evidence = self._evidence(entry.evidence)
        overview = next((i for i in self._ground.notes.live() if i.kind == "overview"), None)
        if entry.kind == "overview" and overview is not None:
            self._dropped["second overviews, taken as updates"] += 1
            return Update(overview.id, {"text": text, "evidence": _plain(evidence)})
        fields: dict[str, Any] = self._people(entry.owner, evidence)
        fields |= self._due(entry.due_words, entry.due_date, evidence)
        item = NoteItem(
            id=f"n{self._number}", kind=entry.kind, text=text, evidence=evidence, **fields
        )
        self._number += 1
        return Add(item)

    def _update(self, entry: Updated) -> Op | None:
        if not self._is_known(entry.id):
            return None
        item = self._ground.notes.items[entry.id]
        added = tuple(e for e in self._evidence(entry.evidence) if e not in item.evidence)
        evidence = item.evidence + added
        fields: dict[str, Any] = {}
        if (text := _clean(entry.text)) is not None and text != item.text:
            fields["text"] = text
            if item.kind == "overview" and added:
                evidence = added  # an overview rests on what it now says, not on all it ever said
        if evidence != item.evidence:
            fields["evidence"] = _plain(evidence)
        if entry.owner is not None:
            people = self._people(entry.owner, added or evidence)
            fields["owner"] = people.get("owner")
            fields["owner_candidates"] = list(people.get("owner_candidates", ()))
        if entry.due_words or entry.due_date:
            fields |= self._due(entry.due_words, entry.due_date, added or evidence)
        if not fields:
            self._dropped["updates of nothing"] += 1
            return None
        return Update(entry.id, fields)

    def _is_known(self, item_id: str) -> bool:
        item = self._ground.notes.items.get(item_id)
        if item is None or item.merged_into is not None:
            self._dropped["unknown items"] += 1
            return False
        return True

    # -- evidence -------------------------------------------------------------------------

    def _evidence(self, cites: tuple[Cite, ...]) -> tuple[Evidence, ...]:
        found: list[Evidence] = []
        for entry in cites[:_MOST_EVIDENCE]:
            line = self._ground.words.get(entry.ref.strip())
            if line is None or line.deleted or not _is_shown(line):
                self._dropped["unknown lines"] += 1
                continue
            evidence = cite(line, self._quote(entry.quote, line))
            if evidence not in found:
                found.append(evidence)
        self._dropped["evidence too long"] += max(0, len(cites) - _MOST_EVIDENCE)
        return tuple(found)

    def _quote(self, quote: str, line: Spoken) -> str:
        """The words as they stand in the line; a quote that does not stays, to be flagged."""
        if not quote.strip():
            return line.text
        span = locate(quote, line.text)
        if span is None:
            self._dropped["quotes not found"] += 1
            return " ".join(quote.split())[:_LONGEST_TEXT]
        return line.text[slice(*span)]

    # -- people and days ------------------------------------------------------------------

    def _people(self, name: str | None, evidence: tuple[Evidence, ...]) -> dict[str, Any]:
        heard = " ".join((name or "").split())
        if heard.lower().rstrip(".") in _NOBODY:
            return {}
        if heard.lower() in _SELF:
            speakers = {e.speaker for e in evidence if e.speaker}
            return {"owner": speakers.pop()} if len(speakers) == 1 else {}
        if heard in self._ground.roster and self._ground.roster.count(heard) == 1:
            return {"owner": heard}
        owner = resolve_owner(heard, self._ground.roster)
        if owner is None:
            self._dropped["owners without a name"] += 1
            return {}
        if owner.candidates:
            speaking = {
                e.speaker
                for e in evidence
                if e.speaker in owner.candidates and _FIRST_PERSON.search(e.quote)
            }
            if len(speaking) == 1:
                return {"owner": speaking.pop()}
            return {"owner_candidates": owner.candidates}
        return {"owner": owner.name}

    def _due(
        self, said: str | None, day: str | None, evidence: tuple[Evidence, ...]
    ) -> dict[str, Any]:
        """The day is read out of the words; the model's own day is only compared with it, and
        stands alone (to be flagged) where none can be read."""
        said, day = _clean(said), _iso(day)
        if said is None and day is None:
            return {}
        for entry in evidence:
            line = self._ground.words[entry.ref]
            for piece in _pieces(line.text, entry.quote, said):
                due = resolve_due(piece, entry.end_ms, self._ground.zone)
                if due is not None:
                    if day is not None and day != due.date:
                        self._dropped["days corrected"] += 1
                    return {"due": due.date, "due_text": due.words}
        if said is not None:
            for entry in evidence:
                if span := locate(said, self._ground.words[entry.ref].text):
                    said = self._ground.words[entry.ref].text[slice(*span)]
                    break
            else:
                words = [due_words(self._ground.words[e.ref].text) for e in evidence]
                said = next((w for w in words if w and w.lower() in said.lower()), said)
        return {"due": day, "due_text": said}


def _pieces(text: str, quote: str, said: str | None) -> list[str]:
    """Where a deadline may be read: its words, the quote, their sentence, the line."""
    pieces: list[str] = []
    if said and (span := locate(said, text)):
        pieces.append(text[slice(*span)])
        pieces += [text[a:b] for a, b in sentences(text) if a <= span[0] < b]
    if span := locate(quote, text):
        pieces.append(text[slice(*span)])
        pieces += [text[a:b] for a, b in sentences(text) if a <= span[0] < b]
    return [*pieces, text]


def _is_shown(line: Spoken) -> bool:
    return not isinstance(line, Utterance) or line.role in SHOWN


def _clean(text: str | None) -> str | None:
    """One line without control characters; None when nothing is left."""
    if text is None:
        return None
    plain = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(plain.split())[:_LONGEST_TEXT].strip() or None


def _iso(day: str | None) -> str | None:
    try:
        return date.fromisoformat((day or "").strip()).isoformat()
    except ValueError:
        return None


def _plain(evidence: tuple[Evidence, ...]) -> Any:
    return msgspec.to_builtins(evidence)
