"""From what a writer proposes to a patch that may be committed: ids, evidence, checks. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

import msgspec

from pipeline.model.notes import (
    Add,
    Author,
    Check,
    Close,
    Merge,
    NoteItem,
    Notes,
    Op,
    Patch,
    Retract,
    Update,
    apply,
)
from pipeline.summarize.verify import Finding, citing, findings, has_lost_its_words, refreshed
from pipeline.summarize.writer import Spoken

_OURS = re.compile(r"n([1-9]\d*)")


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What items are verified against, and what to do with those that fail."""

    words: Mapping[str, Spoken]
    roster: tuple[str, ...]
    zone: str
    unverified: Literal["show", "hold"] = "show"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A patch every touched item of which was verified, and the findings by item."""

    patch: Patch
    findings: dict[str, list[Finding]]


def next_number(notes: Notes) -> int:
    """The number of the next new item."""
    return 1 + max((int(m[1]) for i in notes.items if (m := _OURS.fullmatch(i))), default=0)


def numbered(ops: Iterable[Op], notes: Notes) -> tuple[Op, ...]:
    """Operations with new items numbered on; an item that is there already is not added again."""
    number = next_number(notes)
    names: dict[str, str] = {}
    found: list[Op] = []
    for op in ops:
        match op:
            case Add(item=item):
                if item.id in notes.items or item.id in names:
                    continue
                names[item.id] = f"n{number}"
                number += 1
                found.append(Add(msgspec.structs.replace(item, id=names[item.id])))
            case Merge(id=item_id, into=into):
                found.append(Merge(names.get(item_id, item_id), names.get(into, into)))
            case Update() | Close() | Retract():
                found.append(msgspec.structs.replace(op, id=names.get(op.id, op.id)))
    return tuple(found)


def checked(
    ops: Iterable[Op],
    notes: Notes,
    ground: Ground,
    *,
    patch_id: str,
    at_ms: int,
    author: Author,
    phase: Literal["live", "final"],
    call: str | None = None,
) -> Checked:
    """The patch of ``ops`` with the check of every item they touch as it will then stand."""
    kept = [_current(op, ground) for op in numbered(ops, notes)]
    draft = Patch(id=patch_id, at_ms=at_ms, author=author, ops=tuple(kept), phase=phase, call=call)
    after = apply(notes, draft)
    found: dict[str, list[Finding]] = {}
    for item in after.items.values():
        if item == notes.items.get(item.id) or not _is_ours(item):
            continue
        found[item.id] = _findings(item, ground)
        fields = _verdict(item, found[item.id], ground)
        if not fields:
            continue
        adding = next(
            (n for n, op in enumerate(kept) if isinstance(op, Add) and op.item.id == item.id), None
        )
        if adding is None or "status" in fields:
            kept.append(Update(item.id, fields))
        else:
            added = kept[adding]
            assert isinstance(added, Add)
            check = msgspec.convert(fields["check"], Check)
            kept[adding] = Add(msgspec.structs.replace(added.item, check=check))
    return Checked(patch=msgspec.structs.replace(draft, ops=tuple(kept)), findings=found)


def recheck(
    refs: Collection[str] | None, notes: Notes, ground: Ground
) -> tuple[tuple[Op, ...], dict[str, list[Finding]]]:
    """Operations that bring the checks of items citing ``refs`` (None: of all items) up to date
    after their words were revised, and the findings of those that no longer hold."""
    live = [item for item in notes.items.values() if _is_ours(item)]
    ops: list[Op] = []
    found: dict[str, list[Finding]] = {}
    for item in live if refs is None else citing(live, refs):
        fresh = refreshed(item, ground.words)
        item_findings = _findings(fresh, ground)
        fields = _verdict(fresh, item_findings, ground)
        if fresh.evidence != item.evidence:
            fields["evidence"] = msgspec.to_builtins(fresh.evidence)
        if fields:
            ops.append(Update(item.id, fields))
            found[item.id] = item_findings
        if has_lost_its_words(fresh, ground.words) and item.status != "retracted":
            ops.append(Retract(item.id))
    return tuple(ops), found


def _is_ours(item: NoteItem) -> bool:
    """What a person wrote, and what was merged away, is not judged."""
    return item.author != "person" and item.merged_into is None


def _findings(item: NoteItem, ground: Ground) -> list[Finding]:
    return findings(item, words=ground.words, roster=ground.roster, zone=ground.zone)


def _verdict(item: NoteItem, found: list[Finding], ground: Ground) -> dict[str, Any]:
    """Fields to set so that the item says what its findings are; empty when it does already."""
    reasons = tuple(dict.fromkeys(f.reason for f in found))
    check = Check(state="unverified" if reasons else "verified", reasons=reasons)
    fields: dict[str, Any] = {}
    if check != item.check:
        fields["check"] = msgspec.to_builtins(check)
    if ground.unverified == "hold":
        if reasons and item.status not in ("rejected", "retracted"):
            fields["status"] = "rejected"
        elif not reasons and item.status == "rejected" and item.check.state == "unverified":
            fields["status"] = "open"
    return fields


def _current(op: Op, ground: Ground) -> Op:
    """Words may have been revised while the writer wrote."""
    if isinstance(op, Add):
        return Add(refreshed(op.item, ground.words))
    return op
