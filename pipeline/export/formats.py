"""The formats a meeting can be exported in, by name."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pipeline.export import document, file_names, markdown
from pipeline.model.state import MeetingState


class Format(msgspec.Struct, frozen=True):
    """One format: ``render`` turns a meeting into text, ``suffix`` ends its file name."""

    render: Callable[[MeetingState], str]
    suffix: str


FORMATS: dict[str, Format] = {
    "md": Format(markdown.render, "md"),
    "json": Format(document.render, "json"),
}


def file_name(state: MeetingState, name: str) -> str:
    """``YYYY-MM-DD-HHMM-slug-id.suffix`` for format ``name``; safe on every file system.

    Raises KeyError for an unknown format.
    """
    return file_names.stem(state) + "." + FORMATS[name].suffix
