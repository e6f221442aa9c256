"""How notes compare with gold: the matching rule, precision, recall.

Rule: a gold item and a note item can match when they are of the same kind and cite at least one
common turn. Of all possible pairs those with the most common turns (as a share of the turns
either cites: Jaccard) are matched first, each item once. What is left over of the notes is false,
of the gold missed. Whether owner, due date and status are right is reported of matched items and
does not decide the match. Merged and rejected items are not shown to people and do not count;
retracted ones are shown, and count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pipeline.evaluate.cases import GOLD_KINDS, Case, Gold, GoldKind
from pipeline.model.notes import NoteItem


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A gold item and the note item that says it. ``owner`` and ``due`` are None where they mean
    nothing (the item is no action)."""

    gold: Gold
    item: NoteItem
    status: bool
    owner: bool | None = None
    due: bool | None = None


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one kind; sums of scores are scores."""

    right: int = 0
    false: int = 0
    missed: int = 0
    status_right: int = 0
    owner_right: int = 0
    due_right: int = 0

    @property
    def precision(self) -> float:
        """Share of noted items that are right; 1 when nothing was noted."""
        noted = self.right + self.false
        return self.right / noted if noted else 1.0

    @property
    def recall(self) -> float:
        """Share of gold items that were noted; 1 when there are none."""
        wanted = self.right + self.missed
        return self.right / wanted if wanted else 1.0

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def __add__(self, other: Score) -> Score:
        return Score(
            **{
                field.name: getattr(self, field.name) + getattr(other, field.name)
                for field in msgspec.structs.fields(Score)
            }
        )


class KindResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one kind in one case."""

    score: Score
    matches: tuple[Match, ...]
    false: tuple[NoteItem, ...]
    missed: tuple[Gold, ...]


def compare(case: Case, notes: Iterable[NoteItem]) -> dict[GoldKind, KindResult]:
    """Score the live items of ``notes`` against a case's gold, kind by kind."""
    shown = [i for i in notes if i.merged_into is None and i.status != "rejected"]
    return {
        kind: _kind(
            case,
            [gold for gold in case.gold if gold.kind == kind],
            [item for item in shown if item.kind == kind],
        )
        for kind in GOLD_KINDS
    }


def total(results: Iterable[Mapping[GoldKind, KindResult]]) -> dict[GoldKind, Score]:
    """Sums over cases (micro average)."""
    sums: dict[GoldKind, Score] = {kind: Score() for kind in GOLD_KINDS}
    for result in results:
        for kind, found in result.items():
            sums[kind] += found.score
    return sums


def cited_turns(case: Case, item: NoteItem) -> set[str]:
    """Ids of the script's turns that an item cites."""
    return {case.turn_of[e.ref] for e in item.evidence if e.ref in case.turn_of}


def _kind(case: Case, gold: Sequence[Gold], items: Sequence[NoteItem]) -> KindResult:
    cited = [cited_turns(case, item) for item in items]
    pairs = sorted(
        (-len(common) / len(turns | set(wanted.turns)), g, i)
        for g, wanted in enumerate(gold)
        for i, turns in enumerate(cited)
        if (common := turns & set(wanted.turns))
    )
    matched: dict[int, int] = {}
    for _, g, i in pairs:
        if g not in matched and i not in matched.values():
            matched[g] = i
    matches = tuple(_match(gold[g], items[i]) for g, i in sorted(matched.items()))
    false = tuple(item for i, item in enumerate(items) if i not in matched.values())
    missed = tuple(wanted for g, wanted in enumerate(gold) if g not in matched)
    score = Score(
        right=len(matches),
        false=len(false),
        missed=len(missed),
        status_right=sum(m.status for m in matches),
        owner_right=sum(bool(m.owner) for m in matches),
        due_right=sum(bool(m.due) for m in matches),
    )
    return KindResult(score=score, matches=matches, false=false, missed=missed)


def _match(gold: Gold, item: NoteItem) -> Match:
    is_action = gold.kind == "action"
    return Match(
        gold=gold,
        item=item,
        status=item.status == gold.status,
        owner=item.owner == gold.owner if is_action else None,
        due=item.due == gold.due if is_action else None,
    )
