"""Live meeting notes from Zoom's Realtime Media Streams, every line linked to its words.

The command is ``rtms-notes``. In notebooks and scripts a store is read with::

    from pipeline import Home

    home = Home()  # or Home("some/folder")
    for view in home.meetings():
        print(view.id, view.title, view.state)
    meeting = home.meeting("3f9")  # any unique beginning of an id
    meeting.transcript(), meeting.notes(), meeting.gaps(), meeting.events()

``Home`` is imported when it is first asked for, so that ``import pipeline`` stays cheap. Errors
raised on purpose derive from ``pipeline.base.errors.RtmsNotesError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.home import Home

__all__ = ["Home"]


def __getattr__(name: str) -> Any:
    if name == "Home":
        from pipeline.home import Home

        return Home
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
