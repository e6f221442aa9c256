"""The test vectors of the reference, section 21."""

from __future__ import annotations

from pipeline.base.secret import Secret
from pipeline.rtms.signature import (
    Verdict,
    challenge_answer,
    handshake_signature,
    verify_webhook,
    webhook_signature,
)

BODY = (
    b'{"event":"meeting.rtms_stopped","event_ts":1790000200000,"payload":{"meeting_uuid":"MU==",'
    b'"rtms_stream_id":"S1","stop_reason":6}}'
)
HEADER = "v0=7f65b53c7ccb9490f807cdc729ab03e80a116105b4008200f55afe5aeb1a041c"
TOKEN = Secret("tok")


def test_handshake_signature() -> None:
    assert (
        handshake_signature("cid", "MU==", "S1", Secret("csec"))
        == "761233933f0b393c0c7340179cf744e553aca40d41ccf5941f84770cd62c1fe8"
    )


def test_url_validation() -> None:
    assert (
        challenge_answer(TOKEN, "abc")
        == "6685cdc20d366e5335b55d65ca514a0515c98395dada3d158d19ba601af2acc2"
    )


def test_webhook_header() -> None:
    assert webhook_signature(TOKEN, "1790000200", BODY) == HEADER


def test_webhook_is_verified_over_raw_bytes() -> None:
    now = 1_790_000_200_000

    def found(
        body: bytes = BODY,
        header: str | None = HEADER,
        at: str | None = "1790000200",
        now_ms: int = now,
        token: Secret = TOKEN,
    ) -> Verdict:
        return verify_webhook(token, header, at, body, now_ms)

    assert found() is Verdict.VALID
    assert found(now_ms=now + 300_000) is Verdict.VALID
    assert found(now_ms=now - 300_000) is Verdict.VALID
    assert found(now_ms=now + 300_001) is Verdict.STALE
    assert found(now_ms=now - 300_001) is Verdict.STALE
    assert found(body=BODY + b"\n") is Verdict.FORGED
    assert found(header=HEADER[:-1] + "d") is Verdict.FORGED
    assert found(header=HEADER[:-1] + "\u00e9") is Verdict.FORGED
    assert found(header=None) is Verdict.MISSING
    assert found(at=None) is Verdict.MISSING
    assert found(at="soon") is Verdict.BAD_TIME
    assert found(at="-1") is Verdict.BAD_TIME
    assert found(token=Secret("")) is Verdict.FORGED
    # Milliseconds are read too, and signed as the text they came as.
    late = webhook_signature(TOKEN, "1790000200000", BODY)
    assert found(header=late, at="1790000200000") is Verdict.VALID
