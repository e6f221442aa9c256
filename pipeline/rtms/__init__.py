"""Zoom's RTMS protocol: words, sans-I/O state machines, socket shell, webhook."""

from __future__ import annotations
