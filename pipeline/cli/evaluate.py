"""``rtms-notes eval notes``: precision and recall of the notes on a folder of scripted meetings."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.evaluate.cases import GOLD_KINDS, Case, Gold, GoldKind, load_folder
from pipeline.evaluate.replay import replay
from pipeline.evaluate.score import KindResult, Match, Score, cited_turns, compare, total
from pipeline.model.notes import NoteItem
from pipeline.summarize.extract import ExtractiveWriter

RULE = (
    "matched one to one by kind and common turns; owner, due and status are of matched items;"
    " retracted items count, rejected ones are not shown"
)


def notes(*, folder: Path, json: bool) -> None:
    """Replay every case of ``folder`` through the notes stage and print how it did.

    Raises NotFound for a folder without cases, BadInput for a case that cannot be read.
    """
    cases = load_folder(folder)
    results = [(case, asyncio.run(_result(case))) for case in cases]
    sums = total(result for _, result in results)
    if json:
        answer = {
            "rule": RULE,
            "writer": "extractive",
            "cases": [_case(case, result) for case, result in results],
            "total": {kind: _figures(score) for kind, score in sums.items()},
        }
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")
        return
    table = Table("case", "kind", box=None, padding=(0, 1), pad_edge=False, collapse_padding=True)
    for heading in ("right", "false", "miss", "prec", "rec", "F1", "owner", "due", "status"):
        table.add_column(heading, justify="right", no_wrap=True)
    for case, result in results:
        for number, kind in enumerate(GOLD_KINDS):
            _add_row(table, "" if number else case.name, kind, result[kind].score)
        table.add_section()
    for number, kind in enumerate(GOLD_KINDS):
        _add_row(table, "" if number else "all", kind, sums[kind], style="bold")
    console = Console()
    console.print(table)
    for case, result in results:
        for line in _faults(case, result):
            console.print(Text(f"{case.name}: {line}", style="dim"))
    console.print(Text(RULE, style="dim"))


async def _result(case: Case) -> dict[GoldKind, KindResult]:
    state = await replay(case, ExtractiveWriter())
    return compare(case, state.notes.items.values())


def _add_row(table: Table, name: str, kind: GoldKind, score: Score, style: str = "") -> None:
    def of(count: int) -> str:
        return f"{count}/{score.right}"

    is_action = kind == "action"
    table.add_row(
        Text(name),
        kind,
        str(score.right),
        str(score.false),
        str(score.missed),
        f"{score.precision:.2f}",
        f"{score.recall:.2f}",
        f"{score.f1:.2f}",
        of(score.owner_right) if is_action else "",
        of(score.due_right) if is_action else "",
        of(score.status_right),
        style=style,
    )


def _faults(case: Case, result: Mapping[GoldKind, KindResult]) -> list[str]:
    """One line for everything that is not as it should be."""
    found: list[str] = []
    for kind in GOLD_KINDS:
        found += [f"missed {kind}: {_said(g.text, g.turns)}" for g in result[kind].missed]
        found += [
            f"false {kind} ({i.status}): {_said(i.text, sorted(cited_turns(case, i)))}"
            for i in result[kind].false
        ]
        found += [line for match in result[kind].matches for line in _mistakes(match)]
    return found


def _mistakes(match: Match) -> list[str]:
    gold, item = match.gold, match.item
    pairs = (
        ("status", match.status, gold.status, item.status),
        ("owner", match.owner, gold.owner, item.owner),
        ("due", match.due, gold.due, item.due),
    )
    return [
        f"{name} of {gold.kind} {item.text!r}: {got or 'none'}, not {wanted or 'none'}"
        for name, right, wanted, got in pairs
        if right is False
    ]


def _said(text: str, turns: object) -> str:
    return f"{text!r} {' '.join(turns)}" if isinstance(turns, list | tuple) else repr(text)


def _case(case: Case, result: Mapping[GoldKind, KindResult]) -> dict[str, Any]:
    return {
        "name": case.name,
        "title": case.title,
        "scores": {kind: _figures(result[kind].score) for kind in GOLD_KINDS},
        "matches": [
            {
                "kind": m.gold.kind,
                "gold": m.gold.text,
                "item": _item(case, m.item),
                "status": m.status,
                "owner": m.owner,
                "due": m.due,
            }
            for kind in GOLD_KINDS
            for m in result[kind].matches
        ],
        "missed": [_gold(g) for kind in GOLD_KINDS for g in result[kind].missed],
        "false": [
            {"kind": i.kind, **_item(case, i)} for kind in GOLD_KINDS for i in result[kind].false
        ],
    }


def _item(case: Case, item: NoteItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "text": item.text,
        "status": item.status,
        "owner": item.owner,
        "due": item.due,
        "answer": item.answer,
        "check": item.check.state,
        "turns": sorted(cited_turns(case, item)),
    }


def _gold(gold: Gold) -> dict[str, Any]:
    return {"kind": gold.kind, "text": gold.text, "turns": gold.turns}


def _figures(score: Score) -> dict[str, Any]:
    figures: dict[str, Any] = msgspec.structs.asdict(score)
    figures |= {
        "precision": round(score.precision, 3),
        "recall": round(score.recall, 3),
        "f1": round(score.f1, 3),
    }
    return figures
