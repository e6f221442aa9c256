"""Pictures of a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.evaluate.stt.report import Report, title


def draw(found: Report, folder: Path) -> list[Path]:
    """PNG files in ``folder``: word errors of each recording, and of paced runs the delays."""
    drawn = [_errors(found, folder / "words.png")]
    first = [h.first_s for r in found.results for h in r.hearing.heard if h.first_s is not None]
    final = [h.final_s for r in found.results for h in r.hearing.heard if h.final_s is not None]
    if first or final:
        drawn.append(_delays(found, first, final, folder / "delays.png"))
    return drawn


def _errors(found: Report, path: Path) -> Path:
    from matplotlib.figure import Figure

    results = found.results[:60]
    figure = Figure(figsize=(8, 1.2 + 0.22 * len(results)), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(results))
    left = [0] * len(results)
    for what, color in (
        ("substitutions", "tab:orange"),
        ("deletions", "tab:blue"),
        ("insertions", "tab:red"),
    ):
        counts = [getattr(r.words, what) for r in results]
        axes.barh(places, counts, left=left, color=color, label=what)
        left = [a + b for a, b in zip(left, counts, strict=True)]
    labels = [f"{r.name} ({r.words.reference})".replace("$", r"\$") for r in results]
    axes.set_yticks(places, labels, fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("words wrong (words said in brackets)")
    axes.set_title(f"{found.engine}, {title(found)}", fontsize=9)
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)
    return path


def _delays(found: Report, first: Sequence[float], final: Sequence[float], path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for values, label in ((first, "first words after onset"), (final, "final words after the end")):
        if values:
            ordered = sorted(values)
            shares = [(n + 1) / len(ordered) for n in range(len(ordered))]
            axes.step(ordered, shares, where="post", label=label)
    axes.set_xlabel("seconds")
    axes.set_ylabel("share of segments")
    axes.set_title(f"{found.engine}, {title(found)}", fontsize=9)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)
    return path
