"""Corpora of speech and of its absence, built from what packages bring along."""

from __future__ import annotations
