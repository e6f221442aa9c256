"""Hints cut to what an engine can take."""

from __future__ import annotations

import msgspec

from pipeline.transcribe.engine import Capabilities, Hints


def fitting(hints: Hints, capabilities: Capabilities) -> Hints:
    """The likeliest terms, as many as the engine takes; none for one that takes none."""
    most = capabilities.most_terms if capabilities.terms else 0
    if len(hints.terms) <= most:
        return hints
    return msgspec.structs.replace(hints, terms=hints.terms[:most])
