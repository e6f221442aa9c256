"""Text from outside."""

from __future__ import annotations


def sound(text: str) -> str:
    """Text that can be stored: JSON may hold halves of characters (lone surrogates)."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
