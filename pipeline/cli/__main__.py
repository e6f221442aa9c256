"""`python -m pipeline.cli`, used where the script's path is not known."""

from __future__ import annotations

from pipeline.cli import main

main()
