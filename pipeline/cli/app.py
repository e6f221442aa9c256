"""Everything `rtms-notes` can do: importing the groups registers their commands, in this order."""

from __future__ import annotations

from pipeline.cli.application import app

from pipeline.cli.commands import running  # isort: skip
from pipeline.cli.commands import emulating  # isort: skip
from pipeline.cli.commands import kept  # isort: skip
from pipeline.cli.commands import setting_up  # isort: skip
from pipeline.cli.commands import mending  # isort: skip
from pipeline.cli.commands import taping  # isort: skip
from pipeline.cli.commands import measuring  # isort: skip

GROUPS = (running, emulating, kept, setting_up, mending, taping, measuring)
__all__ = ["GROUPS", "app"]
