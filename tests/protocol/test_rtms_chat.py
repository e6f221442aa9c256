"""Chat in all its forms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.rtms import messages as m
from pipeline.rtms.chat import chat_received
from pipeline.rtms.outputs import ChatReceived, SharedFile

T0 = 1_790_000_000_000
BODY = {
    "data": "hello",
    "message_id": "m1",
    "operation_type": 1,
    "sender": {"user_id": 7, "user_name": "Bo"},
}


def received(data: Any, **fields: Any) -> ChatReceived | str:
    content = {"timestamp": T0, "data": data, **fields}
    message = m.decode(json.dumps({"msg_type": 18, "content": content}))
    assert isinstance(message, m.ChatData)
    return chat_received(message.content, T0)


def told(data: Any, **fields: Any) -> ChatReceived:
    found = received(data, **fields)
    assert isinstance(found, ChatReceived)
    return found


@pytest.mark.parametrize("form", [dict, json.dumps])
def test_a_whole_message(form: Any) -> None:
    body = {
        **BODY,
        "chat_session": {"type": 3, "id": "g1"},
        "parent_message_id": "m0",
        "receiver": {"user_id": "8", "user_name": "Cy"},
        "files": [{"file_id": "f1", "file_name": "a.pdf", "file_size": 10}, {"file_size": 10**30}],
    }
    assert told(form(body)) == ChatReceived(
        zoom_id="m1",
        user_id=7,
        user_name="Bo",
        at_ms=T0,
        text="hello",
        operation="new",
        session="group",
        group="g1",
        to_id=8,
        to_name="Cy",
        parent="m0",
        files=(SharedFile("f1", "a.pdf", 10), SharedFile(None, None, None)),
    )


@pytest.mark.parametrize(
    ("number", "session"),
    [
        (1, "everyone"),
        (2, "individual"),
        (3, "group"),
        (4, "hosts"),
        (5, "individual"),
        (6, "other"),
    ],
)
def test_who_it_is_for(number: int, session: Any) -> None:
    found = told({**BODY, "chat_session": {"type": number, "id": "s"}})
    assert found.session == session
    assert found.group == ("s" if session == "group" else None)


@pytest.mark.parametrize(
    ("fields", "operation"),
    [
        ({"operation_type": 1}, "new"),
        ({"operation_type": None}, "new"),
        ({"operation_type": 2, "data": ""}, "delete"),
        ({"operation_type": 3}, "update"),
        ({"operation_type": 4, "data": "\U0001f44d"}, "reaction_added"),
        ({"operation_type": 5, "data": "\U0001f44d"}, "reaction_removed"),
        ({"operation_type": 1, "delete_file_id_list": ["f1"]}, "files_deleted"),
        ({"operation_type": 2, "delete_file_id_list": ["f1"]}, "files_deleted"),
        ({"operation_type": 2, "delete_file_id_list": ["f1"], "data": ""}, "delete"),
        ({"operation_type": 3, "delete_file_id_list": ["f1"]}, "update"),
        ({"operation_type": 3, "delete_file_id_list": ["f1"], "data": " "}, "files_deleted"),
    ],
)
def test_operations(fields: dict[str, Any], operation: str) -> None:
    found = told({**BODY, **fields})
    assert found.operation == operation
    assert found.deleted_files == (("f1",) if "delete_file_id_list" in fields else ())


def test_files_without_a_text_are_a_message() -> None:
    found = told({"message_id": "m2", "operation_type": 1, "files": [{"file_name": "a.pdf"}]})
    assert (found.operation, found.text, found.files) == (
        "new",
        "",
        (SharedFile(None, "a.pdf", None),),
    )


def test_a_reaction_is_about_its_parent_or_the_message_it_names() -> None:
    reaction = {**BODY, "operation_type": 4, "data": "+1"}
    assert told(reaction).parent == "m1"
    assert told({**reaction, "parent_message_id": "m0"}).parent == "m0"
    assert told(BODY).parent is None


def test_an_operation_without_a_meaning_says_nothing_of_the_text() -> None:
    assert received({**BODY, "operation_type": 6}) == "chat operation 6"


def test_json_a_person_typed_does_not_speak_for_somebody_else() -> None:
    found = told(json.dumps(BODY), user_id=9, user_name="Mallory")
    assert (found.user_id, found.user_name) == (9, "Mallory")
    plain = told('{"data": "x"}', user_id=9)
    assert (plain.text, plain.user_id) == ('{"data": "x"}', 9)


@pytest.mark.parametrize("kind", [0, 6, -1, 2**31])
def test_a_kind_of_session_that_is_not_known_is_not_for_everyone(kind: int) -> None:
    assert told({**BODY, "chat_session": {"type": kind}}).session == "other"


def test_a_session_without_a_kind_tells_nothing() -> None:
    assert told({**BODY, "chat_session": {"id": "s"}}).session is None
