"""Notes of a meeting that nobody writes any more, when its words are revised by a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pipeline.model import events as ev
from pipeline.model.notes import Patch
from pipeline.model.state import MeetingState
from pipeline.summarize.patching import Ground, recheck
from pipeline.summarize.reading import roster_of, words_of, zone_of


def with_checks(
    state: MeetingState,
    bodies: Sequence[ev.Body],
    *,
    at_ms: int,
    unverified: Literal["show", "hold"],
) -> list[ev.Body]:
    """``bodies``, about to be committed on top of ``state``, and what their revised utterances mean
    for the notes that cite them: a line whose words are gone is retracted, one whose words have
    changed says so. For one commit."""
    revised = {b.utterance.id: b.utterance for b in bodies if isinstance(b, ev.UtteranceSaid)}
    ground = Ground(
        words={**words_of(state), **revised},
        roster=roster_of(state),
        zone=zone_of(state),
        unverified=unverified,
    )
    ops, _ = recheck(set(revised), state.notes, ground)
    if not ops:
        return list(bodies)
    patch = Patch(id=f"afterwards-{state.last_seq}", at_ms=at_ms, author="extractive", ops=ops)
    return [*bodies, ev.NotesPatched(patch=patch, covered_seq=state.covered_seq)]
