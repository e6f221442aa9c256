"""Which benches there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.base.errors import BadInput
from pipeline.evaluate.bench import audio, command, emulate, message, page, receive
from pipeline.evaluate.bench.figure import Bench

BENCHES: Final[Mapping[str, Bench]] = {
    "decode": message.decoding,
    "hand_over": message.hand_over,
    "receive": receive.beside_raw,
    "receive_sdk": receive.beside_sdk,
    "emulate": emulate.driving,
    "transcript_to_page": page.transcript_to_page,
    "audio_chain": audio.chain,
    "help": command.help_text,
}
"""By name, in the order they run. ``receive_sdk`` gives two figures."""


def select(names: Sequence[str]) -> list[str]:
    """The benches wanted; all without names. Raises BadInput for one that does not exist."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise BadInput(f"no bench {unknown[0]!r}; there are {', '.join(BENCHES)}")
    return list(dict.fromkeys(names)) or list(BENCHES)
