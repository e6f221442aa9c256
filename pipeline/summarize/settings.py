"""Settings of the notes: when to write, with what, and what to do with unproven items."""

from __future__ import annotations

from typing import Literal

import msgspec


class SummarizeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times are seconds of meeting time, except where the machine's are named.

    The first five say when a language model is asked; extraction costs nothing and follows after
    ``extract_floor_s``.
    """

    every_words: int = 60  # so many new words are enough
    floor_s: float = 6.0  # never more often
    ceiling_s: float = 45.0  # never later, once something was said
    silence_s: float = 5.0  # nobody speaks: a good moment
    min_words: int = 4  # fewer new words wait for the ceiling
    extract_floor_s: float = 1.5
    unverified: Literal["show", "hold"] = "show"  # hold: keep back what fails a check
    prompts: str = ""  # folder whose prompts go before the bundled ones of the same name
    glossary: tuple[str, ...] = ()  # names and terms the model should spell like this
    context_lines: int = 6  # lines already read that a model sees again
    digest_items: int = 80  # items a model is shown; the oldest points go first
    model_retry_s: float = 5.0  # machine: after a failure, doubling up to the next
    model_retry_cap_s: float = 60.0  # machine
    window_words: int = 1_200  # new words a model reads at once; more, after an outage, in turns
    final_patience_s: float = 30.0  # machine: how long the final pass waits for a model to return

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(type(self)):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and value < 0:
                raise ValueError(f"{field.name} must not be negative")
        if min(self.every_words, self.digest_items, self.window_words) < 1:
            raise ValueError("every_words, digest_items and window_words must be at least 1")
        if self.ceiling_s < self.floor_s:
            raise ValueError("ceiling_s must not be below floor_s")
        if self.model_retry_s <= 0:
            raise ValueError("model_retry_s must be above 0")
