"""What is laid out for a terminal."""

from __future__ import annotations

from pipeline.cli.reading import without_anchors


def test_a_terminal_shows_no_targets_of_links() -> None:
    line = '[09:00:00] **Ada:** <a id="^u1"></a>Three times ^2 is nine. ^u1\n'
    assert without_anchors(line) == "[09:00:00] **Ada:** Three times ^2 is nine.\n"
    note = "- Ship it — [09:00:00 Ada](#^u1), [09:00:09 Ben](#^c2)"
    assert without_anchors(note) == "- Ship it — [09:00:00 Ada], [09:00:09 Ben]"
