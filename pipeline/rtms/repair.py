"""Message variants seen in the field, brought to the documented shape (reference section 12).

Pure functions on decoded JSON: flat media, event fields at top level, ``status`` for
``status_code``, missing fields, numbers as text or with a fraction.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.rtms.enums import EventType, MessageType, VoiceEventType

Raw = dict[str, Any]

CHAT_KEYS: Final = frozenset({"message_id", "operation_type", "sender", "chat_session"})
"""Keys that tell a chat object from a text that happens to be JSON."""

NO_EVENT_TYPE: Final = -1
"""Stands for the ``event_type`` of an event that has only an ``event_code`` (section 19)."""

_META: Final[tuple[str, ...]] = (
    *("user_id", "user_name", "channel_id", "timestamp", "length"),
    *("start_time", "end_time", "language", "attribute"),
)
_CHAT: Final = ("data", "timestamp", "user_id", "user_name")
_WHOLE: Final[tuple[str, ...]] = (
    *("timestamp", "event_ts", "start_time", "end_time", "length", "event_type"),
    *("state", "status_code", "sequence", "protocol_version", "media_type"),
)
_OPTIONAL: Final[tuple[str, ...]] = (
    *("user_id", "channel_id", "length", "timestamp", "start_time", "end_time"),
    *("language", "attribute", "event_ts", "media_type"),
)
_NAMES: Final[tuple[str, ...]] = ("user_name", "display_name", "participant_mode")


def repaired(msg_type: int, raw: Raw) -> Raw:
    """``raw`` with variants replaced; what cannot be mended is left for the decoder to refuse."""
    message = _numbers({**raw, "msg_type": msg_type})
    mend = _MENDERS.get(msg_type)
    return mend(message) if mend is not None else message


def chat(raw: Raw) -> Raw:
    """A chat object with ids as text and misfits left out."""
    body = dict(raw)
    for key in ("message_id", "parent_message_id"):
        body[key] = _text(body.get(key))
    for key in ("sender", "receiver"):
        body[key] = _person(body[key]) if isinstance(body.get(key), dict) else None
    session = body.get("chat_session")
    body["chat_session"] = (
        {"type": _int(session.get("type")), "id": _text(session.get("id"))}
        if isinstance(session, dict)
        else None
    )
    files = body.get("files")
    body["files"] = (
        [
            {
                "file_id": _text(item.get("file_id")),
                "file_name": _text(item.get("file_name")),
                "file_size": _int(item.get("file_size")),
            }
            for item in files
            if isinstance(item, dict)
        ]
        if isinstance(files, list)
        else None
    )
    deleted = body.get("delete_file_id_list")
    body["delete_file_id_list"] = (
        [text for item in deleted if (text := _text(item)) is not None]
        if isinstance(deleted, list)
        else None
    )
    body["operation_type"] = _int(body.get("operation_type"))
    body["data"] = body["data"] if isinstance(body.get("data"), str) else ""
    return body


def _response(message: Raw) -> Raw:
    if "status_code" not in message and "status" in message:
        message["status_code"] = message["status"]
    for key, default in (("protocol_version", 1), ("sequence", 0)):
        if _int(message.get(key)) is None:
            message[key] = default
    message["reason"] = _text(message.get("reason")) or ""
    return message


def _signaling_response(message: Raw) -> Raw:
    message = _response(message)
    server = message.get("media_server")
    urls = server.get("server_urls") if isinstance(server, dict) else None
    if isinstance(urls, str):
        urls = {"all": urls}
    if isinstance(urls, dict):
        texts = {key: url for key, url in urls.items() if isinstance(url, str)}
        message["media_server"] = {"server_urls": texts}
    else:
        message["media_server"] = None
    return message


def _media_response(message: Raw) -> Raw:
    message = _response(message)
    flag = message.get("payload_encrypted", message.get("payload_encryption"))
    message["payload_encrypted"] = flag is True
    params = message.get("media_params")
    if isinstance(params, dict):
        message["media_params"] = {
            key: _numeric(value) for key, value in params.items() if isinstance(value, dict)
        }
    else:
        message["media_params"] = None
    return message


def _event(message: Raw) -> Raw:
    inner = message.get("event")
    event = _clean(_numbers(dict(inner if isinstance(inner, dict) else message)))
    if event.get("timestamp") is None:
        event["timestamp"] = event.get("event_ts")
    event["event_code"] = _id(event.get("event_code"))
    event["event_type"] = _event_type(event)
    people = event.get("participants")
    if isinstance(people, dict):
        people = [people]
    event["participants"] = [_person(item) for item in people] if isinstance(people, list) else None
    info = event.get("participant_info", event.get("paticipant_info"))
    if isinstance(info, dict):
        event["participant_info"] = {
            key: _id(value) if key in ("channel_id", "user_id") else _text(value)
            for key, value in info.items()
        }
    else:
        event["participant_info"] = None
    event.pop("paticipant_info", None)
    return {"msg_type": message["msg_type"], "event": event}


def _event_type(event: Raw) -> object:
    """The number, also under its name; a code of V2 stands alone."""
    value = event.get("event_type")
    if isinstance(value, str):
        name = value.strip().upper()
        for kind in (EventType, VoiceEventType):
            if name in kind.__members__:
                return int(kind[name])
    if value is None and event["event_code"] is not None:
        return NO_EVENT_TYPE
    return value


def _stream_state(message: Raw) -> Raw:
    reason = message.get("reason", message.get("stop_reason"))
    message["reason"] = reason if isinstance(reason, int | str) else 0
    if _int(message.get("timestamp")) is None:
        message["timestamp"] = 0
    message["rtms_stream_id"] = _text(message.get("rtms_stream_id"))
    return message


def _session_state(message: Raw) -> Raw:
    for key in ("reason", "stop_reason"):
        if not isinstance(message.get(key), int | str):
            message[key] = None
    if _int(message.get("timestamp")) is None:
        message["timestamp"] = 0
    message["rtms_session_id"] = _text(message.get("rtms_session_id")) or ""
    return message


def _answer(message: Raw) -> Raw:
    """Answers 11, 20, 22 and 29. One that says no may leave out the state; one that says nothing of
    a status says yes."""
    if "status_code" not in message and "status" in message:
        message["status_code"] = message["status"]
    message["status"] = None
    if _int(message.get("status_code")) is None:
        message["status_code"] = 0
    elif message.get("state") is None:
        message["state"] = 0
    message["user_id"] = _id(message.get("user_id")) or 0
    if not isinstance(message.get("subscribe"), bool):
        message["subscribe"] = None
    message["reason"] = _text(message.get("reason")) or ""
    if _int(message.get("timestamp")) is None:
        message["timestamp"] = 0
    for key in ("rtms_stream_id", "rtms_session_id"):
        message[key] = _text(message.get(key)) or ""
    return message


def _media(message: Raw) -> Raw:
    return {"msg_type": message["msg_type"], "content": _clean(_content(message))}


def _transcript(message: Raw) -> Raw:
    content = _clean(_content(message))
    if "data" not in content and isinstance(content.get("text"), str):
        content["data"] = content["text"]
    return {"msg_type": message["msg_type"], "content": content}


def _chat(message: Raw) -> Raw:
    content = _clean(_content(message))
    data = content.get("data", content.get("text"))
    content["data"] = chat(data) if isinstance(data, dict) else data
    content = {key: content[key] for key in _CHAT if key in content}
    return {"msg_type": message["msg_type"], "content": content}


def _interpreter(message: Raw) -> Raw:
    if not isinstance(message.get("timestamp"), int | float | str):
        message["timestamp"] = None
    return message


def _keep_alive(message: Raw) -> Raw:
    return {
        key: value
        for key, value in message.items()
        if key == "msg_type"
        or (key in ("sequence", "timestamp") and isinstance(value, int | float | str))
    }


def _content(message: Raw) -> Raw:
    """The content object; the flat form has a string there and the rest at top level."""
    content = message.get("content")
    if isinstance(content, dict):
        return _numbers(dict(content))
    flat: Raw = {key: message[key] for key in _META if key in message}
    if content is not None:
        flat["data"] = content
    elif "data" in message:
        flat["data"] = message["data"]
    return flat


def _clean(fields: Raw) -> Raw:
    """Optional fields of the wrong form count as absent."""
    for key in ("user_id", "channel_id"):
        if key in fields:
            fields[key] = _id(fields[key])
    for key in _OPTIONAL:
        if key not in ("user_id", "channel_id") and key in fields:
            fields[key] = _int(fields[key])
    for key in _NAMES:
        if key in fields:
            fields[key] = _text(fields[key])
    return fields


def _person(value: object) -> Raw:
    if isinstance(value, dict):
        return {"user_id": _id(value.get("user_id")), "user_name": _text(value.get("user_name"))}
    return {"user_id": _id(value), "user_name": None}


def _numbers(fields: Raw) -> Raw:
    """Fractions off, in the fields that are whole numbers."""
    for key in _WHOLE:
        if isinstance(fields.get(key), float):
            fields[key] = int(fields[key])
    return fields


def _numeric(fields: Raw) -> Raw:
    """Media parameters: only numbers and flags count."""
    return {key: value if isinstance(value, bool) else _int(value) for key, value in fields.items()}


def _id(value: object) -> int | str | None:
    """Ids: digits become a number, other text stays (section 10.1)."""
    number = _int(value)
    if number is not None:
        return number
    return value if isinstance(value, str) and value else None


def _int(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None
    return value if isinstance(value, int) else None


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


_MENDERS: Final = {
    int(MessageType.SIGNALING_HAND_SHAKE_RESP): _signaling_response,
    int(MessageType.DATA_HAND_SHAKE_RESP): _media_response,
    int(MessageType.EVENT_UPDATE): _event,
    int(MessageType.STREAM_STATE_UPDATE): _stream_state,
    int(MessageType.SESSION_STATE_UPDATE): _session_state,
    int(MessageType.SESSION_STATE_RESP): _answer,
    int(MessageType.STREAM_STATE_RESP): _answer,
    int(MessageType.STREAM_CLOSE_RESP): _answer,
    int(MessageType.VIDEO_SUBSCRIPTION_RESP): _answer,
    int(MessageType.KEEP_ALIVE_REQ): _keep_alive,
    int(MessageType.KEEP_ALIVE_RESP): _keep_alive,
    int(MessageType.MEDIA_DATA_AUDIO): _media,
    int(MessageType.MEDIA_DATA_VIDEO): _media,
    int(MessageType.MEDIA_DATA_SHARE): _media,
    int(MessageType.MEDIA_DATA_TRANSCRIPT): _transcript,
    int(MessageType.MEDIA_DATA_CHAT): _chat,
    int(MessageType.META_DATA_AUDIO): _interpreter,
}
