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
    hangover_ms: int = 600
    """Silence that ends a segment. It is part of every final's delay, and what is shorter splits
    sentences: natural WER 8.4 % with 500 ms, 6.9 with 600, 6.4 with 700, 6.7 with 800; whole clips
    5.9 (docs/transcription.md)."""
    pre_roll_ms: int = 512
    """Audio before the first speech window, for soft first consonants: natural WER 6.9 % with
    384 ms, 6.2 with 512."""
    post_roll_ms: int = 192
    """Audio kept after the last speech window; WER is the same from 96 to 480 ms."""
    min_speech_ms: int = 128
    """Least sum of speech windows: a click is no segment, the shortest "yes" has about 200 ms."""
    max_segment_s: float = 12.0
    """Longest segment: moonshine takes 2.9 CPU-s for 20 s in one piece (reference speech 3)."""
    long_s: float = 6.0
    """From this length on ``long_hangover_ms`` of silence are enough: a segment that runs into
    ``max_segment_s`` is told seconds after its first words. Natural WER is the same (5.9 %), and
    6.4 from 5 s on; without it the p95 of finals was 5.0 s."""
    long_hangover_ms: int = 320
    """Natural WER is the same with 256 and 320 ms."""
    jitter_ms: int = 75
    """Largest deviation of a timestamp taken as jitter, and never more than 3/4 of a packet: one
    missing packet is always seen (packets of one stream have one length, reference 12.1)."""
    reorder_ms: int = 200
    """How long packets wait for one that is missing before them: two packets of 100 ms."""
    reorder_most_ms: int = 800
    """How long they wait at most, once some came later than ``reorder_ms``; back to it by a quarter
    with each wait in vain. Below ``idle_ms``."""
    bridge_ms: int = 400
    """Longest hole filled with silence inside a segment; below ``hangover_ms``, so none is kept
    open by it. A longer one ends the segment and resets the VAD."""
    idle_ms: int = 1_000
    """Audio of others that arrives after a person's last packet before her segment ends: muted
    streams send nothing. Counted in arrived audio, so a replay at any speed cuts the same."""
    alone_ms: int = 1_000
    """The same when nobody sends, by the meeting's clock, after a pause of speech (Zoom sends
    nothing of who is silent)."""
    stall_ms: int = 4_000
    """The same in the midst of a word: nobody stops there, so the network stalls, or somebody muted
    within 100 ms of the last word."""
    outage_ms: int = 10_000
    """The same after a connection was lost: Zoom sends what it has kept once it is back."""
    gate_ms: int = 1_024
    """Silence after which the cheap gate alone listens, and audio from before its first maybe that
    the detector then hears: twice the hangover."""
    speaker_lag_ms: int = 2_500
    """Mixed audio: who speaks is told so long after they began, at most. Somebody else's words, of
    what is named in simulated meetings told 0.2-1.4 s and 0.2-2.5 s late: 1.8 and 8.7 % with 1.5 s,
    1.9 and 4.7 with 2 s, 2.0 and 2.8 with 2.5 s, 2.1 and 3.1 with 3 s."""
    speaker_wait_ms: int = 1_000
    """Mixed audio: so long, at most, a segment that is over waits for news of who spoke in it;
    not at all where news are usually told sooner. Wrong names when told 0.2-2.5 s late: 4.5 %
    without, 3.0 with 0.5 s, 2.8 with 1 s and with 1.5 s."""
    min_speaker_confidence: float = 0.85
    """Mixed audio: below it the speaker is unknown, which 6 % of speech is (told late: 17), and of
    the rest 2.0 % has a wrong name (2.8). At 0.7: 2 and 5 %, of the rest 2.3 and 4.3; at 0.95: 20
    and 42 %, 1.2 and 1.8 (docs/transcription.md)."""
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
        if not self.post_roll_ms <= self.long_hangover_ms <= self.hangover_ms:
            raise ValueError("post_roll_ms <= long_hangover_ms <= hangover_ms must hold")
        if not 1.0 <= self.long_s <= self.max_segment_s:
            raise ValueError("long_s must be between 1 and max_segment_s")
        if not 2.0 <= self.max_segment_s <= 30.0:
            raise ValueError("max_segment_s must be between 2 and 30")
        if not 0 <= self.bridge_ms < self.hangover_ms:
            raise ValueError("bridge_ms must be below hangover_ms")
        if min(self.pre_roll_ms, self.reorder_ms, self.jitter_ms, self.speaker_wait_ms) < 0:
            raise ValueError(
                "pre_roll_ms, reorder_ms, jitter_ms and speaker_wait_ms must not be negative"
            )
        if self.speaker_lag_ms < 100:
            raise ValueError("speaker_lag_ms must be at least 100")
        if self.reorder_most_ms < self.reorder_ms:
            raise ValueError("reorder_most_ms must be at least reorder_ms")
        if not self.alone_ms <= self.stall_ms <= self.outage_ms:
            raise ValueError("alone_ms <= stall_ms <= outage_ms must hold")
        if self.gate_ms < max(self.pre_roll_ms, self.hangover_ms):
            raise ValueError("gate_ms must be at least pre_roll_ms and hangover_ms")
        if not 0.5 <= self.min_speaker_confidence <= 1.0:
            raise ValueError("min_speaker_confidence must be between 0.5 and 1")
        if min(self.min_speech_ms, self.spool_ms) < 1:
            raise ValueError("min_speech_ms and spool_ms must be positive")
        if min(self.idle_ms, self.alone_ms) < max(self.reorder_most_ms, self.bridge_ms):
            raise ValueError("idle_ms and alone_ms must be at least reorder_most_ms and bridge_ms")
        if self.memory_s < self.max_segment_s:
            raise ValueError("memory_s must hold at least one segment (max_segment_s)")
