from __future__ import annotations

import json

import msgspec
import pytest

from pipeline.base.secret import Secret

CANARY = "c4nary-value"


def test_a_secret_does_not_print_itself() -> None:
    secret = Secret(CANARY)
    holder = {"credentials": [secret], "pair": (secret, 1)}
    for text in (str(secret), repr(secret), f"{secret}", f"{secret!r}", str(holder)):
        assert CANARY not in text
        assert "***" in text
    assert repr(Secret("")) == "Secret('')"


def test_it_cannot_be_written_out_by_accident() -> None:
    for write in (json.dumps, msgspec.json.encode):
        with pytest.raises(TypeError):
            write({"key": Secret(CANARY)})
    assert not hasattr(Secret(CANARY), "__dict__")  # nothing for vars() and debuggers to list


def test_it_is_revealed_where_it_is_used() -> None:
    assert Secret(CANARY).reveal() == CANARY


def test_it_knows_whether_it_is_there_and_compares() -> None:
    assert Secret("x")
    assert not Secret("")
    assert Secret("x") == Secret("x")
    assert Secret("x") != Secret("y")
    assert Secret("x") != "x"
    assert len({Secret("x"), Secret("x")}) == 1
