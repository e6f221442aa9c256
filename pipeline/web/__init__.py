"""The live page, its stream, the JSON API, health and metrics. Reads the log, never writes."""

from __future__ import annotations
