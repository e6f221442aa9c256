from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.meeting.chat import group_names
from pipeline.meeting.recorder import Recorder
from pipeline.model import events as ev
from pipeline.model.speech import Message, Reaction, SharedFile
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out


class Room:
    """A recorder and the state its events make."""

    def __init__(self) -> None:
        self.bodies: list[ev.Body] = []
        self.recorder = Recorder(MeetingState("m"), "native")

    def take(self, bodies: list[ev.Body]) -> list[ev.Body]:
        self.bodies += [ev.decode_body(ev.encode_body(body)) for body in bodies]
        return bodies

    def chat(self, **fields: Any) -> list[ev.Body]:
        return self.take(self.recorder.typed("S", chat(**fields)))

    @property
    def state(self) -> MeetingState:
        events = [ev.Event("m", n, 0, body) for n, body in enumerate(self.bodies, 1)]
        return MeetingState.replay("m", events)

    def restart(self) -> None:
        self.recorder = Recorder(self.state, "native")


def chat(**fields: Any) -> out.ChatReceived:
    known = {
        "zoom_id": "z1",
        "user_id": 7,
        "user_name": "Ada",
        "at_ms": 1_000,
        "text": "hi",
        "operation": "new",
    }
    return out.ChatReceived(**{**known, **fields})


def test_whom_a_message_is_for_and_its_files_are_kept() -> None:
    room = Room()
    room.take(room.recorder.joined([("8", "Ben")], 0))
    files = (out.SharedFile("f1", "plan.pdf", 12_000), out.SharedFile(None, None, None))
    room.chat(session="individual", to_id=8, files=files, parent="z0")
    (message,) = room.state.chat()
    assert message.private
    assert (message.session, message.to_id, message.to_name) == ("individual", "8", "Ben")
    assert message.parent == "z0"
    assert message.files == (SharedFile(id="f1", name="plan.pdf", size=12_000), SharedFile())


def test_only_what_is_for_everybody_may_be_read_by_the_notes() -> None:
    room = Room()
    for n, session in enumerate([None, "everyone", "individual", "group", "hosts"]):
        room.chat(zoom_id=f"z{n}", session=session)
    room.chat(zoom_id="z9", to_id=8)
    room.chat(zoom_id="z10", to_name="Ben")
    room.chat(zoom_id="z11", session="other")
    room.chat(zoom_id="z12", session="everyone", to_name="Everyone")
    assert [m.zoom_id for m in room.state.open_chat()] == ["z0", "z1", "z12"]
    assert len(room.state.chat()) == 9


def test_an_edit_of_a_message_that_never_came_is_not_lost_if_it_says_whom_it_is_for() -> None:
    room = Room()
    room.chat(operation="update", text="as edited", session="individual", to_id=8)
    assert room.chat(zoom_id="z2", operation="update", text="maybe private") == []
    assert room.chat(text="as typed") == []  # the original, late
    (message,) = room.state.chat()
    assert (message.text, message.private, message.revision) == ("as edited", True, 1)


def test_messages_without_an_id_are_told_once_too() -> None:
    room = Room()
    for _ in range(2):
        room.chat(zoom_id=None, text="hello")
        room.chat(zoom_id=None, text="hello", user_id=8)
        room.restart()
    room.chat(zoom_id=None, text="hello", at_ms=2_000)
    assert [(m.participant, m.at_ms) for m in room.state.chat()] == [
        ("7", 1_000),
        ("8", 1_000),
        ("7", 2_000),
    ]


def test_reactions_come_and_go_once_each_and_are_no_correction() -> None:
    room = Room()
    room.chat()
    assert len(room.chat(operation="reaction_added", text="👍", user_id=8, user_name="Ben")) == 1
    assert room.chat(operation="reaction_added", text="👍", user_id=8, user_name="Ben") == []
    room.chat(operation="reaction_added", text="🎉", user_id=8, user_name="Ben")
    room.chat(operation="reaction_removed", text="👍", user_id=8, user_name="Ben")
    assert room.chat(operation="reaction_removed", text="👍", user_id=9) == []
    (message,) = room.state.chat()
    assert message.revision == 1
    assert message.reactions == (Reaction(emoji="🎉", participant="8", speaker="Ben"),)


