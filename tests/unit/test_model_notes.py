from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.notes import (
    Add,
    Author,
    Check,
    Close,
    Evidence,
    Merge,
    NoteItem,
    Notes,
    Op,
    Patch,
    Retract,
    Update,
    apply,
    apply_all,
)


def said(ref: str = "u1", revision: int = 1) -> Evidence:
    return Evidence(ref=ref, revision=revision, quote="words", start_ms=1, end_ms=2)


def item(name: str, **fields: Any) -> NoteItem:
    return NoteItem(id=name, kind=fields.pop("kind", "action"), text=f"text of {name}", **fields)


_count = iter(range(1_000_000))


def patch(*ops: Op, author: Author = "model", at_ms: int = 5, name: str = "") -> Patch:
    return Patch(id=name or f"p{next(_count)}", at_ms=at_ms, author=author, ops=ops)


def notes(*names: str) -> Notes:
    return apply(Notes(), patch(*(Add(item(name)) for name in names), at_ms=1))


# -- random patches over a small pool of ids, so that they meet ---------------------------------

FIELDS = st.dictionaries(
    st.sampled_from([*NoteItem.__struct_fields__, "no_such_field"]),
    st.one_of(
        st.none(),
        st.text(max_size=3),
        st.integers(-3, 3),
        st.sampled_from(["open", "done", "model", "person", "u1"]),
        st.just([1, 2]),
        st.just([{"ref": "u1", "revision": 1, "quote": "q", "start_ms": 1, "end_ms": 2}]),
        st.just({"state": "verified"}),
    ),
    max_size=4,
)
EVIDENCE = st.lists(
    st.builds(
        Evidence,
        ref=st.sampled_from(["u1", "u2", "c1"]),
        revision=st.integers(1, 2),
        quote=st.just("q"),
        start_ms=st.integers(0, 9),
        end_ms=st.integers(9, 12),
    ),
    max_size=2,
).map(tuple)


def operations(ids: list[str]) -> st.SearchStrategy[Op]:
    name = st.sampled_from(ids)
    items = st.builds(
        NoteItem,
        id=name,
        kind=st.sampled_from(["action", "question", "topic"]),
        text=st.text(max_size=3),
        evidence=EVIDENCE,
        locked=st.sampled_from([(), ("text",), ("owner", "status")]),
        merged_into=st.one_of(st.none(), name),
        owner=st.one_of(st.none(), st.just("Maya")),
    )
    return st.one_of(
        st.builds(Add, items),
        st.builds(Update, name, FIELDS),
        st.builds(Close, name, st.sampled_from(["done", "answered"]), EVIDENCE),
        st.builds(Retract, name, EVIDENCE, st.sampled_from(["retracted", "rejected"])),
        st.builds(Merge, name, name),
    )


def patches(ids: list[str], most: int = 6, prefix: str = "p") -> st.SearchStrategy[list[Patch]]:
    one = st.builds(
        Patch,
        id=st.integers(0, 9).map(lambda n: f"{prefix}{n}"),
        at_ms=st.integers(0, 99),
        author=st.sampled_from(["model", "extractive", "person"]),
        ops=st.lists(operations(ids), max_size=4).map(tuple),
        phase=st.sampled_from(["live", "final", "edit"]),
    )
    return st.lists(one, max_size=most)


@given(patches(["n1", "n2", "n3"]), patches(["n1", "n2", "n3"], most=1))
def test_the_same_patch_again_changes_nothing(before: list[Patch], last: list[Patch]) -> None:
    once = apply_all(apply_all(Notes(), before), last)
    assert apply_all(once, last) == once
    assert apply_all(once, before) == once


@given(
    patches(["a1", "a2"], most=3, prefix="x"),
    patches(["b1", "b2"], most=3, prefix="y"),
    patches(["a1", "a2"], prefix="a"),
    patches(["b1", "b2"], prefix="b"),
)
def test_patches_of_different_items_commute(
    left_before: list[Patch], right_before: list[Patch], left: list[Patch], right: list[Patch]
) -> None:
    start = apply_all(apply_all(Notes(), left_before), right_before)
    one = apply_all(apply_all(start, left), right)
    other = apply_all(apply_all(start, right), left)
    assert one == other


