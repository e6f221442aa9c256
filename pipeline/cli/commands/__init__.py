"""The commands with their options, a file a group; what they do lives beside this folder."""

from __future__ import annotations
