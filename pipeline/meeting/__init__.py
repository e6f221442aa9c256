"""One meeting: its stages wired in one task group."""

from __future__ import annotations
