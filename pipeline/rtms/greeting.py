"""The first message of each connection (reference sections 3, 5.1, 7.1)."""

from __future__ import annotations

from pipeline.rtms.credentials import Credentials
from pipeline.rtms.enums import (
    Channel,
    Codec,
    ContentType,
    DataOption,
    MediaType,
    SampleRate,
    language_code,
)
from pipeline.rtms.layout import single
from pipeline.rtms.messages import MediaRequest, SignalingRequest
from pipeline.rtms.params import (
    CHAT_DEFAULTS,
    SHARE_DEFAULTS,
    VIDEO_DEFAULTS,
    AudioParams,
    MediaParams,
    TranscriptParams,
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
        self._ids = {PRODUCTS[announcement.product].id_keys[0]: announcement.zoom_id}
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
    """L16, 16 kHz, mono, a stream per participant; transcript in the language of the settings."""
    types = single(media)
    return MediaParams(
        audio=AudioParams(
            content_type=ContentType.RAW_AUDIO,
            sample_rate=SampleRate.SR_16K,
            channel=Channel.MONO,
            codec=Codec.L16,
            data_opt=DataOption.AUDIO_MULTI_STREAMS,
            send_rate=settings.send_rate_ms,
        )
        if MediaType.AUDIO in types
        else None,
        video=VIDEO_DEFAULTS if MediaType.VIDEO in types else None,
        deskshare=SHARE_DEFAULTS if MediaType.DESKSHARE in types else None,
        transcript=TranscriptParams(
            content_type=ContentType.TEXT,
            src_language=language_code(settings.language) if settings.language else None,
            enable_lid=settings.detect_language,
        )
        if MediaType.TRANSCRIPT in types
        else None,
        chat=CHAT_DEFAULTS if MediaType.CHAT in types else None,
    )
