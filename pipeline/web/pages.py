"""The HTML pages: jinja2 with everything escaped and nothing undefined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jinja2

from pipeline.export.escape import clean
from pipeline.export.markdown import SECTIONS
from pipeline.export.standing import UNTITLED
from pipeline.export.times import Times
from pipeline.model.state import MeetingState
from pipeline.model.view import MeetingView
from pipeline.web.shapes import ItemView, LineView, PartialView
from pipeline.web.views import STATES, Views

if TYPE_CHECKING:
    from pipeline.store.search import Hit

_environment = jinja2.Environment(
    loader=jinja2.PackageLoader("pipeline.web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_BLANK_LINE = LineView(id="", kind="said", sort="", time="", iso="", text="")
_BLANK_EVENT = LineView(id="", kind="event", sort="", time="", iso="", text="")
_BLANK_PICTURE = LineView(id="", kind="picture", sort="", time="", iso="", text="")
_BLANK_GAP = LineView(id="", kind="gap", sort="", time="", iso="", text="")
_BLANK_PARTIAL = PartialView(file="", sort="", time="", iso="", speaker="", voice="")
_BLANK_ITEM = ItemView(id="", section="", sort="", look="open", text="")


def meeting_page(state: MeetingState) -> str:
    """The live page of one meeting. Raises ValueError before its first event."""
    views = Views(state)
    return _render(
        "meeting.html",
        meeting=state.meeting,
        seq=state.last_seq,
        head=views.head(),
        sections=SECTIONS,
        items=views.items(),
        lines=views.lines(),
        blank_line=_BLANK_LINE,
        blank_partial=_BLANK_PARTIAL,
        blank_gap=_BLANK_GAP,
        blank_event=_BLANK_EVENT,
        blank_picture=_BLANK_PICTURE,
        blank_item=_BLANK_ITEM,
    )


def list_page(meetings: Sequence[MeetingView]) -> str:
    """All meetings, newest first."""
    rows = []
    for view in meetings:
        times = Times(view.zone, view.started_ms)
        rows.append(
            {
                "id": view.id,
                "title": clean(view.title or "") or UNTITLED,
                "when": f"{times.day(view.started_ms)}, {times.clock(view.started_ms)[:5]}",
                "iso": times.iso(view.started_ms),
                "state": view.state,
                "state_text": STATES[view.state],
                "troubles": sum(stage.state != "ok" for stage in view.stages),
            }
        )
    return _render("meetings.html", rows=rows)


def search_page(query: str, hits: Sequence[Hit], heads: Sequence[MeetingView]) -> str:
    """Results of a search, best first; each links to the words on its meeting's page.

    ``heads`` are the meetings of the hits.
    """
    known = {view.id: (view, Times(view.zone, view.started_ms)) for view in heads}
    rows = []
    for hit in hits:
        view, times = known[hit.meeting]
        rows.append(
            {
                "href": f"/m/{hit.meeting}#{hit.ref}",
                "title": clean(view.title or "") or UNTITLED,
                "when": f"{times.day(hit.at_ms)}, {times.at(hit.at_ms).strftime('%H:%M:%S')}",
                "iso": times.iso(hit.at_ms),
                "kind": _kind(hit),
                "speaker": clean(hit.speaker or ""),
                "text": clean(hit.snippet),
            }
        )
    return _render("search.html", query=query, rows=rows)


def _kind(hit: Hit) -> str:
    if hit.private:
        return "private chat"
    return {"message": "chat", "note": "notes"}.get(hit.kind, "")


def error_page(status: int, text: str) -> str:
    """One clear line, and the way back."""
    return _render("error.html", status=status, text=text)


def _render(name: str, **values: Any) -> str:
    return _environment.get_template(name).render(**values)
