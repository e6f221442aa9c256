"""Scores notes on scripted meetings: cases, replay on virtual time, the matching rule."""

from __future__ import annotations
