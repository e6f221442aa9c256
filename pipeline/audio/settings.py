"""Settings of the audio chain. Each default has its figure beside it."""

from __future__ import annotations

from typing import Literal

import msgspec


class AudioSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How packets become segments. Raises ValueError for values that contradict one another."""

    vad_start: float = 0.5
    """Probability of speech that opens a segment."""
    vad_stop: float = 0.35
    """Probability below which silence counts; far-field meetings are quiet (reference speech 4)."""
    hangover_ms: int = 500
    """Silence that ends a segment: the 500 ms rule of the measured finals (reference speech 3).
    320 ms splits sentences and gains nothing (WER 9.8 against 9.9)."""
    pre_roll_ms: int = 384
    """Audio before the first speech window, for soft first consonants: WER of four synthetic voices
    12.6 % with 128 ms, 9.9 with 256, 9.7 with 384, 9.6 with 512 (bundled meeting, each voice)."""
    post_roll_ms: int = 192
    """Audio kept after the last speech window; WER is the same from 96 to 480 ms."""
    min_speech_ms: int = 128
    """Least sum of speech windows: a click is no segment, the shortest "yes" has about 200 ms."""
    max_segment_s: float = 12.0
    """Longest segment: moonshine takes 2.9 CPU-s for 20 s in one piece (reference speech 3)."""
    jitter_ms: int = 75
    """Largest deviation of a timestamp taken as jitter, and never more than 3/4 of a packet: one
    missing packet is always seen (packets of one stream have one length, reference 12.1)."""
    reorder_ms: int = 200
    """How long packets wait for one that is missing before them: two packets of 100 ms."""
    bridge_ms: int = 400
    """Longest hole filled with silence inside a segment; below ``hangover_ms``, so none is kept
    open by it. A longer one ends the segment and resets the VAD."""
    idle_ms: int = 1_000
    """Audio of others that arrives after a person's last packet before her segment ends: muted
    streams send nothing. Counted in arrived audio, so a replay at any speed cuts the same."""
    alone_ms: int = 2_000
    """The same when nobody sends, by the meeting's clock: longer, for there a stall of the network
    or of a fast replay looks like silence."""
    record: Literal["off", "flac", "opus"] = "off"
    """Keep everybody's audio: lossless, or Opus (about 1/8 of the size)."""
    record_mixed: bool = True
    """Beside the participants' files, one of all of them together."""
    spool_ms: int = 1_000
    """An open segment is made durable at least this often (audio time)."""
    memory_s: float = 600.0
    """Seconds of audio kept in memory while the disk refuses (19 MB); then the oldest is lost."""

    def __post_init__(self) -> None:
        if not 0.0 < self.vad_stop <= self.vad_start < 1.0:
            raise ValueError("0 < vad_stop <= vad_start < 1 must hold")
        if self.hangover_ms < 300:
            raise ValueError("hangover_ms must be at least 300")
        if not 0 <= self.post_roll_ms <= self.hangover_ms:
            raise ValueError("post_roll_ms must be between 0 and hangover_ms")
        if not 2.0 <= self.max_segment_s <= 30.0:
            raise ValueError("max_segment_s must be between 2 and 30")
        if not 0 <= self.bridge_ms < self.hangover_ms:
            raise ValueError("bridge_ms must be below hangover_ms")
        if min(self.pre_roll_ms, self.reorder_ms, self.jitter_ms) < 0:
            raise ValueError("pre_roll_ms, reorder_ms and jitter_ms must not be negative")
        if min(self.min_speech_ms, self.spool_ms) < 1:
            raise ValueError("min_speech_ms and spool_ms must be positive")
        if min(self.idle_ms, self.alone_ms) < max(self.reorder_ms, self.bridge_ms):
            raise ValueError("idle_ms and alone_ms must be at least reorder_ms and bridge_ms")
        if self.memory_s < self.max_segment_s:
            raise ValueError("memory_s must hold at least one segment (max_segment_s)")
