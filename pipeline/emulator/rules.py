"""Choices a server makes that clients must not rely on; settings of the fake Zoom's core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["strict", "tolerant"]
Second = Literal["refuse", "kick"]
Urls = Literal["both", "all", "split"]


@dataclass(frozen=True)
class Rules:
    """How one stream behaves where the reference leaves a choice."""

    mode: Mode = "strict"
    """``strict`` refuses what section 7.1 does not allow; ``tolerant`` gives the nearest thing
    instead and says so in the echoed parameters."""
    second: Second = "refuse"
    """A second connection where there may be one: refused with 8, 15, 16, or it replaces the
    first (section 16)."""
    urls: Urls = "both"
    """Which media URLs message 2 offers. Zoom's SDK needs the split ones."""
    replay: bool = True
    """What was said while nobody was there is sent on connecting, up to the buffer's length
    (section 12.1)."""
