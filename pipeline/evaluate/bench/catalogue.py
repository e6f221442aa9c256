"""Which benches there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.base.errors import BadInput
from pipeline.evaluate.bench import audio, command, emulate, message, page, receive, speech
from pipeline.evaluate.bench.figure import Bench

BENCHES: Final[Mapping[str, Bench]] = {
    "decode": message.decoding,
    "hand_over": message.hand_over,
    "receive": receive.beside_raw,
    "receive_sdk": receive.beside_sdk,
    "emulate": emulate.driving,
    "transcript_to_page": page.transcript_to_page,
    "audio_chain": audio.chain,
    "mixed_speakers": audio.mixed_speakers,
    "speech_one": speech.one_voice,
    "speech_two": speech.two_voices,
    "speech_beside_native": speech.beside_native,
    "help": command.help_text,
}
"""By name, in the order they run. ``receive_sdk`` and ``speech_...`` give several figures."""


def select(names: Sequence[str]) -> list[str]:
    """The benches wanted; all without names. Raises BadInput for one that does not exist."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise BadInput(f"no bench {unknown[0]!r}; there are {', '.join(BENCHES)}")
    return list(dict.fromkeys(names)) or list(BENCHES)
