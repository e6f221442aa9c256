"""``media_params``: what a client asks for and a server echoes (reference section 7.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pipeline.rtms.enums import Codec, ContentType, SampleRate, is_known


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


# -- what may be combined (section 7.1) ----------------------------------------------------


class AudioRow(msgspec.Struct, frozen=True):
    """One line of Zoom's matrix of audio. ``rates`` in Hz, ``intervals`` in milliseconds."""

    content: str
    codec: str
    rates: tuple[int, ...]
    channels: tuple[int, ...]
    intervals: tuple[int, ...]


PACKET_MS: Final = 20
"""The only interval of every codec but L16."""

AUDIO_INTERVALS: Final = tuple(range(20, 1001, 20))

AUDIO_MATRIX: Final = (
    AudioRow("rtp", "OPUS", (48_000,), (1, 2), (PACKET_MS,)),
    AudioRow("rtp", "G711", (8_000,), (1,), (PACKET_MS,)),
    AudioRow("rtp", "G722", (16_000,), (1,), (PACKET_MS,)),
    AudioRow("raw", "L16", (8_000, 16_000, 32_000, 48_000), (1, 2), AUDIO_INTERVALS),
    AudioRow("raw", "OPUS", (48_000,), (1, 2), (PACKET_MS,)),
    AudioRow("raw", "G711", (8_000,), (1,), (PACKET_MS,)),
    AudioRow("raw", "G722", (16_000,), (1,), (PACKET_MS,)),
)
"""Every allowed combination; Zoom validates it as a whole."""

CONTENT_TYPES: Final = {"raw": ContentType.RAW_AUDIO, "rtp": ContentType.RTP}
IMAGE_CODECS: Final = ("JPG", "PNG", "H264")
RESOLUTIONS: Final = ("SD", "HD", "FHD", "QHD")
STILL_FPS: Final = {"video": 5, "deskshare": 1}
"""JPG and PNG come at most so often a second; H264 only above it."""
MAX_FPS: Final = 30


def check_audio(
    codec: str, sample_rate: int, channels: int, send_rate_ms: int, content_type: str = "raw"
) -> None:
    """Raises ValueError naming the allowed values where Zoom has no such combination."""
    if content_type not in CONTENT_TYPES:
        raise ValueError(_not("content_type", content_type, CONTENT_TYPES))
    codecs = tuple(dict.fromkeys(row.codec for row in AUDIO_MATRIX))
    if codec not in codecs:
        raise ValueError(_not("codec", codec, codecs))
    rows = [row for row in AUDIO_MATRIX if row.content == content_type]
    row = next((row for row in rows if row.codec == codec), None)
    if row is None:
        allowed = ", ".join(row.codec for row in rows)
        raise ValueError(f"content_type {content_type} takes the codecs {allowed}, not {codec}")
    for name, value, values in (
        ("sample_rate", sample_rate, row.rates),
        ("channels", channels, row.channels),
        ("send_rate_ms", send_rate_ms, row.intervals),
    ):
        if isinstance(value, bool) or value not in values:
            raise ValueError(f"with codec {codec}, {_not(name, value, values)}")


def check_audio_params(params: AudioParams) -> None:
    """The same for numbers of the wire; a field that is not named has its default."""
    full = {
        field: getattr(AUDIO_DEFAULTS, field) if value is None else value
        for field, value in msgspec.structs.asdict(params).items()
    }
    contents = {int(number): name for name, number in CONTENT_TYPES.items()}
    content, codec, rate = full["content_type"], full["codec"], full["sample_rate"]
    if content not in contents:
        raise ValueError(_not("content_type", content, contents))
    if not is_known(SampleRate, rate):
        raise ValueError(_not("sample_rate", rate, tuple(map(int, SampleRate))))
    if full["data_opt"] not in (1, 2):
        raise ValueError(_not("data_opt", full["data_opt"], (1, 2)))
    check_audio(
        Codec(codec).name if is_known(Codec, codec) else str(codec),
        SampleRate(rate).hertz,
        full["channel"],
        full["send_rate"],
        contents[content],
    )


def send_rate(codec: str, wanted_ms: int, usual_ms: int) -> int:
    """The interval to ask for: codecs other than L16 know one only, so the usual setting, which is
    meant for L16, gives way to it; any other wish is left to ``check_audio``."""
    return PACKET_MS if codec != "L16" and wanted_ms == usual_ms else wanted_ms


def check_images(media: str, codec: str, resolution: str, fps: int) -> None:
    """``media``: ``video`` or ``deskshare``. Raises ValueError naming the allowed values."""
    word = "share" if media == "deskshare" else media
    if codec not in IMAGE_CODECS:
        raise ValueError(_not(f"{word}_codec", codec, IMAGE_CODECS))
    if resolution not in RESOLUTIONS:
        raise ValueError(_not(f"{word}_resolution", resolution, RESOLUTIONS))
    still = STILL_FPS[media]
    low, high = (still + 1, MAX_FPS) if codec == "H264" else (1, still)
    if isinstance(fps, bool) or not low <= fps <= high:
        allowed = f"{low} to {high}" if low < high else f"{low}"
        raise ValueError(f"with {word}_codec {codec}, {word}_fps must be {allowed}, not {fps}")


def frame_rate(codec: str, wanted: int, usual: int, moving: int) -> int:
    """The frames a second to ask for: H264 comes only faster than single images, so the usual
    setting, which is meant for those, gives way to ``moving``."""
    return moving if codec == "H264" and wanted == usual else wanted


def _not(name: str, value: object, allowed: Iterable[object]) -> str:
    values = list(allowed)
    if values == list(AUDIO_INTERVALS):
        return f"{name} must be 20..1000 in steps of 20, not {value}"
    return f"{name} must be {_either(values)}, not {value}"


def _either(values: list[object]) -> str:
    if len(values) < 2:
        return str(values[0])
    return f"{', '.join(map(str, values[:-1]))} or {values[-1]}"
