"""What the page shows, as ready values: the templates and the stream's script only place them.

Every field is text, a number or a flag; nothing here is markup. No text holds a character that is
not seen: names and words cannot reorder the page around them.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from pipeline.export.certainty import Piece
from pipeline.export.escape import clean


class Ref(msgspec.Struct, frozen=True, kw_only=True):
    """A link inside the page. ``to`` is an element's id, empty when there is nothing to link."""

    to: str
    label: str
    title: str = ""


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the transcript. ``kind``: said, chat, private (a chat message that was not for
    everybody), gap, event or picture. ``sort`` orders lines as text. ``image`` and ``thumb`` are
    paths of this listener. ``sure``: why the speaker is not certain; ``doubt``: why the words are
    not. ``goes_on``: it continues the line before it. ``pieces``: the text in parts, when some of
    it was heard otherwise."""

    id: str
    kind: str
    sort: str
    time: str
    iso: str
    text: str
    speaker: str = ""
    voice: str = ""
    mark: str = ""
    lang: str = ""
    beside: str = ""
    image: str = ""
    thumb: str = ""
    sure: str = ""
    doubt: str = ""
    goes_on: bool = False
    pieces: tuple[Piece, ...] = ()
    refs: tuple[Ref, ...] = ()


class PartialView(msgspec.Struct, frozen=True, kw_only=True):
    """Words that are still being said, or whose final form is awaited, as a line among the others.
    ``file`` is what a ``Change`` names when it settles them."""

    file: str
    sort: str
    time: str
    iso: str
    speaker: str
    voice: str
    sure: str = ""
    goes_on: bool = False
    committed: str = ""
    tentative: str = ""


class ItemView(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the notes. ``look``: open, done or withdrawn. ``unverified`` is the reason."""

    id: str
    section: str
    sort: str
    look: str
    text: str
    status: str = ""
    owner: str = ""
    owner_known: bool = True
    due: str = ""
    due_text: str = ""
    answer: str = ""
    span: str = ""
    unverified: str = ""
    edited: str = ""
    refs: tuple[Ref, ...] = ()


class HeadView(msgspec.Struct, frozen=True, kw_only=True):
    """The page's head: all that is not a line of the transcript or of the notes."""

    title: str
    state: str
    state_text: str
    when: str
    length: str
    label: str
    coverage: str
    words: str
    people: tuple[str, ...]
    gaps: tuple[Ref, ...]
    troubles: tuple[str, ...]
    notices: tuple[str, ...]
    faults: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()


_View = TypeVar("_View", HeadView, LineView, PartialView, ItemView)


def seen(view: _View) -> _View:
    """The view with every text in it cleaned."""
    return msgspec.structs.replace(view, **_cleaned(view))


def _cleaned(struct: msgspec.Struct) -> dict[str, Any]:
    return {name: _clean_value(getattr(struct, name)) for name in struct.__struct_fields__}


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, tuple):
        return tuple(_clean_value(part) for part in value)
    return Ref(**_cleaned(value)) if isinstance(value, Ref) else value  # pieces are clean