@given(patches(["n1", "n2", "n3"], most=10))
def test_ids_name_the_same_item_for_ever(all_patches: list[Patch]) -> None:
    state = Notes()
    for one in all_patches:
        after = apply(state, one)
        assert list(after.items)[: len(state.items)] == list(state.items)
        for name, old in state.items.items():
            new = after.items[name]
            assert (new.id, new.kind, new.since_ms) == (name, old.kind, old.since_ms)
            if old.merged_into is not None:
                assert new == old
        assert all(i.merged_into is None or i.merged_into in after.items for i in after.live())
        state = after


@given(patches(["n1", "n2", "n3"], most=10))
def test_a_patch_from_the_log_does_what_it_did_when_it_was_made(all_patches: list[Patch]) -> None:
    read = [msgspec.json.decode(msgspec.json.encode(p), type=Patch) for p in all_patches]
    assert apply_all(Notes(), read) == apply_all(Notes(), all_patches)


@given(patches(["n1", "n2", "n3"], most=8), patches(["n1", "n2", "n3"], most=8, prefix="m"))
def test_no_model_touches_what_a_person_locked(people: list[Patch], models: list[Patch]) -> None:
    edited = apply_all(Notes(), people)
    model = [msgspec.structs.replace(p, author="model") for p in models]
    after = apply_all(edited, model)
    for name, old in edited.items.items():
        new = after.items[name]
        assert set(old.locked) == set(new.locked)
        for field in old.locked:
            assert getattr(new, field) == getattr(old, field)


@given(patches(["n1", "n2"]), patches(["n1", "n2"], most=1))
def test_applying_changes_no_argument(before: list[Patch], last: list[Patch]) -> None:
    start = apply_all(Notes(), before)
    copy = msgspec.json.encode(start.items)
    apply_all(start, last)
    assert msgspec.json.encode(start.items) == copy


# -- one rule at a time -------------------------------------------------------------------------


def test_add_takes_times_and_author_from_the_patch() -> None:
    fresh = apply(Notes(), patch(Add(item("n1", author="person")), at_ms=7, author="extractive"))
    found = fresh.items["n1"]
    assert (found.since_ms, found.changed_ms, found.author) == (7, 7, "extractive")


def test_a_taken_id_is_not_added_again() -> None:
    state = notes("n1")
    again = apply(state, patch(Add(item("n1", kind="risk"))))
    assert again.items == state.items


def test_add_can_neither_lock_nor_point_at_another_item() -> None:
    circle = patch(Add(item("n1", merged_into="n2")), Add(item("n2", merged_into="n1")))
    state = apply(Notes(), circle)
    assert state.items["n1"].merged_into is None
    assert apply(state, patch(Update("n1", {"text": "x"}))).items["n1"].text == "x"
    locked = apply(Notes(), patch(Add(item("n1", locked=("text",)))))
    assert locked.items["n1"].locked == ()
    by_person = apply(Notes(), patch(Add(item("n1", locked=("text",))), author="person"))
    assert by_person.items["n1"].locked == ("text",)


def test_update_converts_to_the_declared_forms() -> None:
    fields = {
        "owner": "Ravi",
        "owner_candidates": ["Ravi", "Ravi K."],
        "span": [1, 2],
        "evidence": [json.loads(msgspec.json.encode(said("c3")))],
        "check": {"state": "verified"},
    }
    found = apply(notes("n1"), patch(Update("n1", fields))).items["n1"]
    assert found.owner_candidates == ("Ravi", "Ravi K.")
    assert found.span == (1, 2)
    assert found.evidence == (said("c3"),)
    assert found.check == Check(state="verified")


