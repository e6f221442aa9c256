"""Video and screen share: checked, looked at, kept as pictures and files."""

from __future__ import annotations
