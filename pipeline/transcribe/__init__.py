"""Speech to text: the engine interface, the engine on this machine, the shared decode pool."""

from __future__ import annotations
