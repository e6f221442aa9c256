"""How well speech is turned into words: manifests of recordings, runs of an engine, scores.

A manifest is in the form of NVIDIA NeMo: one JSON object a line. docs/transcription.md holds the
figures, each from ``rtms-notes eval stt``.
"""

from __future__ import annotations
