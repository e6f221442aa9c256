"""Settings of the page."""

from __future__ import annotations

import msgspec


class WebSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the page's listener treats its readers."""

    ping_s: float = 15.0  # a comment on a quiet stream, so that proxies keep it open
    send_timeout_s: float = 10.0  # a reader that takes nothing for so long is closed; it resumes
    max_streams: int = 64  # open live streams; one more is told to come back later
    retry_ms: int = 1_000  # how long a browser waits before it resumes
    max_query: int = 200  # characters of a search
    max_hits: int = 100  # results of a search at most
