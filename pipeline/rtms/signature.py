"""Keyed hashes of the protocol: handshakes, incoming webhooks, URL validation (sections 2, 3)."""

from __future__ import annotations

import hashlib
import hmac
from enum import Enum
from typing import Final

from pipeline.base.secret import Secret

WEBHOOK_WINDOW_S: Final = 300
"""How far the time of a webhook may be from ours, in both directions (section 2.4)."""


def handshake_signature(client_id: str, zoom_id: str, stream: str, client_secret: Secret) -> str:
    """The ``signature`` of messages 1 and 3: lower-case hex (section 3).

    ``zoom_id`` is the id of the webhook (``meeting_uuid``, ``session_id``, ...), unchanged.
    """
    return _hmac(client_secret, f"{client_id},{zoom_id},{stream}".encode())


def webhook_signature(secret_token: Secret, timestamp: str, body: bytes) -> str:
    """The ``x-zm-signature`` of a webhook: ``v0=`` + hex (section 2.4).

    ``timestamp`` is the text of ``x-zm-request-timestamp``; ``body`` the raw bytes received.
    """
    return "v0=" + _hmac(secret_token, b"v0:" + timestamp.encode() + b":" + body)


class Verdict(Enum):
    """What ``verify_webhook`` found; the value is a word for logs and metrics."""

    VALID = "valid"
    MISSING = "missing_signature"
    BAD_TIME = "bad_timestamp"
    STALE = "stale"
    FORGED = "bad_signature"


def verify_webhook(
    secret_token: Secret,
    signature: str | None,
    timestamp: str | None,
    body: bytes,
    now_ms: int,
    window_s: int = WEBHOOK_WINDOW_S,
) -> Verdict:
    """Check a webhook's headers against its raw body, in constant time.

    The timestamp is Unix seconds; milliseconds are understood too (section 2.4). Without a
    secret token nothing is valid.
    """
    if not signature or not timestamp:
        return Verdict.MISSING
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 16):
        return Verdict.BAD_TIME
    sent = int(timestamp)
    sent_ms = sent if sent > 100_000_000_000 else sent * 1000
    if abs(now_ms - sent_ms) > window_s * 1000:
        return Verdict.STALE
    expected = webhook_signature(secret_token, timestamp, body)
    given = signature.encode("utf-8", "backslashreplace")
    if not secret_token or not hmac.compare_digest(expected.encode(), given):
        return Verdict.FORGED
    return Verdict.VALID


def challenge_answer(secret_token: Secret, plain_token: str) -> str:
    """``encryptedToken`` for ``endpoint.url_validation``: lower-case hex (section 2.3)."""
    return _hmac(secret_token, plain_token.encode())


def _hmac(key: Secret, message: bytes) -> str:
    return hmac.new(key.reveal().encode(), message, hashlib.sha256).hexdigest()