def test_update_takes_python_values_as_well_as_json_ones() -> None:
    found = apply(
        notes("n1"), patch(Update("n1", {"evidence": (said(),), "check": Check(state="verified")}))
    ).items["n1"]
    assert found.evidence == (said(),)
    assert found.check.state == "verified"


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "nonsense"},
        {"text": None},
        {"due": 7},
        {"id": "n9"},
        {"kind": "decision"},
        {"locked": ["text"]},
        {"merged_into": "n1"},
        {"since_ms": 9},
        {"changed_ms": 9},
        {"whatever": 1},
    ],
)
def test_fields_that_cannot_be_set_are_left_out(fields: dict[str, Any]) -> None:
    state = notes("n1")
    assert apply(state, patch(Update("n1", fields))).items == state.items
    both = apply(state, patch(Update("n1", {**fields, "owner": "Ravi"}))).items["n1"]
    assert msgspec.structs.replace(both, owner=None, changed_ms=1) == state.items["n1"]


def test_an_update_can_clear_a_field() -> None:
    state = apply(notes("n1"), patch(Update("n1", {"owner": "Ravi", "due": "2026-01-02"})))
    cleared = apply(state, patch(Update("n1", {"owner": None, "due": None}))).items["n1"]
    assert (cleared.owner, cleared.due) == (None, None)


@pytest.mark.parametrize(
    "op",
    [
        Update("n9", {"text": "x"}),
        Close("n9", "done"),
        Retract("n9"),
        Merge("n9", "n1"),
        Merge("n1", "n9"),
        Merge("n1", "n1"),
    ],
)
def test_unknown_items_change_nothing(op: Op) -> None:
    state = notes("n1")
    assert apply(state, patch(op)).items == state.items


def test_a_person_locks_what_they_edit() -> None:
    edited = apply(notes("n1"), patch(Update("n1", {"owner": "Ravi"}), author="person"))
    assert edited.items["n1"].locked == ("owner",)
    after = apply(edited, patch(Update("n1", {"owner": "Maya", "text": "new"})))
    assert (after.items["n1"].owner, after.items["n1"].text) == ("Ravi", "new")
    again = apply(after, patch(Update("n1", {"owner": "Maya"}), author="person"))
    assert again.items["n1"].owner == "Maya"


def test_closing_adds_evidence_once_and_the_answer() -> None:
    start = apply(Notes(), patch(Add(item("n1", kind="question", evidence=(said("u1"),)))))
    closing = Close("n1", "answered", evidence=(said("u1"), said("u2")), answer="At four.")
    found = apply(start, patch(closing)).items["n1"]
    assert found.status == "answered"
    assert found.answer == "At four."
    assert found.evidence == (said("u1"), said("u2"))


def test_a_retracted_item_stays_marked_and_a_rejected_one_is_not_live() -> None:
    state = apply(notes("n1", "n2"), patch(Retract("n1"), Retract("n2", status="rejected")))
    assert [i.id for i in state.live()] == ["n1"]
    assert state.items["n1"].status == "retracted"
    assert set(state.items) == {"n1", "n2"}


def test_merging_moves_evidence_and_leaves_a_pointer_that_later_patches_follow() -> None:
    state = apply(
        Notes(),
        patch(
            Add(item("n1", evidence=(said("u1"),))),
            Add(item("n2", evidence=(said("u2"),))),
            Add(item("n3")),
        ),
    )
    merged = apply(state, patch(Merge("n1", "n2"), Merge("n2", "n3"), at_ms=9))
    assert [i.id for i in merged.live()] == ["n3"]
    assert merged.items["n3"].evidence == (said("u2"), said("u1"))
    assert merged.items["n1"].merged_into == "n2"
    after = apply(merged, patch(Update("n1", {"owner": "Ravi"})))
    assert after.items["n3"].owner == "Ravi"
    back = apply(merged, patch(Merge("n3", "n1")))
    assert back.items == merged.items


def test_a_change_that_changes_nothing_leaves_the_time() -> None:
    state = notes("n1")
    same = apply(state, patch(Update("n1", {"text": "text of n1"}), at_ms=50))
    assert same.items["n1"].changed_ms == 1
