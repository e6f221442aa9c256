"""``config`` and ``doctor``."""

from __future__ import annotations

from pipeline.cli.application import (
    ConfigOption,
    HomeOption,
    JsonOption,
    app,
    one_line_errors,
)


@app.command()
@one_line_errors
def config(json: JsonOption = False, file: ConfigOption = None) -> None:
    """Print every setting with its value and where it comes from; secrets are masked.

    Example: rtms-notes config
    """
    from pipeline.cli.reading import config as run

    run(json=json, file=file)


@app.command()
@one_line_errors
def doctor(json: JsonOption = False, home: HomeOption = None, config: ConfigOption = None) -> None:
    """Check what a meeting needs (credentials, endpoints, clock, disk, engine) and say what to do.

    Example: rtms-notes doctor
    """
    from pipeline.cli.doctor import run

    run(json=json, home=home, config=config)
