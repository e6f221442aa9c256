"""Tapes: one recorded or made meeting a file, exactly what Zoom's sockets said and when."""

from __future__ import annotations
