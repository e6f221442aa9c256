from __future__ import annotations

import json
import logging

import pytest
import structlog

from pipeline.base import log
from pipeline.base.secret import Secret

CANARY = "c4nary-value"


def redacted(**event: object) -> dict[str, object]:
    return dict(log.redact(None, "info", dict(event)))


@pytest.mark.parametrize(
    "key",
    [
        "token",
        "Authorization",
        "x-zm-signature",
        "client_secret",
        "API_KEY",
        "db_password",
        "secret_token",
    ],
)
def test_credentials_are_masked_by_their_name_at_any_depth(key: str) -> None:
    found = redacted(
        **{key: CANARY}, headers={key: [CANARY]}, calls=[{"inner": {key: CANARY}}, (1, {key: 2})]
    )
    assert CANARY not in str(found)
    assert found[key] == "***"


def test_control_characters_cannot_forge_lines_or_colours() -> None:
    found = redacted(name="Maya\nlevel=error fake\x1b[31m\u2028", names=["a\rb"], deep={"k": "\0"})
    assert found == {"name": "Maya level=error fake [31m ", "names": ["a b"], "deep": {"k": " "}}


def test_long_text_is_cut_and_other_values_stay() -> None:
    found = redacted(text="x" * 9_999, count=3, share=0.5, nothing=None, on=True)
    assert len(str(found.pop("text"))) == 2_000
    assert found == {"count": 3, "share": 0.5, "nothing": None, "on": True}


@pytest.mark.parametrize("as_json", [True, False])
def test_a_whole_log_holds_no_secret_and_one_line_an_event(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log.set_up(json=as_json)
    logger = structlog.get_logger()
    logger.info("connected", secret=CANARY, key=Secret(CANARY), name="a\nb")
    logger.debug("not shown", detail=CANARY)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert CANARY not in captured.err
    assert captured.err.count("\n") == 1
    if as_json:
        line = json.loads(captured.err)
        assert (line["event"], line["level"], line["name"]) == ("connected", "info", "a b")
        assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_shows_no_variables(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(json=as_json)
    value = CANARY + "-local"
    try:
        raise RuntimeError("broken") if value else AssertionError
    except RuntimeError:
        structlog.get_logger().exception("stage.failed")
    shown = capsys.readouterr().err
    assert "broken" in shown
    assert "test_base_log" in shown
    assert value not in shown


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_cannot_carry_escapes_or_forge_lines(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log.set_up(json=as_json)
    forged = "2026-01-01T00:00:00Z [error    ] all is lost"
    try:
        raise RuntimeError(  # noqa: TRY301
            f"said \x1b[31m\r{forged}\n{forged}\u2028\u202e"
        )
    except RuntimeError:
        structlog.get_logger().exception("stage.failed", exception_of="a\nb")
    lines = capsys.readouterr().err.splitlines()
    text = "\n".join(lines)
    assert not set(text) & set("\x1b\r\u2028\u202e")
    if as_json:
        [line] = lines
        assert forged in json.loads(line)["exception"]
    else:
        assert lines[0].startswith("20")
        assert "stage.failed" in lines[0]
        assert all(line.startswith("    ") for line in lines[1:])
        assert len(lines) > 4


@pytest.mark.parametrize("as_json", [True, False])
def test_what_libraries_log_takes_the_same_way(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log.set_up(json=as_json)
    log.set_up(json=as_json)  # twice is once
    logging.getLogger("some.library").error("broken\n%s\x1b[31m", "pipe")
    log.LibraryLogs().emit(
        logging.LogRecord("some.library", logging.WARNING, "", 1, "%d arguments", ("no",), None)
    )
    logging.getLogger("some.library").info("chatter")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "\x1b" not in lines[0]
    if as_json:
        told = [json.loads(line) for line in lines]
        assert (told[0]["event"], told[0]["logger"]) == ("broken pipe [31m", "some.library")
        assert told[0]["level"] == "error"
        assert told[1]["event"] == "%d arguments"


def test_a_request_that_is_not_http_is_told_without_its_bytes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from aiohttp.http_exceptions import BadStatusLine

    log.set_up(json=True)
    try:
        raise BadStatusLine(CANARY)  # noqa: TRY301
    except BadStatusLine:
        logging.getLogger("aiohttp.server").exception("Error handling %s", CANARY)
    [line] = capsys.readouterr().err.splitlines()
    assert CANARY not in line
    assert json.loads(line)["event"] == "http.bad_request"


def test_levels(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(level="error")
    structlog.get_logger().warning("quiet")
    structlog.get_logger().error("loud")
    shown = capsys.readouterr().err
    assert "quiet" not in shown
    assert "loud" in shown
