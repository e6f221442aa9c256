"""What a client may ask of its media, and what it then gets (reference section 7.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.rtms.enums import (
    EVERY_MEDIA,
    LANGUAGES,
    MEDIA_URL_KEY,
    NO_LANGUAGE,
    Channel,
    Codec,
    ContentType,
    DataOption,
    MediaType,
    Resolution,
    SampleRate,
    StatusCode,
)


class Refused(Exception):
    """A handshake that is answered with ``status`` and ``reason``, then closed."""

    def __init__(self, status: StatusCode, reason: str) -> None:
        super().__init__(f"{status.value} {status.name}: {reason}")
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class _Field:
    allowed: frozenset[int]
    default: int
    status: StatusCode


def _field(allowed: Any, default: int, status: StatusCode) -> _Field:
    return _Field(frozenset(int(n) for n in allowed), int(default), status)


MAX_SEND_RATE_MS: Final = 1000
_S = StatusCode

_FIELDS: Final[Mapping[MediaType, Mapping[str, _Field]]] = {
    MediaType.AUDIO: {
        "content_type": _field((1, 2), ContentType.RAW_AUDIO, _S.INVALID_MEDIA_AUDIO_CONTENT_TYPE),
        "sample_rate": _field(SampleRate, SampleRate.SR_16K, _S.INVALID_MEDIA_AUDIO_SAMPLE_RATE),
        "channel": _field(Channel, Channel.MONO, _S.INVALID_MEDIA_AUDIO_CHANNEL),
        "codec": _field((1, 2, 3, 4), Codec.L16, _S.INVALID_MEDIA_AUDIO_CODEC),
        "data_opt": _field((1, 2), DataOption.AUDIO_MIXED_STREAM, _S.INVALID_MEDIA_AUDIO_DATA_OPT),
        "send_rate": _field(
            range(20, MAX_SEND_RATE_MS + 1, 20), 20, _S.INVALID_MEDIA_AUDIO_SEND_RATE
        ),
    },
    MediaType.VIDEO: {
        "content_type": _field((1, 3), 3, _S.INVALID_MEDIA_VIDEO_CONTENT_TYPE),
        "codec": _field((5, 6, 7), Codec.JPG, _S.INVALID_MEDIA_VIDEO_CODEC),
        "resolution": _field(Resolution, Resolution.HD, _S.INVALID_MEDIA_VIDEO_RESOLUTION),
        "fps": _field(range(1, 31), 5, _S.INVALID_MEDIA_VIDEO_FPS),
        "data_opt": _field((3, 4), 3, _S.INVALID_MEDIA_VIDEO_DATA_OPT),
    },
    MediaType.DESKSHARE: {
        "content_type": _field((3,), 3, _S.INVALID_MEDIA_DESKSHARE_CONTENT_TYPE),
        "codec": _field((5, 6, 7), Codec.JPG, _S.INVALID_MEDIA_DESKSHARE_CODEC),
        "resolution": _field(Resolution, Resolution.FHD, _S.INVALID_MEDIA_DESKSHARE_RESOLUTION),
        "fps": _field(range(1, 31), 1, _S.INVALID_MEDIA_DESKSHARE_FPS),
    },
    MediaType.TRANSCRIPT: {
        "content_type": _field((5,), 5, _S.INVALID_MEDIA_TRANSCRIPT_CONTENT_TYPE),
        "src_language": _field(
            range(NO_LANGUAGE, len(LANGUAGES)), 9, _S.INVALID_MEDIA_TRANSCRIPT_SOURCE_LANGUAGE
        ),
    },
    MediaType.CHAT: {"content_type": _field((5,), 5, _S.INVALID_MEDIA_CHAT_CONTENT_TYPE)},
}

_BROKEN: Final[Mapping[MediaType, StatusCode]] = {
    MediaType.AUDIO: _S.INVALID_MEDIA_AUDIO_PARAMS,
    MediaType.VIDEO: _S.INVALID_MEDIA_VIDEO_PARAMS,
    MediaType.DESKSHARE: _S.INVALID_MEDIA_DESKSHARE_PARAMS,
    MediaType.TRANSCRIPT: _S.INVALID_MEDIA_TRANSCRIPT_PARAMS,
    MediaType.CHAT: _S.INVALID_MEDIA_CHAT_PARAMS,
}

_PLAYABLE: Final = frozenset({Codec.L16})


def expand(media: MediaType) -> tuple[MediaType, ...]:
    """The single media of a bitmask; ALL means every one."""
    if media & MediaType.ALL:
        return EVERY_MEDIA
    return tuple(one for one in EVERY_MEDIA if one & media)


def effective(media: MediaType, asked: object) -> dict[str, dict[str, Any]]:
    """The whole ``media_params`` of message 4: what was asked, defaults filled in.

    ``asked``: message 3's ``media_params`` as it came, also None. Raises Refused with the status
    of the field that is wrong.
    """
    if asked is None:
        asked = {}
    if not isinstance(asked, Mapping):
        raise Refused(_S.INVALID_MEDIA_PARAMS, "media_params is not an object")
    found = {}
    for one in expand(media):
        key = MEDIA_URL_KEY[one]
        fields = asked.get(key)
        if fields is None:
            fields = {}
        if not isinstance(fields, Mapping):
            raise Refused(_BROKEN[one], f"media_params.{key} is not an object")
        found[key] = _filled(one, fields)
    return found


def _filled(media: MediaType, asked: Mapping[str, Any]) -> dict[str, Any]:
    asked = dict(asked)
    if media is MediaType.TRANSCRIPT and "src_language" not in asked and "language" in asked:
        asked["src_language"] = asked["language"]  # the older name
    if media is MediaType.AUDIO:
        rate = asked.get("send_rate")
        if type(rate) is int and rate > MAX_SEND_RATE_MS:
            asked["send_rate"] = MAX_SEND_RATE_MS
    if media in (MediaType.VIDEO, MediaType.DESKSHARE) and asked.get("codec") is None:
        limit = 5 if media is MediaType.VIDEO else 1
        fps = asked.get("fps")
        if type(fps) is int and limit < fps <= 30:
            asked["fps"] = limit
    got: dict[str, Any] = {}
    for name, field in _FIELDS[media].items():
        value = asked.get(name)
        if value is None:
            value = field.default
        if type(value) is not int or value not in field.allowed:
            where = f"{MEDIA_URL_KEY[media]}.{name}"
            raise Refused(field.status, f"{where} {value!r}: allowed are {_list(field.allowed)}")
        got[name] = value
    if media is MediaType.AUDIO:
        _check_audio(got)
    if media is MediaType.TRANSCRIPT:
        lid = asked.get("enable_lid")
        if lid is not None and type(lid) is not bool:
            raise Refused(_BROKEN[media], "transcript.enable_lid is not true or false")
        got["enable_lid"] = True if lid is None else lid
    return got


def _check_audio(got: dict[str, Any]) -> None:
    """The matrix of section 7.1; RTP with L16 is taken for raw audio, as early samples send it."""
    codec = Codec(got["codec"])
    rate = SampleRate(got["sample_rate"])
    wanted: Mapping[Codec, tuple[SampleRate, int]] = {
        Codec.OPUS: (SampleRate.SR_48K, 2),
        Codec.G711: (SampleRate.SR_8K, 1),
        Codec.G722: (SampleRate.SR_16K, 1),
    }
    if codec is Codec.L16:
        got["content_type"] = int(ContentType.RAW_AUDIO)
    else:
        needed, channels = wanted[codec]
        if rate is not needed:
            raise Refused(
                _S.INVALID_MEDIA_AUDIO_SAMPLE_RATE, f"{codec.name} needs {needed.hertz} Hz"
            )
        if got["channel"] > channels:
            raise Refused(_S.INVALID_MEDIA_AUDIO_CHANNEL, f"{codec.name} is mono")
        if got["send_rate"] != 20:
            raise Refused(_S.INVALID_MEDIA_AUDIO_SEND_RATE, f"{codec.name} needs send_rate 20")
    if codec not in _PLAYABLE:
        raise Refused(
            _S.INVALID_MEDIA_AUDIO_CODEC, f"this fake Zoom sends L16 only, not {codec.name}"
        )


def _list(values: frozenset[int]) -> str:
    ordered = sorted(values)
    if len(ordered) > 6:
        return f"{ordered[0]}, {ordered[1]}, ... {ordered[-1]}"
    return ", ".join(map(str, ordered))


def bits(media: MediaType) -> MediaType:
    """A bitmask as single media's bits: ALL becomes the five."""
    found = MediaType.NONE
    for one in expand(media):
        found |= one
    return found


def overlap(one: MediaType, other: MediaType) -> bool:
    """Whether two bitmasks have a media in common."""
    return bool(bits(one) & bits(other))


def shown(media: MediaType) -> str:
    """``all``, ``audio`` or ``audio+transcript``."""
    if media & MediaType.ALL:
        return MEDIA_URL_KEY[MediaType.ALL]
    return "+".join(MEDIA_URL_KEY[one] for one in expand(media))
