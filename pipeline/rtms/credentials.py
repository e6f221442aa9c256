"""What a Zoom app proves itself with."""

from __future__ import annotations

import msgspec

from pipeline.base.secret import Secret


class Credentials(msgspec.Struct, frozen=True):
    """Client id and secret of the Zoom app (for Video SDK: SDK key and secret)."""

    client_id: str
    client_secret: Secret
