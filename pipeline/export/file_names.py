"""Names of exported files."""

from __future__ import annotations

import re
import unicodedata

from pipeline.export.times import Times
from pipeline.model.state import MeetingState

SLUG = 60
"""Characters of a title in a file name at most."""


def stem(state: MeetingState) -> str:
    """``2026-11-24-1000-holiday-boxes-k3v9``: start in the meeting's zone, title, id.

    ASCII letters, digits and hyphens only, so it is a name on every file system; sorting by name
    sorts by time. Raises ValueError before the meeting's first event.
    """
    view = state.view()
    at = Times(view.zone, view.started_ms).at(view.started_ms)
    return f"{at.strftime('%Y-%m-%d-%H%M')}-{slug(view.title or '')}-{slug(view.id)}"


def slug(title: str) -> str:
    """Lower-case ASCII words joined by hyphens; ``meeting`` when none are left."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return words[:SLUG].rstrip("-") or "meeting"
