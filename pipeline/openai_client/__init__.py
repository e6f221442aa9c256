"""One client for any OpenAI-compatible server."""

from __future__ import annotations
