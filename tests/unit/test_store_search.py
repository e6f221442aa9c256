from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from store_events import OPENED, opened, said

from pipeline.model import events as ev
from pipeline.model.notes import Add, Evidence, Merge, NoteItem, Op, Patch, Retract
from pipeline.model.speech import Message
from pipeline.store.migrate import migrations
from pipeline.store.reader import Reader
from pipeline.store.search import SQL, expression


def noted(name: str, *ops: Op) -> ev.NotesPatched:
    return ev.NotesPatched(patch=Patch(id=name, at_ms=500, author="model", ops=ops), covered_seq=1)


def item(name: str, text: str, at_ms: int = 70) -> NoteItem:
    evidence = Evidence(ref="u1", revision=1, quote="q", start_ms=at_ms, end_ms=at_ms + 1)
    return NoteItem(id=name, kind="action", text=text, evidence=(evidence,))


def typed(name: str, text: str, **fields: object) -> ev.MessageSaid:
    message = Message(id=name, stream="s", at_ms=90, text=text, speaker="Ravi")
    return ev.MessageSaid(message=msgspec.structs.replace(message, **fields))


def refs(reader: Reader, query: str, **where: object) -> set[str]:
    return {hit.ref for hit in reader.search(query, **where)}  # type: ignore[arg-type]


