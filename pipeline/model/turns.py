"""Utterances of one speaker that follow one another are one paragraph for a reader."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from pipeline.model.speech import Utterance

PAUSE_MS = 3_000
"""Longest silence inside a paragraph. Segments end after 0.5 s of silence; who thinks for longer
than this, or lets others speak, begins anew."""


def goes_on(before: object, now: object) -> bool:
    """Whether ``now`` continues the paragraph of ``before``, the entry shown right before it.

    Nobody known by name never does: two unknown speakers may be two people."""
    if not (isinstance(before, Utterance) and isinstance(now, Utterance)):
        return False
    return (
        _voice(before) is not None
        and _voice(before) == _voice(now)
        and before.attribution == now.attribution
        and before.role == now.role
        and now.start_ms - before.end_ms <= PAUSE_MS
    )


def continuing(entries: Iterable[object]) -> frozenset[str]:
    """Ids of the utterances that go on with the entry before them; ``entries`` in the order in
    which they are shown, of any kind."""
    return frozenset(
        now.id
        for before, now in pairwise(entries)
        if isinstance(now, Utterance) and goes_on(before, now)
    )


def _voice(utterance: Utterance) -> tuple[str | None, str] | None:
    """Whose words they are, as shown; None when nobody can be named."""
    return (utterance.participant, utterance.speaker) if utterance.speaker else None
