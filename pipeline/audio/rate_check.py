"""Is the audio of the rate it was announced with? Pure.

Nothing in a packet of L16 says so, but its timestamps do: packets of 20 ms are 20 ms apart. Where
they are twice as far apart as their samples last, the samples are of half the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final

_STEPS: Final = 8
"""Steps between packets of one person that are enough for a verdict."""

_NEAR: Final = 0.12
"""Deviation from a rate: none of Zoom's is nearer to another than 33 %."""

_ALIKE: Final = 0.75
"""Share of steps that must be alike; a mute makes one long one."""


class RateCheck:
    """Told the packets of one person until there is a verdict."""

    def __init__(self, told: int, rates: Sequence[int]) -> None:
        self._told = told
        self._rates = rates
        self._packets: dict[int, int] = {}  # length by time: what comes twice counts once

    def saw(self, timestamp_ms: int, length: int) -> int | None:
        """A packet of so many frames. The rate that it really has; None: not sure yet."""
        self._packets[timestamp_ms] = length
        if len(self._packets) <= _STEPS:
            return None
        times = sorted(self._packets)
        steps = [after - before for before, after in pairwise(times)]
        usual = median(steps)
        alike = sum(abs(step - usual) <= _NEAR * usual for step in steps)
        lasts = median(self._packets[at] for at in times[:-1])
        rate = lasts * 1000 / usual
        found = next((r for r in self._rates if abs(rate / r - 1) <= _NEAR), None)
        if alike >= _ALIKE * len(steps) and found is not None:
            return found
        return self._told if len(self._packets) > 4 * _STEPS else None


Arrived = tuple[str | None, str | None, int, bytes]
"""A packet as it came: participant, speaker, time (ms), data."""


class Early:
    """The first packets of a stream, kept until the rate of one person's is sure."""

    def __init__(self, told: int, rates: Sequence[int]) -> None:
        self.packets: list[Arrived] = []
        self._told = told
        self._rates = rates
        self._checks: dict[str | None, RateCheck] = {}

    def saw(self, arrived: Arrived, length: int) -> int | None:
        """See ``RateCheck.saw``."""
        self.packets.append(arrived)
        check = self._checks.get(arrived[0])
        if check is None:
            check = self._checks[arrived[0]] = RateCheck(self._told, self._rates)
        return check.saw(arrived[2], length)
