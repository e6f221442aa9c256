"""``media_params``: what a client asks for and a server echoes (reference section 7.1)."""

from __future__ import annotations

from typing import Final

import msgspec


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class AudioParams(_Part, frozen=True, kw_only=True):
    """``media_params.audio``; numbers as in enums. ``send_rate`` in milliseconds."""

    content_type: int | None = None
    sample_rate: int | None = None
    channel: int | None = None
    codec: int | None = None
    data_opt: int | None = None
    send_rate: int | None = None


class VideoParams(_Part, frozen=True, kw_only=True):
    """``media_params.video`` and ``.deskshare``."""

    content_type: int | None = None
    codec: int | None = None
    resolution: int | None = None
    fps: int | None = None
    data_opt: int | None = None


class TranscriptParams(_Part, frozen=True, kw_only=True):
    """``media_params.transcript``. ``language``: the older name of ``src_language``."""

    content_type: int | None = None
    src_language: int | None = None
    enable_lid: bool | None = None
    language: int | None = None


class ChatParams(_Part, frozen=True, kw_only=True):
    """``media_params.chat``."""

    content_type: int | None = None


class MediaParams(_Part, frozen=True, kw_only=True):
    """``media_params`` of messages 3 and 4."""

    audio: AudioParams | None = None
    video: VideoParams | None = None
    deskshare: VideoParams | None = None
    transcript: TranscriptParams | None = None
    chat: ChatParams | None = None


AUDIO_DEFAULTS: Final = AudioParams(
    content_type=2, sample_rate=1, channel=1, codec=1, data_opt=1, send_rate=20
)
"""What a server takes where a client names nothing."""
VIDEO_DEFAULTS: Final = VideoParams(content_type=3, codec=5, resolution=2, fps=5, data_opt=3)
SHARE_DEFAULTS: Final = VideoParams(content_type=3, codec=5, resolution=3, fps=1)
TRANSCRIPT_DEFAULTS: Final = TranscriptParams(content_type=5, src_language=9, enable_lid=True)
CHAT_DEFAULTS: Final = ChatParams(content_type=5)
