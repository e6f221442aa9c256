"""What a meeting keeps of pictures, and within which bounds."""

from __future__ import annotations

import msgspec


class MeetingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Video and screen share. Nothing is kept of what was not asked of Zoom.

    Raises ValueError for values that contradict one another.
    """

    save_video: bool = False
    """Save participants' video: Matroska files (H264) or single frames (JPG, PNG)."""
    save_share: bool = False
    """Save the shared screen in the same way, beside its keyframes."""
    keyframes: bool = True
    """Keep one picture of each shared screen; only where screen share is received at all."""
    keyframe_every_s: float = 4.0
    """Keyframes are at least so far apart (meeting time): a slide shown for less is leafing."""
    keyframe_change: float = 0.03
    """Share of the picture (of 64 x 36 cells) that must look different for another keyframe: a
    clock, a caret or one more line of text (1.3 %) is no change, another slide (16 %) is."""
    max_image_mb: int = 16
    """Larger images are not looked at: an FHD PNG has at most about 6 MB."""
    max_pixels: int = 2560 * 1600
    """Larger images are not decoded: QHD is the largest Zoom sends (reference section 12.2)."""
    max_keyframes: int = 2_000
    """Of one meeting; 2.2 hours at one every 4 s. Beyond, pictures are no longer kept."""
    max_saved_gb: float = 50.0
    """Saved video and share of one meeting on the disk; beyond, saving ends and says so."""

    def __post_init__(self) -> None:
        if not 0.5 <= self.keyframe_every_s <= 3_600:
            raise ValueError("keyframe_every_s must be between 0.5 and 3600")
        if not 0.0 < self.keyframe_change <= 1.0:
            raise ValueError("keyframe_change must be above 0 and at most 1")
        if not 1 <= self.max_image_mb <= 64:
            raise ValueError("max_image_mb must be between 1 and 64")
        if min(self.max_pixels, self.max_keyframes) < 1 or self.max_saved_gb <= 0:
            raise ValueError("max_pixels, max_keyframes and max_saved_gb must be positive")
