"""Which status codes the fake Zoom gives, and for what (reference section 13).

The answers are messages 2 (signaling handshake), 4 (media handshake), 11, 20, 22 and 29. Every
cause here has a case in ``tests/unit/test_emulator_statuses.py``. A fault script can make it answer
a handshake with any status at all (``Stream.deny``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.rtms.enums import StatusCode as _S

GIVEN: Final[Mapping[_S, str]] = {
    _S.OK: "accepted",
    _S.INVALID_MESSAGE_TYPE: "2, 4: the first message on a socket is not its handshake (no JSON"
    " object either), or a handshake of the other kind of socket",
    _S.INVALID_RTMS_STREAM_ID: "2, 4: unknown id or stream, stream over, media before signaling;"
    " 20, 22: another stream's id",
    _S.INVALID_SIGNATURE: "2, 4: the HMAC does not fit",
    _S.INVALID_PAYLOAD: "2, 4: a field is missing or of the wrong type, protocol_version is not 1;"
    " 22: no stream id; 29: no such participant, ill-typed fields",
    _S.INVALID_MEDIA_TYPE: "4: media_type does not include what the URL is for",
    _S.DUPLICATE_SIGNAL_REQUEST: "2: the stream has a signaling connection, or this one has shaken"
    " hands already",
    _S.MEDIA_TYPE_AUDIO_NOT_SUPPORT: "4: no scope for audio",
    _S.MEDIA_TYPE_VIDEO_NOT_SUPPORT: "4: no scope for video",
    _S.MEDIA_TYPE_DESKSHARE_NOT_SUPPORT: "4: no scope for screen share",
    _S.MEDIA_TYPE_TRANSCRIPT_NOT_SUPPORT: "4: no scope for transcript",
    _S.MEDIA_TYPE_CHAT_NOT_SUPPORT: "4: no scope for chat",
    _S.MEDIA_TYPE_INVALID_VALUE: "4: media_type is 0, negative, above 63, or ALL with other bits",
    _S.MEDIA_DATA_ALL_CONNECTION_EXIST: "4: all-in-one beside single connections, or the reverse",
    _S.DUPLICATE_MEDIA_DATA_CONNECTION: "4: this media is connected, or this socket has shaken"
    " hands already",
    _S.INVALID_MEDIA_PARAMS: "4: media_params is not an object",
    _S.INVALID_MEDIA_AUDIO_PARAMS: "4: audio is not an object",
    _S.INVALID_MEDIA_AUDIO_CONTENT_TYPE: "4: not 1 or 2, or RTP with L16",
    _S.INVALID_MEDIA_AUDIO_SAMPLE_RATE: "4: not 0 to 3, or not the codec's",
    _S.INVALID_MEDIA_AUDIO_CHANNEL: "4: not 1 or 2, or stereo with G711 or G722",
    _S.INVALID_MEDIA_AUDIO_CODEC: "4: not 1 to 4",
    _S.INVALID_MEDIA_AUDIO_DATA_OPT: "4: not 1 or 2",
    _S.INVALID_MEDIA_AUDIO_SEND_RATE: "4: not 20 to 1000 in steps of 20, or not 20 with a codec"
    " other than L16 (above 1000 is 1000)",
    _S.INVALID_MEDIA_VIDEO_PARAMS: "4: video is not an object",
    _S.INVALID_MEDIA_VIDEO_CONTENT_TYPE: "4: not 3 (1, RTP, is reserved)",
    _S.INVALID_MEDIA_VIDEO_CODEC: "4: not 5 to 7",
    _S.INVALID_MEDIA_VIDEO_RESOLUTION: "4: not 1 to 4",
    _S.INVALID_MEDIA_VIDEO_DATA_OPT: "4: not 3 or 4; 29: no video connection with 4",
    _S.INVALID_MEDIA_VIDEO_FPS: "4: not 1 to 5 with JPG and PNG, not 6 to 30 with H264",
    _S.INVALID_MEDIA_DESKSHARE_PARAMS: "4: deskshare is not an object",
    _S.INVALID_MEDIA_DESKSHARE_CONTENT_TYPE: "4: not 3",
    _S.INVALID_MEDIA_DESKSHARE_CODEC: "4: not 5 to 7",
    _S.INVALID_MEDIA_DESKSHARE_RESOLUTION: "4: not 1 to 4",
    _S.INVALID_MEDIA_DESKSHARE_FPS: "4: not 1 with JPG and PNG, not 2 to 30 with H264",
    _S.INVALID_MEDIA_TRANSCRIPT_PARAMS: "4: transcript is not an object, or enable_lid no boolean",
    _S.INVALID_MEDIA_TRANSCRIPT_CONTENT_TYPE: "4: not 5",
    _S.INVALID_MEDIA_CHAT_PARAMS: "4: chat is not an object",
    _S.INVALID_MEDIA_CHAT_CONTENT_TYPE: "4: not 5",
    _S.INVALID_RTMS_SESSION_ID: "11: no such session of this stream",
    _S.INVALID_MEDIA_TRANSCRIPT_SOURCE_LANGUAGE: "4: src_language is not -1 to 36",
    _S.DUPLICATE_VIDEO_SUBSCRIPTION: "29: this participant's video is subscribed to",
}
"""In strict mode; in tolerant mode 17 to 39 and 43 become fall-backs that are echoed."""

UNANSWERED: Final[Mapping[_S, str]] = {
    _S.INVALID_EVENTS: "message 5 has no answer: counted as a fault",
    _S.INVALID_EVENT_TYPE: "message 5 has no answer: counted as a fault",
    _S.INVALID_CLIENT_READY_ACK: "message 7 has no answer: counted as a fault, and ignored",
    _S.INVALID_EVENT_SUBSCRIBE: "message 5 has no answer: counted as a fault",
}
"""Causes that exist, but whose messages are never answered (sections 8, 10)."""

IMPOSSIBLE: Final[Mapping[_S, str]] = {
    _S.INTERNAL_EXCEPTION: "a fault of the emulator itself ends the program, not a handshake",
    _S.INVALID_MEDIA_TRANSCRIPT_TARGET_LANGUAGE: "no source names the field it is about",
    _S.CHAT_SESSION_KEY_NOT_AVAILABLE: "keys belong to V2's encryption, not spoken here",
}
"""Only by a fault script."""
