"""A fake Zoom: webhook sender, signaling and media servers that play a tape."""

from __future__ import annotations
