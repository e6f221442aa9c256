"""What media will be like: what was asked for against what Zoom echoed (reference section 7)."""

from __future__ import annotations

from typing import Final

import msgspec

from pipeline.rtms.enums import (
    Channel,
    Codec,
    ContentType,
    DataOption,
    Resolution,
    SampleRate,
    is_known,
)
from pipeline.rtms.outputs import AudioFormat, ImageFormat, ImageMedia
from pipeline.rtms.params import (
    AUDIO_DEFAULTS,
    SHARE_DEFAULTS,
    VIDEO_DEFAULTS,
    AudioParams,
    ChatParams,
    MediaParams,
    TranscriptParams,
    VideoParams,
)

Params = AudioParams | VideoParams | TranscriptParams | ChatParams

_NAMES: Final = {
    "content_type": ContentType,
    "codec": Codec,
    "sample_rate": SampleRate,
    "channel": Channel,
    "resolution": Resolution,
    "data_opt": DataOption,
}


def differences(asked: MediaParams, given: MediaParams) -> list[tuple[str, str]]:
    """What Zoom gives instead of what was asked for, as (reason, detail): ``mixed_audio`` or
    ``params_changed``. A field that is not echoed counts as given."""
    found: list[tuple[str, str]] = []
    for media in MediaParams.__struct_fields__:
        want, got = getattr(asked, media), getattr(given, media)
        if want is not None and got is not None:
            found += _different(media, want, got)
    return found


def _different(media: str, asked: Params, given: Params) -> list[tuple[str, str]]:
    if isinstance(given, TranscriptParams) and given.src_language is None:
        given = msgspec.structs.replace(given, src_language=given.language)
    found = []
    for field in asked.__struct_fields__:
        want, got = getattr(asked, field), getattr(given, field)
        if want is None or got is None or want == got:
            continue
        if media == "audio" and field == "data_opt" and got == DataOption.AUDIO_MIXED_STREAM:
            found.append(
                ("mixed_audio", "asked for a stream per participant, got mixed audio: no speakers")
            )
        else:
            detail = f"{media} {field}: asked for {_word(field, want)}, got {_word(field, got)}"
            found.append(("params_changed", detail))
    return found


def audio_format(asked: AudioParams, given: AudioParams | None) -> AudioFormat:
    """The format audio will have: what was echoed, else asked for, else the default."""
    codec = _effective("codec", given, asked, AUDIO_DEFAULTS)
    rate = _effective("sample_rate", given, asked, AUDIO_DEFAULTS)
    every_ms = _effective("send_rate", given, asked, AUDIO_DEFAULTS)
    if not 0 < every_ms <= 60_000:
        every_ms = _effective("send_rate", None, asked, AUDIO_DEFAULTS)
    option = _effective("data_opt", given, asked, AUDIO_DEFAULTS)
    return AudioFormat(
        codec=_named(Codec, codec, "codec"),
        sample_rate=SampleRate(rate).hertz if is_known(SampleRate, rate) else 16_000,
        channels=2 if _effective("channel", given, asked, AUDIO_DEFAULTS) == Channel.STEREO else 1,
        multi_stream=option == DataOption.AUDIO_MULTI_STREAMS,
        send_rate_ms=every_ms,
    )


def is_rtp(asked: AudioParams, given: AudioParams | None) -> bool:
    """Whether audio comes as RTP packets; L16 never does, whatever is echoed (section 7.1)."""
    content = _effective("content_type", given, asked, AUDIO_DEFAULTS)
    codec = _effective("codec", given, asked, AUDIO_DEFAULTS)
    return content == ContentType.RTP and codec != Codec.L16


def image_format(media: ImageMedia, asked: VideoParams, given: VideoParams | None) -> ImageFormat:
    """The format images will have: what was echoed, else asked for, else the default."""
    usual = VIDEO_DEFAULTS if media == "video" else SHARE_DEFAULTS
    fps = _effective("fps", given, asked, usual)
    if not 0 < fps <= 1000:
        fps = _effective("fps", None, asked, usual)
    individual = DataOption.VIDEO_SINGLE_INDIVIDUAL_STREAM
    return ImageFormat(
        media=media,
        codec=_named(Codec, _effective("codec", given, asked, usual), "codec"),
        resolution=_named(Resolution, _effective("resolution", given, asked, usual), "resolution"),
        fps=fps,
        individual=media == "video"
        and _effective("data_opt", given, asked, VIDEO_DEFAULTS) == individual,
    )


def _effective(field: str, *params: Params | None) -> int:
    for one in params:
        value = getattr(one, field, None)
        if isinstance(value, int):
            return value
    raise AssertionError(field)


def _named(kind: type[Codec] | type[Resolution], number: int, word: str) -> str:
    return kind(number).name if is_known(kind, number) else f"{word} {str(number)[:20]}"


def _word(field: str, value: object) -> str:
    kind = _NAMES.get(field)
    if kind is not None and isinstance(value, int) and is_known(kind, value):
        return kind(value).name
    return str(value)[:40]
