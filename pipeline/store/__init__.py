"""The log of every meeting and its projections, on SQLite."""

from __future__ import annotations
