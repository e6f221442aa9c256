"""Settings of the connection to Zoom."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from pipeline.rtms.enums import language_code
from pipeline.rtms.params import check_audio, check_images, frame_rate, send_rate

USUAL_SEND_RATE_MS: Final = 100
USUAL_VIDEO_FPS: Final = 5
USUAL_SHARE_FPS: Final = 1
H264_VIDEO_FPS: Final = 25
H264_SHARE_FPS: Final = 5


class RtmsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How streams are received. Seconds are Zoom's time; replays at N times speed divide them.

    Raises ValueError for values outside Zoom's table (reference section 7.1).
    """

    allowed_domains: tuple[str, ...] = ("zoom.us",)  # hosts that may be connected to
    allow_loopback: bool = False  # also ws:// and wss:// to this machine, for the fake Zoom
    ca_file: str = ""  # more certificate authorities (PEM); verification is never off
    layout: Literal["all", "split"] = "all"  # one media socket, or one for each type
    codec: Literal["L16", "G711", "G722", "OPUS"] = "L16"  # of audio
    sample_rate: Literal[8000, 16000, 32000, 48000] = 16000  # L16 any, OPUS 48000, G711 8000
    channels: Literal[1, 2] = 1  # 2 with L16 and OPUS
    mixed: bool = False  # one stream of everybody: no speakers
    content_type: Literal["raw", "rtp"] = "raw"  # rtp not with L16
    send_rate_ms: int = USUAL_SEND_RATE_MS  # L16: 20..1000 in steps of 20; other codecs have 20
    video: Literal["active", "individual"] = "active"  # whose camera: who speaks, or `follow`
    video_codec: Literal["JPG", "PNG", "H264"] = "JPG"
    video_resolution: Literal["SD", "HD", "FHD", "QHD"] = "HD"
    video_fps: int = USUAL_VIDEO_FPS  # JPG, PNG: 1..5; H264: 6..30, and 25 if this is left at 5
    share_codec: Literal["JPG", "PNG", "H264"] = "JPG"
    share_resolution: Literal["SD", "HD", "FHD", "QHD"] = "FHD"
    share_fps: int = USUAL_SHARE_FPS  # JPG, PNG: 1; H264: 2..30, and 5 if this is left at 1
    follow: str = "speaker"  # individual video of: "speaker", a user id, or an exact display name
    language: str = ""  # BCP-47 tag of Zoom's transcript; empty: Zoom's default
    detect_language: bool = True  # Zoom may switch the transcript's language after 30 s
    buffer_data: bool = True  # ask for what was said before we connected (up to 60 s)
    on_shutdown: Literal["keep", "close"] = "keep"  # Zoom keeps the stream for us, or ends it
    connect_timeout_s: float = 10.0  # look-up; TCP, TLS and upgrade of each address; never scaled
    handshake_timeout_s: float = 10.0  # from our first message to Zoom's answer; never scaled
    close_timeout_s: float = 1.0  # for the peer's close frame; never scaled
    drain_s: float = 1.0  # media still under way after the end of a stream; never scaled
    keepalive_timeout_s: float = 65.0  # silence after which a connection counts as lost
    signaling_window_s: float = 60.0  # Zoom waits so long for a lost signaling connection
    media_window_s: float = 65.0  # and so long for a lost media connection
    trigger_wait_s: float = 3.0  # for Zoom's own word after a socket closed without one
    max_message_bytes: int = 0  # a longer one ends its connection; 0: 4 MiB, where PNG is asked 32

    def __post_init__(self) -> None:
        if self.layout not in ("all", "split"):
            raise ValueError(f"layout must be all or split, not {self.layout}")
        check_audio(
            self.codec, self.sample_rate, self.channels, self.audio_every_ms, self.content_type
        )
        if self.video not in ("active", "individual"):
            raise ValueError(f"video must be active or individual, not {self.video}")
        if self.on_shutdown not in ("keep", "close"):
            raise ValueError(f"on_shutdown must be keep or close, not {self.on_shutdown}")
        check_images("video", self.video_codec, self.video_resolution, self.video_rate)
        check_images("deskshare", self.share_codec, self.share_resolution, self.share_rate)
        if not self.follow.strip():
            raise ValueError('follow must be "speaker", a user id or an exact display name')
        if self.language:
            language_code(self.language)
        if self.max_message_bytes and not self.max_message_bytes >= 64 * 1024:
            raise ValueError("max_message_bytes must be 0 or at least 65536")
        for name in ("keepalive_timeout_s", "signaling_window_s", "media_window_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")

    @property
    def message_limit(self) -> int:
        """Bytes a message may have. A QHD photo as PNG has 20 MB in base64."""
        usual = 32 << 20 if "PNG" in (self.video_codec, self.share_codec) else 4 << 20
        return self.max_message_bytes or usual

    @property
    def audio_every_ms(self) -> int:
        """The interval that is asked for: ``send_rate_ms``, but 20 for codecs that know no other
        unless something else was set (which is then refused)."""
        return send_rate(self.codec, self.send_rate_ms, USUAL_SEND_RATE_MS)

    @property
    def video_rate(self) -> int:
        """The frames a second of video that are asked for."""
        return frame_rate(self.video_codec, self.video_fps, USUAL_VIDEO_FPS, H264_VIDEO_FPS)

    @property
    def share_rate(self) -> int:
        """The frames a second of screen share that are asked for."""
        return frame_rate(self.share_codec, self.share_fps, USUAL_SHARE_FPS, H264_SHARE_FPS)
