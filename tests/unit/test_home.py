from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from store_events import OPENED, opened, said

import pipeline
from pipeline import Home
from pipeline.base.errors import NotFound, StorageError
from pipeline.model import events as ev
from pipeline.model.notes import Add, NoteItem, Patch
from pipeline.model.speech import Gap, Message


async def test_a_home_shows_what_is_in_the_store(tmp_path: Path) -> None:
    patch = Patch(
        id="p", at_ms=1, author="model", ops=(Add(NoteItem(id="n1", kind="risk", text="t")),)
    )
    gap = Gap(id="g1", from_ms=1, to_ms=2, media="all", cause="media_lost")
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        await log.append(
            ev.ParticipantJoined(participant="7", name="Maya", at_ms=1),
            said(1, "hello there"),
            ev.MessageSaid(message=Message(id="c1", stream="s", at_ms=1, text="link")),
            ev.GapFound(gap=gap),
            ev.NotesPatched(patch=patch, covered_seq=2),
        )
        with Home(tmp_path) as home:
            (view,) = home.meetings()
            meeting = home.meeting("m00")
            assert meeting.view == view
            assert (meeting.id, view.title, view.state) == ("m0001", "Plan", "live")
            assert [u.text for u in meeting.transcript()] == ["hello there"]
            assert [m.text for m in meeting.chat()] == ["link"]
            assert [i.id for i in meeting.notes()] == ["n1"]
            assert meeting.gaps() == [gap]
            assert [p.name for p in meeting.participants()] == ["Maya"]
            assert [e.seq for e in meeting.events(after=4)] == [5, 6]
            assert meeting.state().view() == view
            assert [h.ref for h in home.search("hello", meeting="m0")] == ["u1"]
            assert repr(meeting) == "<Meeting m0001>"
            await log.append(said(2))  # a live meeting can be watched
            assert len(meeting.transcript()) == 2
        with pytest.raises(StorageError, match="closed"):
            home.meetings()
    with Home(str(tmp_path)) as home, pytest.raises(NotFound):
        home.meeting("x")


async def test_the_default_home_is_that_of_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path / "h") as store:
        await store.create(OPENED)
    monkeypatch.setenv("RTMS_NOTES_HOME", str(tmp_path / "h"))
    with Home() as home:
        assert len(home.meetings()) == 1
        assert repr(home) == f"<Home {tmp_path / 'h'}>"


def test_no_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no meetings here yet"):
        Home(tmp_path)


def test_the_package_is_imported_without_the_store() -> None:
    code = (
        "import sys, pipeline\n"
        "assert 'Home' in dir(pipeline)\n"
        "assert not [m for m in sys.modules if m.startswith('pipeline.')]\n"
        "pipeline.Home\n"
        "assert 'sqlite3' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = pipeline.Nothing
