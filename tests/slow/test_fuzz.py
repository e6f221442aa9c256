"""Coverage-guided fuzzing: a fixed number of inputs from a fixed seed, grown from real messages."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard
from websockets.frames import Frame, Opcode

from pipeline.base.secret import Secret
from pipeline.rtms.signature import handshake_signature
from tests.tone_tape import ADA, CLEO, START_MS, STREAM, ZOOM_ID, Spurt, ToneTape, event

ROOT = Path(__file__).parents[2]
SEED = 1
RUNS = {"frames": 40_000, "sockets": 15_000, "requests": 20_000, "webhooks": 20_000, "tapes": 4_000}
WAIT_S = 900

pytestmark = pytest.mark.timeout(WAIT_S + 30)

_WHO = {"user_id": ADA.user_id, "user_name": ADA.name, "timestamp": START_MS}
_IDS = {"meeting_uuid": ZOOM_ID, "rtms_stream_id": STREAM}
_SIGNED = {**_IDS, "signature": handshake_signature("cid", ZOOM_ID, STREAM, Secret("csec"))}
_AUDIO = {"content_type": 2, "sample_rate": 1, "channel": 1, "codec": 1, "data_opt": 2}
_DATA = base64.b64encode(b"\1\0" * 20).decode()
_URLS = {"audio": "wss://a.zoom.us/audio", "all": "wss://a.zoom.us/all"}
_CHAT = {
    "data": "hi",
    "message_id": "m1",
    "operation_type": 3,
    "sender": _WHO,
    "chat_session": {"type": 1, "id": ""},
    "files": [{"file_id": "f", "file_name": "a.txt", "file_size": 9}],
}

FROM_ZOOM: list[dict[str, Any]] = [
    {"msg_type": 2, "status_code": 0, "reason": "", "media_server": {"server_urls": _URLS}},
    {"msg_type": 2, "status_code": 3, "reason": "no"},
    {
        "msg_type": 4,
        "status_code": 0,
        "payload_encrypted": False,
        "media_params": {"audio": _AUDIO},
    },
    event(0, 1),
    event(1, 2, **_WHO),
    event(2, 3, participants=[_WHO]),
    event(3, 4, participants=[{"user_id": ADA.user_id}]),
    event(4, 7, media_type=1),
    event(5, 8, participants=[{"user_id": ADA.user_id}]),
    event(6, 10, chat_groups=[{"id": "g", "name": "n"}]),
    {
        "msg_type": 6,
        "event": {"event_type": 12, "event_ts": 1, "participant_info": {"user_id": "u"}},
    },
    {"msg_type": 8, "state": 2, "reason": 14, "timestamp": START_MS},
    {"msg_type": 8, "state": 5, "reason": 0, "timestamp": START_MS},
    {"msg_type": 9, "rtms_session_id": "s", "state": 2, "stop_reason": 0, "timestamp": START_MS},
    {"msg_type": 11, "rtms_session_id": "s", "state": 3, "timestamp": START_MS},
    {"msg_type": 12, "sequence": 1, "timestamp": START_MS},
    {"msg_type": 14, "content": {**_WHO, "data": _DATA, "length": 40}},
    {"msg_type": 14, "content": _DATA, **_WHO},
    {"msg_type": 15, "content": {**_WHO, "data": _DATA, "length": 40}},
    {"msg_type": 16, "content": {**_WHO, "data": _DATA}},
    {"msg_type": 17, "content": {**_WHO, "data": "zażółć", "start_time": START_MS, "attribute": 2}},
    {"msg_type": 18, "content": {**_WHO, "data": _CHAT}},
    {"msg_type": 18, "content": {**_WHO, "data": json.dumps(_CHAT)}},
    {"msg_type": 20, "rtms_stream_id": STREAM, "state": 1, "timestamp": 1_790_000_000},
    {"msg_type": 22, "rtms_stream_id": STREAM, "status_code": 0, "timestamp": START_MS},
    {"msg_type": 23, "content": {"interpreter": {"target": [{"language": 9}]}}},
    {"msg_type": 29, "user_id": ADA.user_id, "status_code": 44, "reason": "dup"},
    {"msg_type": 99},
]
TO_ZOOM: list[dict[str, Any]] = [
    {"msg_type": 1, "protocol_version": 1, "sequence": 1, **_SIGNED},
    {"msg_type": 3, "protocol_version": 1, **_SIGNED, "media_type": 1, "media_params": None},
    {
        **{"msg_type": 3, "protocol_version": 1, **_SIGNED, "media_type": 32},
        "media_params": {"audio": _AUDIO, "video": {"codec": 7, "fps": 25, "data_opt": 4}},
    },
    {"msg_type": 5, "events": [{"event_type": 3, "subscribe": True}]},
    {"msg_type": 7, "rtms_stream_id": STREAM},
    {"msg_type": 10, "rtms_session_id": "s"},
    {"msg_type": 13, "sequence": 1, "timestamp": START_MS},
    {"msg_type": 19, "rtms_stream_id": STREAM},
    {"msg_type": 21, "rtms_stream_id": STREAM},
    {"msg_type": 28, "user_id": ADA.user_id, "subscribe": True, "timestamp": 1},
]
_OFFER = {**_IDS, "server_urls": "wss://a.zoom.us/s,wss://b.zoom.us/s", "operator_id": "o"}
HOOKS: list[dict[str, Any]] = [
    {"event": "meeting.rtms_started", "event_ts": START_MS, "payload": _OFFER},
    {"event": "meeting.rtms_started", "event_ts": START_MS, "payload": {"object": _OFFER}},
    {"event": "session.rtms_interrupted", "payload": {"session_id": "x", "rtms_stream_id": "s"}},
    {"event": "phone.call_rtms_stopped", "payload": {"call_id": "x", "rtms_stream_id": "s"}},
    {"event": "meeting.rtms_stopped", "payload": {**_IDS, "stop_reason": 6}},
    {"event": "rtms.concurrency_limited", "payload": {"id_field": {"meeting_uuid": "x"}}},
    {"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}},
]


def seeds(name: str, folder: Path) -> list[bytes]:
    """Real messages of each target."""
    match name:
        case "frames":
            return [json.dumps(message).encode() for message in FROM_ZOOM]
        case "requests":
            return [json.dumps(message).encode() for message in TO_ZOOM]
        case "webhooks":
            return [json.dumps(body).encode() for body in HOOKS]
        case "sockets":
            frames = [
                Frame(Opcode.TEXT, b"{}"),
                Frame(Opcode.BINARY, b"x" * 200),
                Frame(Opcode.PING, b""),
            ]
            frames += [Frame(Opcode.TEXT, b"one", fin=False), Frame(Opcode.TEXT, b"x" * 5_000)]
            return [frame.serialize(mask=False) for frame in frames] + [
                frames[0].serialize(mask=False) * 3
            ]
        case _:
            said = [(CLEO, 0, 200, "words")]
            tape = ToneTape(spurts=[Spurt(CLEO, 0, 40)], said=said, end_ms=400)
            packed = tape.write(folder / "seed.rtms.zst").path.read_bytes()
            plain = zstandard.ZstdDecompressor().stream_reader(packed).read()
            lost = b'{"t":10,"mark":"lost","media":"audio","ms":50}\n'
            head, _, rest = plain.partition(b"\n")
            return [plain, head + b"\n" + lost + rest, packed]


@pytest.mark.parametrize("name", RUNS)
def test_nothing_escapes_and_nothing_grows(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        missing = "atheris is not installed (Linux x86-64)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds(name, tmp_path)):
        (corpus / f"{number:03}").write_bytes(seed)
    found = subprocess.run(
        [
            *(sys.executable, str(Path(__file__).with_name("fuzz_target.py"))),
            *(name, str(corpus), str(RUNS[name]), str(SEED)),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=WAIT_S,
        check=False,
    )
    assert found.returncode == 0, (found.stdout + found.stderr)[-6_000:]
