from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from pathlib import Path

from hypothesis import given, settings
from store_events import CALLS, OPENED, opened, said

from pipeline.model import events as ev
from pipeline.model.notes import Add, Evidence, Merge, NoteItem, Patch
from pipeline.model.state import MeetingState
from pipeline.store.layout import DATABASE
from pipeline.store.migrate import migrations
from pipeline.store.projection import TABLES, advance, all_rows, head
from pipeline.store.rebuild import rebuild
from pipeline.store.verify import verify


@settings(max_examples=200, deadline=None)
@given(CALLS)
def test_rows_event_by_event_are_the_rows_of_the_replay(calls: list[list[ev.Body]]) -> None:
    state = MeetingState("m")
    rows: dict[tuple[object, ...], tuple[object, ...]] = {}
    bodies = [OPENED, *(body for call in calls for body in call)]
    for seq, body in enumerate(bodies, 1):
        for row in [*advance(state, ev.Event("m", seq, 0, body)), head(state)]:
            key, table = (row.table, *row.key), TABLES[row.table]
            if row.values is None:
                rows.pop(key, None)
            elif key in rows:
                rows[key] = tuple(
                    old if column in table.fixed else new
                    for column, old, new in zip(table.columns, rows[key], row.values, strict=True)
                )
            else:
                rows[key] = row.values
    expected = {(r.table, *r.key): r.values for r in all_rows(state) if r.values is not None}
    assert rows == expected


@settings(max_examples=25, deadline=None)
@given(CALLS)
def test_projections_on_disk_equal_the_replay_and_survive_a_rebuild(
    calls: list[list[ev.Body]],
) -> None:
    async def write(home: Path) -> None:
        async with opened(home) as store:
            log = await store.create(OPENED)
            for call in calls:
                await log.append(*call)
            reader, state = store.reader, store.reader.state(log.meeting)
            assert reader.view(log.meeting) == state.view()
            assert reader.transcript(log.meeting) == state.transcript()
            assert reader.chat(log.meeting) == state.chat()
            assert reader.notes(log.meeting) == state.notes.live()
            assert reader.gaps(log.meeting) == state.missing()
            assert reader.participants(log.meeting) == list(state.participants.values())
            assert reader.streams(log.meeting) == list(state.streams.values())
            assert reader.happenings(log.meeting) == state.happened()
            assert reader.images(log.meeting) == state.pictures()
            assert reader.clips(log.meeting) == sorted(
                state.clips.values(), key=lambda clip: int(clip.id[1:])
            )
            assert reader.faults(log.meeting) == sorted(
                state.faults.values(), key=lambda f: (f.first_ms, f"{f.socket} {f.reason}")
            )
            assert verify(home) == []

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        asyncio.run(write(home))
        before = _dump(home)
        assert rebuild(home) == 1
        assert verify(home) == []
        assert _dump(home) == before


def _dump(home: Path) -> list[tuple[object, ...]]:
    db = sqlite3.connect(home / DATABASE)
    try:
        return [
            (name, *row)
            for name, table in TABLES.items()
            for row in sorted(
                db.execute(f"SELECT {', '.join(table.columns)} FROM {name}").fetchall(), key=repr
            )
        ]
    finally:
        db.close()


def test_columns_are_those_of_the_migrations() -> None:
    db = sqlite3.connect(":memory:")
    for sql in migrations().values():
        db.executescript(sql)
    for name, table in TABLES.items():
        info = db.execute(f"PRAGMA table_info({name})").fetchall()
        ours = ("meeting", "number") if name == "passage" else ("meeting",)
        columns = [row[1] for row in info if row[1] not in ours]
        assert columns == list(table.columns), f"{name}: write a migration for what changed"
    db.close()


def words(number: int) -> Evidence:
    return Evidence(ref=f"u{number}", revision=1, quote="q", start_ms=1, end_ms=2)


def test_a_patch_costs_what_it_touches() -> None:
    state = MeetingState("m")
    bodies: list[ev.Body] = [OPENED]
    adds = tuple(
        Add(NoteItem(id=f"n{i}", kind="point", text="t", evidence=(words(i),))) for i in range(200)
    )
    patch = Patch(id="p", at_ms=1, author="model", ops=adds)
    bodies.append(ev.NotesPatched(patch=patch, covered_seq=1))
    merge = Patch(id="q", at_ms=2, author="model", ops=(Merge("n3", "n7"), Merge("n7", "n9")))
    bodies.append(ev.NotesPatched(patch=merge, covered_seq=2))
    bodies.append(said(1))
    touched = [
        {row.key[-1] for row in advance(state, ev.Event("m", seq, 0, body))}
        for seq, body in enumerate(bodies, 1)
    ]
    assert [len(t) for t in touched] == [0, 200, 3, 1]
    assert touched[2] == {"n3", "n7", "n9"}
