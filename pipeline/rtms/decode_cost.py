"""What receiving one audio message costs, beside json and base64 of the standard library.

For ``rtms-notes bench``: both sides in one run, so that the ratio holds on any machine.
"""

from __future__ import annotations

import base64
import json
import timeit
from collections.abc import Callable

import msgspec

from pipeline.rtms.media import Media
from pipeline.rtms.messages import (
    AudioData,
    MediaContent,
    MediaRequest,
    MediaResponse,
    decode,
    encode,
)
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.standing import Standing
from pipeline.rtms.timing import Timing

_BYTES_PER_MS = 32  # 16 kHz mono, 16 bit
_START_MS = 1_790_000_000_000


class DecodeCost(msgspec.Struct, frozen=True, kw_only=True):
    """Microseconds a message, the best of several runs: our decoder alone, our whole receiving
    machine up to the output, and json + base64."""

    decode_us: float
    receive_us: float
    stdlib_us: float

    @property
    def ratio(self) -> float:
        """How many times faster our decoder is than json + base64."""
        return self.stdlib_us / self.decode_us


def decode_cost(packet_ms: int = 20, *, messages: int = 5_000, runs: int = 5) -> DecodeCost:
    """Measure with audio messages of ``packet_ms`` at 16 kHz mono."""
    pcm = bytes(n % 251 for n in range(packet_ms * _BYTES_PER_MS))
    content = MediaContent(
        data=pcm, user_id=16778240, user_name="Ada", length=len(pcm), timestamp=_START_MS
    )
    frame = encode(AudioData(content=content))
    machine = Media(
        "audio",
        MediaRequest(media_type=1),
        start_ms=_START_MS,
        standing=Standing(),
        now=0.0,
        timing=Timing.of(RtmsSettings()),
    )
    machine.receive(
        encode(
            MediaResponse(
                protocol_version=1,
                sequence=0,
                status_code=0,
                reason="",
                payload_encrypted=False,
                media_params=None,
            )
        ),
        0.0,
    )

    def stdlib() -> bytes:
        return base64.b64decode(json.loads(frame)["content"]["data"])

    def best(work: Callable[[], object]) -> float:
        return min(timeit.repeat(work, number=messages, repeat=runs)) / messages * 1e6

    return DecodeCost(
        decode_us=best(lambda: decode(frame)),
        receive_us=best(lambda: machine.receive(frame, 0.0)),
        stdlib_us=best(stdlib),
    )