async def test_words_are_found_where_they_were_said_typed_and_noted(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        await log.append(
            said(1, "We postpone the Zürich launch", speaker="Maya"),
            said(2, "something else"),
            typed("c1", "launch link"),
            noted("p1", Add(item("n1", "Move the launch"))),
        )
        hits = {h.ref: h for h in store.reader.search("LAUNCH")}
        assert set(hits) == {"u1", "c1", "n1"}
        assert (hits["u1"].kind, hits["u1"].speaker, hits["u1"].at_ms) == ("utterance", "Maya", 10)
        assert (hits["c1"].kind, hits["c1"].speaker, hits["c1"].at_ms) == ("message", "Ravi", 90)
        assert (hits["n1"].kind, hits["n1"].speaker, hits["n1"].at_ms) == ("note", None, 70)
        assert hits["u1"].meeting == log.meeting
        assert hits["u1"].snippet == "We postpone the Zürich launch"
        assert refs(store.reader, "zurich") == {"u1"}
        assert refs(store.reader, "maya launch") == {"u1"}
        assert refs(store.reader, "ravi") == {"c1"}
        assert refs(store.reader, "launch nowhere") == set()


async def test_what_was_typed_in_private_is_found_and_marked(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        sessions = (None, "everyone", "individual", "group", "hosts", "other")
        ways = [
            {"session": session, "to_id": to_id, "to_name": to_name}
            for session in sessions
            for to_id in (None, "8")
            for to_name in (None, "Ben")
        ]
        await log.append(
            said(1, "budget"), *(typed(f"c{n}", "budget", **way) for n, way in enumerate(ways, 1))
        )
        marked = {hit.ref: hit.private for hit in store.reader.search("budget", limit=100)}
        told = {message.id: message.private for message in store.reader.chat(log.meeting)}
        assert marked == {"u1": False, **told}
        assert set(told.values()) == {True, False}


async def test_beginnings_phrases_and_snippets(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        long = " ".join(f"word{n}" for n in range(80)) + " invoices and then " + "tail " * 80
        await log.append(said(1, long), said(2, "the red car"), said(3, "the car is red"))
        assert refs(store.reader, "invoice") == {"u1"}
        (hit,) = store.reader.search("invoices")
        assert "invoices" in hit.snippet
        assert len(hit.snippet) < 300
        assert refs(store.reader, "red car") == {"u2", "u3"}
        assert refs(store.reader, '"red car"') == {"u2"}
        assert refs(store.reader, '"red ca"') == set()
        assert refs(store.reader, "re") == set()


async def test_what_is_not_shown_is_not_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        await log.append(
            said(1, "secret plan"),
            said(2, "secret copy", role="comparison"),
            typed("c1", "secret chat"),
            noted("p1", *(Add(item(f"n{n}", f"secret item {n}")) for n in (1, 2, 3))),
        )
        assert refs(store.reader, "secret") == {"u1", "c1", "n1", "n2", "n3"}
        await log.append(
            said(1, "secret plan", revision=2, deleted=True),
            said(2, "secret copy", revision=2, role="fill"),
            typed("c1", "harmless", revision=2),
            noted("p2", Merge("n1", "n2"), Retract("n3", status="rejected")),
        )
        assert refs(store.reader, "secret") == {"u2", "n2"}
        assert refs(store.reader, "harmless") == {"c1"}


async def test_one_meeting_only_and_at_most_so_many(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        one, two = await store.create(OPENED), await store.create(OPENED)
        await one.append(*(said(n, "budget") for n in range(1, 31)))
        await two.append(said(1, "budget"))
        assert len(store.reader.search("budget")) == 20
        assert len(store.reader.search("budget", limit=500)) == 31
        assert len(store.reader.search("budget", limit=-1)) == 1
        (hit,) = store.reader.search("budget", meeting=two.meeting)
        assert hit.meeting == two.meeting


async def test_the_better_match_comes_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        await log.append(
            said(1, "budget " + "and other things we talked about at length " * 4),
            said(2, "budget budget"),
            *(said(n, "filler words") for n in range(3, 9)),
        )
        hits = store.reader.search("budget")
        assert [h.ref for h in hits] == ["u2", "u1"]
        assert hits[0].score > hits[1].score > 0


HOSTILE = [
    "", " ", '"', '""', '"""', "'", "*", "a*", "a OR", "OR", "AND NOT", "NEAR(", "NEAR(a b, 3)",
    "text:x", "speaker : y", "{a b}:c", "(", ")", "a) OR (b", "^a", "a + b", "-a", "a--", ";",
    "'; DROP TABLE event; --", "\0", "a\0b", "\ud800", "\ud800abc", "é̀", "日本語", "🙂", "\\", "%",
    'un"balanced', "a" * 100_000, "a " * 5_000, '"a" ' * 5_000, "col:*", "passage_words",
]  # fmt: skip


@pytest.fixture(scope="module")
def db() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    for sql in migrations().values():
        db.executescript(sql)
    db.execute(
        "INSERT INTO passage (meeting, kind, ref, speaker, text, at_ms)"
        " VALUES ('m', 'utterance', 'u1', 'Maya', 'a b c OR near', 1)"
    )
    return db


def run(db: sqlite3.Connection, query: str) -> list[tuple[object, ...]]:
    words = expression(query)
    return (
        db.execute(SQL, {"words": words, "meeting": None, "limit": 5}).fetchall() if words else []
    )


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_query_can_break_the_search(tmp_path: Path, query: str) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        await log.append(said(1, "a b c"))
        assert isinstance(store.reader.search(query), list)


@settings(max_examples=400, deadline=None)
@given(st.text(), st.text(alphabet="ab\"*()^:+-{} ,ORANDTEXT\0'", max_size=30))
@example('"', "*")
def test_any_text_is_a_valid_query(text: str, syntax: str) -> None:
    base = sqlite3.connect(":memory:")
    try:
        base.execute("CREATE VIRTUAL TABLE w USING fts5(speaker, text)")
        for query in (text, syntax, text + syntax):
            words = expression(query)
            if words:
                base.execute("SELECT * FROM w WHERE w MATCH ?", (words,)).fetchall()
    finally:
        base.close()


def test_operators_are_words(db: sqlite3.Connection) -> None:
    assert len(run(db, "a OR near")) == 1  # all three words are in the text
    assert run(db, "a OR missing") == []
    assert run(db, "a NOT zzz") == []
    db.close()
