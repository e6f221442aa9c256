"""The first message of each connection (reference sections 3, 5.1, 7.1)."""

from __future__ import annotations

from pipeline.rtms.credentials import Credentials
from pipeline.rtms.enums import (
    Channel,
    Codec,
    ContentType,
    DataOption,
    MediaType,
    Resolution,
    SampleRate,
    language_code,
)
from pipeline.rtms.layout import single
from pipeline.rtms.messages import MediaRequest, SignalingRequest
from pipeline.rtms.params import (
    CHAT_DEFAULTS,
    CONTENT_TYPES,
    AudioParams,
    MediaParams,
    TranscriptParams,
    VideoParams,
    check_audio_params,
)
from pipeline.rtms.products import PRODUCTS, Announcement
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.signature import handshake_signature


class Greeting:
    """Signs the handshakes of one stream; ids never change, not even in a failover."""

    def __init__(
        self, announcement: Announcement, credentials: Credentials, settings: RtmsSettings
    ) -> None:
        self._settings = settings
        self._sequence = 0
        key = announcement.id_key or PRODUCTS[announcement.product].id_keys[0]
        self._ids = {key: announcement.zoom_id}
        self._stream = announcement.stream
        self._signature = handshake_signature(
            credentials.client_id,
            announcement.zoom_id,
            announcement.stream,
            credentials.client_secret,
        )

    def signaling(self) -> SignalingRequest:
        """Message 1."""
        return SignalingRequest(
            protocol_version=1,
            sequence=self._next(),
            rtms_stream_id=self._stream,
            signature=self._signature,
            buffer_data=None if self._settings.buffer_data else False,
            **self._ids,
        )

    def media(self, media: MediaType) -> MediaRequest:
        """Message 3 for these media types, with what we want of each."""
        return MediaRequest(
            protocol_version=1,
            sequence=self._next(),
            rtms_stream_id=self._stream,
            signature=self._signature,
            media_type=int(media),
            payload_encryption=False,
            media_params=wanted_params(media, self._settings),
            **self._ids,
        )

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence


def wanted_params(media: MediaType, settings: RtmsSettings) -> MediaParams:
    """What the settings ask for, of the media in the mask. Everything the settings say is named,
    so that what Zoom echoes can be compared with it."""
    types = single(media)
    return MediaParams(
        audio=_audio(settings) if MediaType.AUDIO in types else None,
        video=_video(settings) if MediaType.VIDEO in types else None,
        deskshare=_share(settings) if MediaType.DESKSHARE in types else None,
        transcript=_transcript(settings) if MediaType.TRANSCRIPT in types else None,
        chat=CHAT_DEFAULTS if MediaType.CHAT in types else None,
    )


def _audio(settings: RtmsSettings) -> AudioParams:
    wanted = AudioParams(
        content_type=CONTENT_TYPES[settings.content_type],
        sample_rate=SampleRate[f"SR_{settings.sample_rate // 1000}K"],
        channel=Channel(settings.channels),
        codec=Codec[settings.codec],
        data_opt=DataOption.AUDIO_MIXED_STREAM
        if settings.mixed
        else DataOption.AUDIO_MULTI_STREAMS,
        send_rate=settings.audio_every_ms,
    )
    check_audio_params(wanted)
    return wanted


def _video(settings: RtmsSettings) -> VideoParams:
    return VideoParams(
        content_type=ContentType.RAW_VIDEO,
        codec=Codec[settings.video_codec],
        resolution=Resolution[settings.video_resolution],
        fps=settings.video_rate,
        data_opt=DataOption.VIDEO_SINGLE_INDIVIDUAL_STREAM
        if settings.video == "individual"
        else DataOption.VIDEO_SINGLE_ACTIVE_STREAM,
    )


def _share(settings: RtmsSettings) -> VideoParams:
    return VideoParams(
        content_type=ContentType.RAW_VIDEO,
        codec=Codec[settings.share_codec],
        resolution=Resolution[settings.share_resolution],
        fps=settings.share_rate,
    )


def _transcript(settings: RtmsSettings) -> TranscriptParams:
    return TranscriptParams(
        content_type=ContentType.TEXT,
        src_language=language_code(settings.language) if settings.language else None,
        enable_lid=settings.detect_language,
    )
