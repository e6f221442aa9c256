"""`rtms-notes emulate` and `tape info` as programs."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from pipeline.base.secret import Secret
from pipeline.rtms.signature import handshake_signature
from pipeline.tapes.bundled import BUNDLED

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def emulate() -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pipeline.cli", "emulate", *map(str, arguments)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def test_the_line_a_program_reads(emulate: Start) -> None:
    process = emulate("--json", "--client-id", "me", "--meeting-uuid", "MU==", "--stream-id", "S1")
    line = first_line(process)
    assert list(line) == [
        "signaling_url",
        "meeting_uuid",
        "rtms_stream_id",
        "client_id",
        "client_secret",
        "ca_file",
        "control_url",
    ]
    assert line["signaling_url"].startswith("ws://localhost:")
    assert (line["meeting_uuid"], line["rtms_stream_id"]) == ("MU==", "S1")
    assert (line["client_id"], line["client_secret"], line["ca_file"]) == ("me", "csec", None)
    hello = {
        "msg_type": 1,
        "protocol_version": 1,
        "meeting_uuid": "MU==",
        "rtms_stream_id": "S1",
        "signature": handshake_signature("me", "MU==", "S1", Secret("csec")),
    }
    with connect(line["signaling_url"]) as connection:
        connection.send(json.dumps(hello))
        assert json.loads(connection.recv(timeout=10))["status_code"] == 0
        process.send_signal(signal.SIGTERM)
        last: dict[str, Any] = {}
        for raw in connection:
            last = json.loads(raw)
        assert (last["msg_type"], last["state"], last["reason"]) == (8, 4, 17)
    assert process.wait(timeout=10) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_lines_a_person_reads(emulate: Start) -> None:
    process = emulate(BUNDLED, "--speed", "2")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(7)]
    assert lines[0].startswith("signaling url")
    assert "starts when a client connects" in lines[-1]
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)
    assert out == "stream over: stop reason 17 EXIT_SIGNAL\n"
    assert process.returncode == 0


def test_many_streams_in_one_line(emulate: Start) -> None:
    line = first_line(emulate("--json", "--streams", "3", "--stream-id", "S"))
    streams = line.pop("streams")
    assert streams[0] == line
    assert [s["rtms_stream_id"] for s in streams] == ["S", "S-2", "S-3"]
    assert streams[2]["signaling_url"] == line["signaling_url"].replace("/sig", "/3/sig")


def test_a_script_and_what_became_of_it(emulate: Start, tmp_path: Path) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("- {fault: refuse, http: 418}\n- {fault: stop, at: 3600, reason: 8}\n")
    line = first_line(emulate("--json", "--script", script))
    with pytest.raises(InvalidStatus, match="418"), connect(line["signaling_url"]):
        pass
    with urllib.request.urlopen(line["control_url"] + "faults") as answer:
        listed = json.load(answer)
    assert [(f["state"], f["fault"]) for f in listed] == [
        ("begun", {"fault": "refuse", "http": 418}),
        ("waiting", {"fault": "stop", "at": 3600.0, "reason": 8}),
    ]


def failed(process: subprocess.Popen[str]) -> str:
    """The one line of a command that could not do it."""
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1, err
    (line,) = err.strip().splitlines()
    return line


def test_a_port_in_use(emulate: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} is in use" in failed(emulate("--port", str(port)))


def test_a_webhook_that_is_not_there(emulate: Start, unused_tcp_port: int) -> None:
    line = failed(emulate("--webhook", f"http://127.0.0.1:{unused_tcp_port}/webhook"))
    assert "cannot be reached (nothing listens there; start your client's" in line


def test_what_a_webhook_is_signed_with(emulate: Start, unused_tcp_port: int) -> None:
    webhook = f"http://127.0.0.1:{unused_tcp_port}/webhook"
    process = emulate("--webhook", webhook, "--secret-token", "mine", "--stream-id", "a\x1b[31mb")
    out, _ = process.communicate(timeout=20)
    assert "secret token     mine\n" in out
    assert "rtms stream id   a [31mb\n" in out


def test_a_stop_inside_a_word_leaves_no_noise(emulate: Start) -> None:
    """A resampler that is at work must not outlive the interpreter: its library complains."""
    process = emulate("--json")
    where = first_line(process)
    ids = {"protocol_version": 1, "meeting_uuid": where["meeting_uuid"]}
    ids["rtms_stream_id"] = where["rtms_stream_id"]
    ids["signature"] = handshake_signature(
        "cid", where["meeting_uuid"], where["rtms_stream_id"], Secret("csec")
    )
    audio = {"content_type": 2, "sample_rate": 1, "channel": 1, "codec": 1, "data_opt": 2}
    with connect(where["signaling_url"]) as signaling:
        signaling.send(json.dumps({"msg_type": 1, **ids}))
        urls = json.loads(signaling.recv(timeout=10))["media_server"]["server_urls"]
        with connect(urls["audio"]) as media:
            asked = {"msg_type": 3, "media_type": 1, "media_params": {"audio": audio}, **ids}
            media.send(json.dumps(asked))
            assert json.loads(media.recv(timeout=10))["status_code"] == 0
            signaling.send(json.dumps({"msg_type": 7, "rtms_stream_id": ids["rtms_stream_id"]}))
            while json.loads(media.recv(timeout=10))["msg_type"] != 14:
                pass
            process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert err == ""
    assert process.returncode == 0


def test_a_webhook_that_is_no_url(emulate: Start) -> None:
    assert "not an address" in failed(emulate("--webhook", "nowhere"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--script", "none.yaml"), "none.yaml: no such script"),
        (("--scopes", "audio,smell"), "scopes: 'smell' is not one of audio, video, deskshare,"),
        (("--id-key", "webinar_uuid"), "id_key = 'webinar_uuid': a meeting has meeting_uuid"),
        (("--webhook-retries", "soon"), "--webhook-retries 'soon': not seconds like 300,1200"),
        (("--buffer", "inf"), "buffer_s = inf: allowed are 0 to 1000000"),
        (("--keepalive", "inf"), "keepalive_s = inf: must be more than 0, at most 1000000"),
        (("--speed", "inf"), "speed = inf: must be more than 0, at most 1000000"),
        (("--host", "0.0.0.0"), "only this machine's loopback is allowed"),
    ],
)
def test_options_that_cannot_be(emulate: Start, arguments: tuple[str, ...], said: str) -> None:
    assert said in failed(emulate(*arguments))


def test_a_script_with_a_mistake(emulate: Start, tmp_path: Path) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("# two\n- {fault: stall, for: 1}\n- {fault: drop, socket: left}\n")
    line = failed(emulate("--script", script))
    assert line.endswith(
        "faults.yaml, line 3, fault 2 (drop): socket = 'left'; allowed: all, signaling, media,"
        " audio, video, deskshare, transcript, chat"
    )


@pytest.mark.parametrize("command", ["emulate", "info"])
def test_a_file_that_is_no_tape(emulate: Start, tmp_path: Path, command: str) -> None:
    other = tmp_path / "x.rtms.zst"
    other.write_text("hello")
    if command == "emulate":
        assert "x.rtms.zst: not a tape" in failed(emulate(other))
        assert "no such tape" in failed(emulate(tmp_path / "gone"))
        return
    assert "x.rtms.zst: not a tape" in info(other)[1]


def info(*arguments: str | Path) -> tuple[str, str]:
    command = [sys.executable, "-m", "pipeline.cli", "tape", "info", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.stdout, done.stderr


def test_what_is_on_a_tape() -> None:
    out, _ = info(BUNDLED, "--json")
    found = json.loads(out)
    assert found["title"] == "Holiday boxes"
    assert found["messages"]["chat"] == 2
    assert found["participants"][0]["user_name"] == "Anna Miller"
    assert found["lost"][0]["ms"] == 8000
    out, _ = info(BUNDLED)
    assert "Anna Miller" in out
