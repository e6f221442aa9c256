"""A run of an engine over a manifest, for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from pipeline.base.errors import BadInput, NotFound
from pipeline.evaluate.stt.score import Quantiles, Result, Summary, summary

Mode = Literal["segments", "whole", "paced"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was run, its figures, and every unit. ``mixed``: meetings came in one stream."""

    manifest: str
    engine: str
    mode: Mode
    mixed: bool
    machine: str
    settings: dict[str, object]
    summary: Summary
    results: tuple[Result, ...]


class Row(msgspec.Struct, frozen=True):
    """One figure as people read it; ``before`` of an earlier report."""

    what: str
    value: str
    before: str = ""


def report(
    results: Sequence[Result],
    *,
    manifest: str,
    engine: str,
    mode: Mode,
    mixed: bool,
    machine: str,
    settings: dict[str, object],
) -> Report:
    """Of at least one result."""
    return Report(
        manifest=manifest,
        engine=engine,
        mode=mode,
        mixed=mixed,
        machine=machine,
        settings=settings,
        summary=summary(results),
        results=tuple(results),
    )


def read_report(path: Path) -> Report:
    """An earlier report (its JSON). Raises NotFound, BadInput."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except FileNotFoundError:
        raise NotFound(f"no report {path}") from None
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(f"{path}: is no report of eval stt ({error})") from error


def rows(found: Report, before: Report | None = None) -> list[Row]:
    """The figures there are, one a row."""
    now = dict(_figures(found.summary))
    old = {} if before is None else dict(_figures(before.summary))
    return [Row(what, value, old.get(what, "")) for what, value in now.items()]


def changes(found: Report, before: Report) -> list[str]:
    """Units whose number of wrong words is not what it was: a line each, worst first."""
    old = {r.name: r.words.wrong for r in before.results}
    lines = [
        (r.words.wrong - old[r.name], f"{r.name}: {old[r.name]} -> {r.words.wrong} words wrong")
        for r in found.results
        if r.name in old and old[r.name] != r.words.wrong
    ]
    return [line for _, line in sorted(lines, key=lambda pair: -pair[0])]


def markdown(found: Report, before: Report | None = None) -> str:
    """The figures as a table, then each unit."""
    head = "| figure | value |" if before is None else "| figure | value | before |"
    lines = [
        f"# {found.engine} on {_cell(Path(found.manifest).name)}, {title(found)}",
        "",
        head,
        "| --- | --- |" if before is None else "| --- | --- | --- |",
    ]
    for row in rows(found, before):
        cells = [row.what, row.value] if before is None else [row.what, row.value, row.before]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        found.machine,
        "",
        "| recording | s | words | wrong | heard |",
        "| --- | --- | --- | --- | --- |",
    ]
    for r in found.results:
        text = " / ".join(h.text for h in r.hearing.heard)
        cells = [r.name, f"{r.seconds:.1f}", str(r.words.reference), str(r.words.wrong), text]
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    added = [a for r in found.results for a in r.added]
    if added:
        lines += ["", "Words added by segments under one second:", ""]
        lines += [
            f"- {_cell(a.unit)} at {a.start_ms / 1000:.2f} s ({a.seconds:.2f} s): "
            f"{_cell(a.word)} in “{_cell(a.text)}”"
            for a in added
        ]
    return "\n".join(lines) + "\n"


def title(found: Report) -> str:
    """How it was run, in words."""
    modes = {
        "segments": "through our chain",
        "whole": "whole clips",
        "paced": "through our chain in real time",
    }
    return modes[found.mode] + (", voices mixed in one stream" if found.mixed else "")


def _figures(s: Summary) -> list[tuple[str, str]]:
    between = ""
    if s.wer_low is not None and s.wer_high is not None:
        between = f" [{s.wer_low:.1%}, {s.wer_high:.1%}]"
    figures = [
        ("recordings", f"{s.units}, {s.seconds:.0f} s, {s.words} words"),
        ("segments", f"{s.segments}, {s.doubts} in doubt"),
        ("WER", None if s.wer is None else f"{s.wer:.1%}{between}"),
        ("CER", None if s.cer is None else f"{s.cer:.1%}"),
        ("cpWER", None if s.cp_wer is None else f"{s.cp_wer:.1%}"),
        ("right speaker", None if s.attribution is None else f"{s.attribution:.1%} of words named"),
        (
            "unknown speaker",
            None if s.attribution_unknown is None else f"{s.attribution_unknown:.1%} of words",
        ),
        (
            "made up",
            f"{s.made_up} words in {s.silent_s:.0f} s without speech" if s.silent_s else None,
        ),
        ("added in segments < 1 s", f"{s.added} words"),
        ("real time factor", f"{s.rtf:.3f}"),
        ("processor", f"{s.cpu:.3f} s a second of audio"),
        ("first words", _delay(s.first)),
        ("final words", _delay(s.final)),
        ("worst receive lag", None if s.lag_s is None else f"{s.lag_s * 1000:.0f} ms"),
    ]
    return [(what, value) for what, value in figures if value is not None]


def _delay(found: Quantiles | None) -> str | None:
    if found is None:
        return None
    return f"p50 {found.p50:.2f} s, p95 {found.p95:.2f} s ({found.count})"


def _cell(text: str) -> str:
    """Heard text is untrusted: no markup of ours or the table's."""
    plain = " ".join(text.split())
    for sign in "\\`*_[]<>|&":
        plain = plain.replace(sign, f"\\{sign}" if sign not in "<>&" else "")
    return plain
