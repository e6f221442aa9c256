"""Log set-up: structlog to stderr, JSON or console, with secrets and line breaks kept out."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

_HIDDEN = ("signature", "secret", "token", "authorization", "api_key", "password")


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask values whose key names a credential, at any depth; fold control characters."""
    for key, value in event.items():
        event[key] = _safe(key, value)
    return event


def _safe(key: object, value: object) -> object:
    if any(word in str(key).lower() for word in _HIDDEN):
        return "***"
    if isinstance(value, str):
        return "".join(c if c.isprintable() else " " for c in value)[:2000]
    if isinstance(value, Mapping):
        return {inner: _safe(inner, held) for inner, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe("", held) for held in value]
    return value


def set_up(*, json: bool = False, level: str = "info") -> None:
    """Configure structlog once per process. ``level``: debug, info, warning, error."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the other one prints variables
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if json else []),
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
