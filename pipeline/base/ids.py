"""Identifiers as an input, so that tests and replays can repeat them."""

from __future__ import annotations

import itertools
import secrets
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: nothing looks like another


class Ids(Protocol):
    """Makes identifiers that are safe in file names and URLs."""

    def new(self) -> str:
        """A new identifier, never given before."""
        ...


class RandomIds:
    """Twelve random base-32 characters (60 bits): short prefixes already tell two apart."""

    def new(self) -> str:
        return "".join(secrets.choice(_ALPHABET) for _ in range(12))


class SequentialIds:
    """``id0001``, ``id0002``, ... for tests."""

    def __init__(self, prefix: str = "id") -> None:
        self._prefix = prefix
        self._counter = itertools.count(1)

    def new(self) -> str:
        return f"{self._prefix}{next(self._counter):04d}"
