"""Speed, measured against a floor taken in the same run: figures of a machine alone say little.

Value and floor are measured alternately, several times, and medians are reported. Nothing here is a
test; the figures asked for stand in each figure's ``note``. Modules named ``*_child`` are programs
that run in a process of their own.
"""

from __future__ import annotations
