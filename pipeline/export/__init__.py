"""A meeting as text: markdown for people, JSON for programs. Pure functions of a MeetingState."""

from __future__ import annotations
