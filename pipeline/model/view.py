"""A meeting as readers see it: the shapes the store's projections are read into."""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.model.events import Product


class StageHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Latest health of one stage."""

    stage: str
    state: Literal["ok", "degraded", "failed"]
    at_ms: int
    error: str = ""
    detail: str = ""
    retryable: bool = False
    count: int = 0


class StreamView(msgspec.Struct, frozen=True, kw_only=True):
    """One RTMS stream of a meeting. ``state``: connecting, live, interrupted, paused, ended.
    ``id_key`` and ``number`` as in ``StreamOpened``."""

    id: str
    server_urls: str
    announced_ms: int
    state: str
    at_ms: int
    reason: int | None = None
    detail: str = ""
    id_key: str = ""
    number: str = ""


class MeetingView(msgspec.Struct, frozen=True, kw_only=True):
    """A meeting's head. ``state``: live, ended (work pending) or finished (notes final).

    ``engine`` is where the shown words come from; ``last_seq`` the newest committed event;
    ``covered_seq`` the newest event the notes have read; ``stages`` only what was reported.
    """

    id: str
    product: Product
    zoom_id: str
    state: Literal["live", "ended", "finished"]
    started_ms: int
    ended_ms: int | None
    zone: str
    title: str | None
    engine: str
    last_seq: int
    covered_seq: int
    stages: tuple[StageHealth, ...] = ()
