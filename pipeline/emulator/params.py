"""What a client may ask of its media, and what it then gets (reference section 7.1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.emulator.rules import Mode
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
MAX_FPS: Final = 30
H264_FPS: Final = 25
"""H264 without ``fps``: the documented default is below what H264 may have."""
_STILL_FPS: Final = {MediaType.VIDEO: 5, MediaType.DESKSHARE: 1}
_SCALES: Final = frozenset({"send_rate", "fps"})
"""Fields in tolerant mode clamped; others fall back to their default."""
_SHOWN: Final = 40
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
        "content_type": _field((3,), 3, _S.INVALID_MEDIA_VIDEO_CONTENT_TYPE),
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

_ONE_PACKET: Final = frozenset({20})
_ANY: Final = frozenset(range(20, MAX_SEND_RATE_MS + 1, 20))
_RAW: Final = frozenset({int(ContentType.RAW_AUDIO)})
_RAW_OR_RTP: Final = _RAW | {int(ContentType.RTP)}
_MONO: Final = frozenset({int(Channel.MONO)})
_BOTH: Final = frozenset(int(n) for n in Channel)


def _row(
    content: frozenset[int], rates: Any, channels: frozenset[int], every: frozenset[int]
) -> Any:
    return {
        "content_type": content,
        "sample_rate": frozenset(int(n) for n in rates),
        "channel": channels,
        "send_rate": every,
    }


_MATRIX: Final[Mapping[Codec, Mapping[str, frozenset[int]]]] = {
    Codec.L16: _row(_RAW, SampleRate, _BOTH, _ANY),
    Codec.G711: _row(_RAW_OR_RTP, (SampleRate.SR_8K,), _MONO, _ONE_PACKET),
    Codec.G722: _row(_RAW_OR_RTP, (SampleRate.SR_16K,), _MONO, _ONE_PACKET),
    Codec.OPUS: _row(_RAW_OR_RTP, (SampleRate.SR_48K,), _BOTH, _ONE_PACKET),
}
"""The allowed combinations of audio. No source shows what RTP looks like inside V1 JSON, so RTP is
accepted where the matrix has it and sent like raw audio. L16 has no RTP row; early samples ask for
it and get raw PCM, as tolerant mode gives."""

_BROKEN: Final[Mapping[MediaType, StatusCode]] = {
    MediaType.AUDIO: _S.INVALID_MEDIA_AUDIO_PARAMS,
    MediaType.VIDEO: _S.INVALID_MEDIA_VIDEO_PARAMS,
    MediaType.DESKSHARE: _S.INVALID_MEDIA_DESKSHARE_PARAMS,
    MediaType.TRANSCRIPT: _S.INVALID_MEDIA_TRANSCRIPT_PARAMS,
    MediaType.CHAT: _S.INVALID_MEDIA_CHAT_PARAMS,
}


def expand(media: MediaType) -> tuple[MediaType, ...]:
    """The single media of a bitmask; ALL means every one."""
    if media & MediaType.ALL:
        return EVERY_MEDIA
    return tuple(one for one in EVERY_MEDIA if one & media)


def effective(
    media: Iterable[MediaType],
    asked: object,
    *,
    mode: Mode = "strict",
    mixed_only: bool = False,
    recorded: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """The whole ``media_params`` of message 4 for these single media: what was asked, defaults
    filled in.

    ``asked``: message 3's ``media_params`` as it came, also None. ``mixed_only``: there are no
    voices apart, so ``data_opt`` falls back to mixed. ``recorded``: the parameters of the images
    there are; images are not coded anew, so what was asked falls back to these.

    Strict mode raises Refused with the status of the field that is wrong; tolerant mode gives the
    nearest allowed value. What is returned is what is given, so a client sees every fall-back by
    comparing.
    """
    strict = mode == "strict"
    if asked is None:
        asked = {}
    if not isinstance(asked, Mapping):
        if strict:
            raise Refused(_S.INVALID_MEDIA_PARAMS, "media_params is not an object")
        asked = {}
    found = {}
    for one in media:
        key = MEDIA_URL_KEY[one]
        fields = asked.get(key)
        if fields is None:
            fields = {}
        if not isinstance(fields, Mapping):
            if strict:
                raise Refused(_BROKEN[one], f"media_params.{key} is not an object")
            fields = {}
        found[key] = _filled(one, fields, strict)
        if one is MediaType.AUDIO and mixed_only:
            found[key]["data_opt"] = int(DataOption.AUDIO_MIXED_STREAM)
        elif one in _STILL_FPS and recorded is not None:
            found[key] |= _given(one, recorded.get(key))
    return found


def _filled(media: MediaType, asked: Mapping[str, Any], strict: bool) -> dict[str, Any]:
    asked = dict(asked)
    if media is MediaType.TRANSCRIPT and asked.get("src_language") is None:
        asked["src_language"] = asked.get("language")  # its older name
    if media is MediaType.AUDIO:
        rate = asked.get("send_rate")
        if type(rate) is int and rate > MAX_SEND_RATE_MS:
            asked["send_rate"] = MAX_SEND_RATE_MS
    got: dict[str, Any] = {}
    for name, field in _FIELDS[media].items():
        value = asked.get(name)
        if value is None:
            value = field.default
        if type(value) is not int or value not in field.allowed:
            if strict:
                where = f"{MEDIA_URL_KEY[media]}.{name}"
                allowed = _list(field.allowed)
                raise Refused(field.status, f"{where} {_shown(value)}: allowed are {allowed}")
            value = _nearest(value, field) if name in _SCALES else field.default
        got[name] = value
    if media is MediaType.AUDIO:
        _fit_audio(got, strict)
    elif media in _STILL_FPS:
        _fit_images(media, asked, got, strict)
    elif media is MediaType.TRANSCRIPT:
        lid = asked.get("enable_lid")
        if lid is not None and type(lid) is not bool:
            if strict:
                raise Refused(_BROKEN[media], "transcript.enable_lid is not true or false")
            lid = None
        got["enable_lid"] = True if lid is None else lid
    return got


def _fit_audio(got: dict[str, Any], strict: bool) -> None:
    """The matrix of section 7.1, as a whole. The codec decides, the rest follows it."""
    codec = Codec(got["codec"])
    needed = _MATRIX[codec]
    for name, allowed in needed.items():
        if got[name] in allowed:
            continue
        if strict:
            field = _FIELDS[MediaType.AUDIO][name]
            raise Refused(
                field.status,
                f"audio.{name} {got[name]} with {codec.name}: allowed are {_list(allowed)}",
            )
        got[name] = max(n for n in allowed if n <= got[name] or n == min(allowed))


def _fit_images(
    media: MediaType, asked: Mapping[str, Any], got: dict[str, Any], strict: bool
) -> None:
    """JPG and PNG come slowly, H264 faster. Without a codec Zoom falls back to slow JPG."""
    limit = _STILL_FPS[media]
    if got["codec"] == Codec.H264:
        if asked.get("fps") is None:
            got["fps"] = H264_FPS
        low, high = limit + 1, MAX_FPS
    else:
        low, high = 1, limit
        if asked.get("codec") is None:
            got["fps"] = min(got["fps"], limit)
    if strict and not low <= got["fps"] <= high:
        raise Refused(
            _FIELDS[media]["fps"].status,
            f"{MEDIA_URL_KEY[media]}.fps {got['fps']} with {Codec(got['codec']).name}:"
            f" allowed are {low} to {high}",
        )
    got["fps"] = min(max(got["fps"], low), high)


def _given(media: MediaType, recorded: object) -> dict[str, int]:
    """Of a tape's own parameters, those that say what its images are."""
    if not isinstance(recorded, Mapping):
        return {}
    found = {name: recorded.get(name) for name in ("codec", "resolution", "fps")}
    return {
        name: value
        for name, value in found.items()
        if type(value) is int and value in _FIELDS[media][name].allowed
    }


def _nearest(value: object, field: _Field) -> int:
    """The highest allowed value that is not above what was asked."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return field.default
    return max((n for n in field.allowed if n <= value), default=min(field.allowed))


def _list(values: Collection[int]) -> str:
    ordered = sorted(values)
    if len(ordered) > 6:
        return f"{ordered[0]}, {ordered[1]}, ... {ordered[-1]}"
    return ", ".join(map(str, ordered))


def _shown(value: object) -> str:
    """A client's value in a reason: short, whatever it is."""
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return "(not a number)"


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
