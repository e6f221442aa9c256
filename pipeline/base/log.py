"""Log set-up: structlog to stderr, JSON or console, with secrets and line breaks kept out.

What libraries say through ``logging`` takes the same way.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from pipeline.base import metrics

_HIDDEN = ("signature", "secret", "token", "authorization", "api_key", "password")
_LONGEST = 2_000
_LONGEST_EXCEPTION = 20_000
_BAD_HTTP = "aiohttp.http_exceptions"


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask values whose key names a credential, at any depth; fold control characters. Only a
    rendered ``exception`` keeps its line breaks."""
    for key, value in event.items():
        if key == "exception" and isinstance(value, str):
            # The end of a traceback is what matters.
            kept = value[-_LONGEST_EXCEPTION:].split("\n")
            event[key] = "\n".join(_one_line(line) for line in kept)
        else:
            event[key] = _safe(key, value)
    return event


def _safe(key: object, value: object) -> object:
    if any(word in str(key).lower() for word in _HIDDEN):
        return "***"
    if isinstance(value, str):
        return _one_line(value)[:_LONGEST]
    if isinstance(value, Mapping):
        return {inner: _safe(inner, held) for inner, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe("", held) for held in value]
    return value


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _indent(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """On a console a line of a traceback must not pass for a line of the log."""
    if isinstance(event.get("exception"), str):
        event["exception"] = "\n".join("    " + line for line in event["exception"].split("\n"))
    return event


class LibraryLogs(logging.Handler):
    """What libraries log, as events of ours: redacted, one line each, JSON where that is wanted."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        logger = structlog.get_logger()
        if any(kind.__module__ == _BAD_HTTP for kind in type(error).__mro__):
            # aiohttp shows the bytes it could not parse; they may hold a signature or words.
            metrics.HTTP_REFUSED.labels("other", "bad_http").inc()
            logger.warning("http.bad_request", logger=record.name)
            return
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):  # its arguments do not fit its text
            said = str(record.msg)
        extra = {} if error is None else {"exc_info": error}
        logger.log(record.levelno, said, logger=record.name, **extra)


def set_up(*, json: bool = False, level: str = "info") -> None:
    """Configure structlog and ``logging`` once per process. ``level``: debug, info, warning,
    error."""
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if json
        else [
            _indent,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,  # the other prints variables
            ),
        ]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if not isinstance(h, LibraryLogs)]
    root.addHandler(LibraryLogs())
    root.setLevel(logging.WARNING)
