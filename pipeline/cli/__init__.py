"""The command line: `rtms-notes`. Heavy imports stay inside the commands."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point. Exit status: 0 done, 1 it failed (one clear line), 2 bad usage."""
    from pipeline.cli.app import app

    try:
        app(prog_name="rtms-notes")
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        sys.stderr.close()
        sys.exit(0)