def test_reactions_survive_an_edit_and_a_restart() -> None:
    room = Room()
    room.chat()
    room.chat(operation="reaction_added", text="👍", user_id=8, user_name="Ben")
    room.restart()
    room.chat(operation="update", text="hi all")
    room.restart()
    assert room.chat(operation="reaction_added", text="👍", user_id=8, user_name="Ben") == []
    (message,) = room.state.chat()
    assert (message.text, message.revision, len(message.reactions)) == ("hi all", 2, 1)


def test_a_reaction_finds_its_message_by_either_id() -> None:
    room = Room()
    room.chat()
    room.chat(operation="reaction_added", zoom_id="r1", parent="z1", text="👍")
    assert len(room.state.chat()[0].reactions) == 1
    assert room.chat(operation="reaction_added", zoom_id="r2", parent="z7", text="👍") == []


def test_files_that_are_deleted_are_gone_from_the_message() -> None:
    room = Room()
    files = (out.SharedFile("f1", "a", 1), out.SharedFile("f2", "b", 2))
    room.chat(files=files)
    room.chat(operation="files_deleted", deleted_files=("f1",))
    (message,) = room.state.chat()
    assert [f.name for f in message.files] == ["b"]
    assert message.revision == 2
    assert room.chat(operation="files_deleted", deleted_files=("f9",)) == []


def test_deleted_messages_stay_deleted_whatever_comes_later_and_after_a_restart() -> None:
    room = Room()
    room.chat()
    room.chat(operation="delete", text="")
    for operation in ("new", "update", "reaction_added", "files_deleted", "delete"):
        assert room.chat(operation=operation) == []
    room.chat(zoom_id="z2", operation="delete", text="")  # its text comes later
    room.restart()
    assert room.chat(zoom_id="z2", text="late") == []
    assert room.chat() == []
    assert room.state.chat() == []
    assert all("late" not in ev.encode_body(b).decode() for b in room.bodies)


def test_groups_are_named_where_zoom_names_them() -> None:
    room = Room()
    raw = json.dumps(
        {"chat_groups": [{"chat_group_id": "g-1", "chat_group_name": "Design", "type": 0}]}
    ).encode()
    room.take(room.recorder.chat.groups("S", out.ChatGroupChanged("created", 5, raw)))
    room.restart()
    room.chat(session="group", group="g-1")
    room.chat(zoom_id="z2", session="group", group="g-2")
    assert [m.chat_group for m in room.state.chat()] == ["Design", "g-2"]
    assert room.state.chat_groups == {"g-1": "Design"}


@settings(max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.one_of(st.none(), st.text(max_size=5), st.integers()),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(st.sampled_from(["id", "name", "group_id", "user_id", "x"]), inner),
            ),
            max_leaves=12,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_group_event_is_read_without_raising(raw: bytes) -> None:
    for key, name in group_names(raw).items():
        assert key
        assert name


def test_people_are_no_groups() -> None:
    raw = b'{"members_update_list":[{"user_id":"1","user_name":"Ada"}]}'
    assert group_names(raw) == {}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["z1", "z2"]),
            st.sampled_from(
                ["new", "update", "delete", "reaction_added", "reaction_removed", "files_deleted"]
            ),
            st.integers(0, 3),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_any_order_of_operations_survives_restarts_alike(
    steps: list[tuple[str, Any, int, bool]],
) -> None:
    once, again = Room(), Room()
    for zoom_id, operation, n, restart in steps:
        fields = {
            "zoom_id": zoom_id,
            "operation": operation,
            "text": f"t{n}",
            "user_id": n,
            "files": (out.SharedFile(f"f{n}", "n", 1),),
            "deleted_files": (f"f{n}",),
        }
        once.chat(**fields)
        again.chat(**fields)
        if restart:
            again.restart()
    assert msgspec.json.encode(once.bodies) == msgspec.json.encode(again.bodies)
    known: dict[str, Message] = once.state.messages
    assert len({m.zoom_id for m in known.values()}) == len(known)
