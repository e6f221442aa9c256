"""The words everybody speaks: events, utterances, notes and patches. Pure, no I/O."""

from __future__ import annotations
