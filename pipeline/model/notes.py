"""Note items, patches, and how a patch applies.

Notes are a mapping of stable ids to items, changed only by patches. ``apply`` is pure:

* applying the same patch again changes nothing (a patch has an id, and ``Notes`` remember it);
* patches that touch different items commute, up to the order of items first added;
* an id, once given, names the same item for ever; a merged item stays, pointing at its heir;
* an operation that names an unknown item, or a field a person locked, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

Kind = Literal["overview", "topic", "point", "decision", "action", "question", "risk"]
Status = Literal["candidate", "open", "done", "answered", "retracted", "rejected"]
Author = Literal["model", "extractive", "person"]

KINDS: tuple[Kind, ...] = (
    "overview",
    "decision",
    "action",
    "question",
    "risk",
    "topic",
    "point",
)
"""All kinds, in the order in which pages and exports show them."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The words a note item stands on: utterance (``u7``) or chat message (``c2``) and revision.

    ``quote`` is the part of its text that matters (the whole text when empty).
    """

    ref: str
    revision: int
    quote: str
    start_ms: int
    end_ms: int
    speaker: str | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of verification; ``reasons`` are one line each and empty when verified."""

    state: Literal["verified", "unverified"]
    reasons: tuple[str, ...] = ()


UNCHECKED = Check(state="unverified", reasons=("not checked yet",))


class NoteItem(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the notes.

    ``owner`` is a name; ``owner_candidates`` are names when it could be several people and
    ``owner`` is then None. ``due`` is an ISO date resolved from ``due_text``, the words said.
    ``span`` (from, to in meeting time) is for topics. ``locked`` names fields a person edited.
    ``answer`` is the text that answers a question, if its status is ``answered``.
    ``since_ms`` is the meeting time at which the item was first noted, ``changed_ms`` last.
    """

    id: str
    kind: Kind
    text: str
    evidence: tuple[Evidence, ...] = ()
    status: Status = "open"
    owner: str | None = None
    owner_candidates: tuple[str, ...] = ()
    due: str | None = None
    due_text: str | None = None
    answer: str | None = None
    span: tuple[int, int] | None = None
    check: Check = UNCHECKED
    author: Author = "model"
    locked: tuple[str, ...] = ()
    merged_into: str | None = None
    since_ms: int = 0
    changed_ms: int = 0


class Add(msgspec.Struct, frozen=True, tag_field="op", tag="add"):
    """A new item. Nothing happens if its id is taken."""

    item: NoteItem


class Update(msgspec.Struct, frozen=True, tag_field="op", tag="update"):
    """Replace fields of an item; ``fields`` has the names and forms of NoteItem's fields."""

    id: str
    fields: dict[str, Any]


class Close(msgspec.Struct, frozen=True, tag_field="op", tag="close"):
    """An action is done, a question answered. ``evidence`` is added to the item's."""

    id: str
    status: Literal["done", "answered"]
    evidence: tuple[Evidence, ...] = ()
    answer: str | None = None


class Retract(msgspec.Struct, frozen=True, tag_field="op", tag="retract"):
    """An item no longer holds (withdrawn, or its words were corrected). It stays, marked."""

    id: str
    evidence: tuple[Evidence, ...] = ()
    status: Literal["retracted", "rejected"] = "retracted"


class Merge(msgspec.Struct, frozen=True, tag_field="op", tag="merge"):
    """``id`` says the same as ``into``: its evidence moves there, it stays as a pointer."""

    id: str
    into: str


Op = Add | Update | Close | Retract | Merge

_FIXED = frozenset({"id", "kind", "locked", "merged_into", "since_ms", "changed_ms"})


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """A set of operations made together. ``phase``: while the meeting runs, or the final pass.

    ``at_ms`` is meeting time; ``author`` says who made it; ``call`` is the LLM call's id, if any.
    """

    id: str
    at_ms: int
    author: Author
    ops: tuple[Op, ...]
    phase: Literal["live", "final", "edit"] = "live"
    call: str | None = None


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """The notes of a meeting at one moment: items by id, in order of first appearance."""

    items: dict[str, NoteItem] = {}
    applied: frozenset[str] = frozenset()

    def live(self) -> list[NoteItem]:
        """Items that stand on their own: neither merged away nor rejected."""
        return [
            item
            for item in self.items.values()
            if item.merged_into is None and item.status != "rejected"
        ]


def apply(notes: Notes, patch: Patch) -> Notes:
    """The notes after ``patch``; ``notes`` itself is not changed."""
    if patch.id in notes.applied:
        return notes
    items = dict(notes.items)
    for op in patch.ops:
        _apply_op(items, op, patch)
    return Notes(items=items, applied=notes.applied | {patch.id})


def apply_all(notes: Notes, patches: Iterable[Patch]) -> Notes:
    """All patches in order."""
    for patch in patches:
        notes = apply(notes, patch)
    return notes


def _apply_op(items: dict[str, NoteItem], op: Op, patch: Patch) -> None:
    if isinstance(op, Add):
        if op.item.id not in items:
            items[op.item.id] = msgspec.structs.replace(
                op.item,
                since_ms=patch.at_ms,
                changed_ms=patch.at_ms,
                author=patch.author,
                locked=op.item.locked if patch.author == "person" else (),
                merged_into=None,  # only Merge sets it, which cannot make a circle
            )
        return
    item = _resolve(items, op.id)
    if item is None:
        return
    match op:
        case Update(fields=fields):
            _change(items, item, _valid(fields), patch)
        case Close(status=status, evidence=evidence, answer=answer):
            fields = {"status": status, "evidence": _joined(item.evidence, evidence)}
            if answer is not None:
                fields["answer"] = answer
            _change(items, item, fields, patch)
        case Retract(status=status, evidence=evidence):
            fields = {"status": status, "evidence": _joined(item.evidence, evidence)}
            _change(items, item, fields, patch)
        case Merge(into=into):
            heir = _resolve(items, into)
            if heir is None or heir.id == item.id:
                return
            _change(items, heir, {"evidence": _joined(heir.evidence, item.evidence)}, patch)
            items[item.id] = msgspec.structs.replace(
                item, merged_into=heir.id, changed_ms=patch.at_ms
            )


def _resolve(items: Mapping[str, NoteItem], item_id: str) -> NoteItem | None:
    """The item an id stands for today, following merges (which cannot form a circle)."""
    item = items.get(item_id)
    while item is not None and item.merged_into is not None:
        item = items.get(item.merged_into)
    return item


def _change(
    items: dict[str, NoteItem], item: NoteItem, fields: Mapping[str, Any], patch: Patch
) -> None:
    free = (
        fields
        if patch.author == "person"
        else {name: value for name, value in fields.items() if name not in item.locked}
    )
    if all(getattr(item, name) == value for name, value in free.items()):
        return
    locked = item.locked
    if patch.author == "person":
        locked = tuple(sorted({*locked, *free}))
    items[item.id] = msgspec.structs.replace(item, **free, locked=locked, changed_ms=patch.at_ms)


def _valid(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields an update may set, each converted to its declared type; others are left out."""
    kept: dict[str, Any] = {}
    for field in msgspec.structs.fields(NoteItem):
        if field.name in fields and field.name not in _FIXED:
            try:
                kept[field.name] = msgspec.convert(fields[field.name], field.type)
            except msgspec.ValidationError:
                continue
    return kept


def _joined(first: tuple[Evidence, ...], second: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return first + tuple(e for e in second if e not in first)
