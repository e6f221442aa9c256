"""What a check of the doctor found."""

from __future__ import annotations

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of one check; ``advice`` says what to do unless it is ok."""

    check: str
    state: Literal["ok", "warning", "failed", "skipped"]
    detail: str
    advice: str = ""
