"""Words to notes: triggers, writers, verification, the live stage and the final pass."""

from __future__ import annotations
