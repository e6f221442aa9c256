"""`rtms-notes recheck`: doubtful words listed, heard again, settled by a person."""

from __future__ import annotations

import asyncio
import json
import re
import wave
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.base.clock import SystemClock
from pipeline.base.errors import EngineError
from pipeline.base.ids import RandomIds
from pipeline.cli import recheck
from pipeline.cli.app import app
from pipeline.meeting.doubts import held, settled
from pipeline.model import events as ev
from pipeline.model.notes import Add, Check, Evidence, NoteItem, Patch
from pipeline.model.speech import Segment, Utterance, Word
from pipeline.model.state import MeetingState
from pipeline.store.reader import Reader
from pipeline.store.store import Store
from pipeline.store.verify import verify
from pipeline.transcribe.engine import HeardWord, Transcription
from pipeline.transcribe.scripted import ScriptedEngine

T0 = 1_790_000_000_000
SECONDS = 2


def segment(number: int) -> Segment:
    start = T0 + 3_000 * number
    return Segment(
        id=f"s{number}",
        stream="S",
        start_ms=start,
        end_ms=start + 1_000 * SECONDS,
        file=f"{start:013d}-{number:04x}.pcm",
        samples=16_000 * SECONDS,
        participant="7",
        speaker="Ada \x1b[31m",
        speech_ms=1_500,
    )


def said(number: int, text: str, doubt: str | None = None) -> ev.UtteranceSaid:
    heard = segment(number)
    return ev.UtteranceSaid(
        utterance=Utterance(
            id=f"u{number}",
            stream="S",
            source="local",
            start_ms=heard.start_ms,
            end_ms=heard.end_ms,
            text=text,
            segment=heard.id,
            confidence=0.2 if doubt else None,
            doubt=doubt,
            engine="local",
        )
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """s1 sure; s2 doubtful, decoded together with s3; s4 doubtful."""

    async def make() -> None:
        store = Store.open(tmp_path, clock=SystemClock(), ids=RandomIds())
        log = await store.create(
            ev.MeetingOpened(product="meeting", zoom_id="Z==", started_ms=T0),
            *(ev.SegmentSpooled(segment=segment(n)) for n in (1, 2, 3, 4)),
            said(1, "Yes."),
            ev.SegmentClosed(segment="s1", outcome="text"),
            said(2, "no no no no no no no", "loop"),
            ev.SegmentClosed(segment="s2", outcome="text", doubt="loop"),
            ev.SegmentClosed(segment="s3", outcome="merged", detail="s2"),
            said(4, "You", "non_speech"),
            ev.SegmentClosed(segment="s4", outcome="text", doubt="non_speech"),
        )
        spool = store.spool(log.meeting)
        for n in (1, 2, 3, 4):  # of s1 the process was killed before it was deleted
            pcm = np.full(segment(n).samples, 1_000 + n, "<i2")
            (spool / segment(n).file).write_bytes(pcm.tobytes())
        await store.close()

    asyncio.run(make())
    return tmp_path


def call(home: Path, *arguments: str) -> tuple[int, str, str]:
    reader = Reader.open(home)
    [view] = reader.meetings()
    reader.close()
    result = CliRunner().invoke(app, ["recheck", view.id, *arguments, "--home", str(home)])
    return result.exit_code, result.stdout, result.stderr


def state_of(home: Path) -> MeetingState:
    assert verify(home) == []
    reader = Reader.open(home)
    [view] = reader.meetings()
    state = reader.state(view.id)
    reader.close()
    return state


def audio(home: Path) -> list[str]:
    [meeting] = (home / "meetings").iterdir()
    return sorted(
        f"s{int(entry.stem.split('-')[1], 16)}" for entry in (meeting / "spool").iterdir()
    )


def heard_by(monkeypatch: pytest.MonkeyPatch, engine: ScriptedEngine) -> None:
    monkeypatch.setattr(recheck, "open_engine", lambda *_, **__: engine)


def test_doubts_are_listed_with_their_reasons_and_nothing_is_changed(home: Path) -> None:
    code, text, _ = call(home)
    assert code == 0
    assert "\x1b[31m" not in text
    assert "the same words over" in text
    assert re.findall(r"\bs\d\b", text) == ["s2", "s4"]
    rows = json.loads(call(home, "--json")[1])
    assert [(row["segment"], row["doubt"], row["text"]) for row in rows] == [
        ("s2", "loop", "no no no no no no no"),
        ("s4", "non_speech", "You"),
    ]
    assert audio(home) == ["s1", "s2", "s3", "s4"]


def test_what_a_person_accepts_stays_and_what_she_rejects_goes(home: Path) -> None:
    code, text, told = call(home, "--accept", "s2", "--reject", "s4")
    assert code == 0, told
    assert "no words of this meeting are in doubt" in text
    state = state_of(home)
    assert [(u.id, u.text, u.doubt, u.revision) for u in state.transcript()] == [
        ("u1", "Yes.", None, 1),
        ("u2", "no no no no no no no", None, 2),
    ]
    assert state.utterances["u4"].deleted
    assert state.doubts == {}
    assert audio(home) == []


def test_another_engine_s_words_take_their_place(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (HeardWord("Not", 500, 900), HeardWord("now.", 2_500, 3_000))
    engine = ScriptedEngine([Transcription("Not now.", "en", 0.9, words), ""])
    heard_by(monkeypatch, engine)
    code, _, told = call(home, "--engine", "local")
    assert code == 0, told
    assert "s2: is now: Not now." in told
    assert "s4: no words in it" in told
    state = state_of(home)
    changed = state.utterances["u2"]
    assert (changed.text, changed.doubt, changed.engine, changed.confidence) == (
        "Not now.",
        None,
        "scripted",
        0.9,
    )
    assert changed.words[1] == Word("now.", T0 + 9_500, T0 + 10_000)  # in s3, after the pause
    assert [len(pcm) for pcm in engine.heard] == [64_000, 32_000]
    assert state.utterances["u4"].deleted
    assert engine.closed
    assert (state.doubts, audio(home)) == ({}, [])


def test_what_stays_doubtful_or_is_not_heard_keeps_its_audio(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard_by(
        monkeypatch, ScriptedEngine(["no " * 30, "no " * 30, EngineError("broken", kind="decode")])
    )
    code, _, told = call(home, "--engine", "local")
    assert code == 0
    assert "s2: still doubtful (loop)" in told
    assert "s4: not heard again (broken)" in told
    assert set(state_of(home).doubts) == {"s2", "s4"}
    assert audio(home) == ["s2", "s3", "s4"]  # what nobody needs was swept


def test_lost_audio_is_for_a_person_to_settle(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [meeting] = (home / "meetings").iterdir()
    (meeting / "spool" / segment(3).file).unlink()
    heard_by(monkeypatch, ScriptedEngine(otherwise="Fine."))
    _, _, told = call(home, "--engine", "local")
    assert "s2: not heard again" in told
    assert "accept or reject" in told
    assert set(state_of(home).doubts) == {"s2"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--accept", "s1"), "s1 is no doubtful segment"),
        (("--accept", "s2", "--reject", "s2"), "accepted or rejected, not both"),
        (("--engine", "parrot"), "there are local, whisper, openai, openai-realtime, deepgram"),
        (("--engine", "openai"), "needs RTMS_NOTES_STT_BASE_URL"),
    ],
)
def test_what_cannot_be_is_one_line(home: Path, arguments: tuple[str, ...], told: str) -> None:
    code, _, errors = call(home, *arguments)
    assert code == 1
    assert told in errors
    assert errors.count("\n") == 1
    assert set(state_of(home).doubts) == {"s2", "s4"}


def test_a_running_service_is_not_disturbed(home: Path) -> None:
    async def during() -> tuple[int, str, str]:
        store = Store.open(home, clock=SystemClock(), ids=RandomIds())
        try:
            return await asyncio.to_thread(call, home, "--accept", "s2")
        finally:
            await store.close()

    code, _, errors = asyncio.run(during())
    assert code == 1
    assert "writes here" in errors
    assert call(home)[0] == 0


def test_audio_is_held_for_all_segments_of_a_doubt(home: Path) -> None:
    state = state_of(home)
    assert held(state) == {"s2", "s3", "s4"}
    assert [s.id for s in settled(state)] == ["s1"]


def noted(home: Path, *items: NoteItem) -> None:
    """The meeting has these notes, and nobody writes them any more."""

    async def make() -> None:
        store = Store.open(home, clock=SystemClock(), ids=RandomIds())
        [view] = store.reader.meetings()
        patch = Patch(
            id="final", at_ms=T0, author="extractive", ops=tuple(map(Add, items)), phase="final"
        )
        seq = store.reader.state(view.id).last_seq
        await store.log(view.id).append(
            ev.NotesPatched(patch=patch, covered_seq=seq), ev.MeetingFinished(at_ms=T0)
        )
        await store.close()

    asyncio.run(make())


def test_notes_do_not_go_on_saying_what_nobody_said(home: Path) -> None:
    """A line that cites nothing but rejected words is retracted; others stay as they are."""
    words = {1: "Yes.", 2: "no no no no no no no"}
    noted(
        home,
        *(
            NoteItem(
                id=f"n{number}",
                kind="decision",
                text=text,
                evidence=(
                    Evidence(ref=f"u{number}", revision=1, quote=text, start_ms=T0, end_ms=T0 + 1),
                ),
                check=Check(state="verified"),
            )
            for number, text in words.items()
        ),
    )
    before = state_of(home).notes.items["n1"]
    assert call(home, "--reject", "s2")[0] == 0
    notes = state_of(home).notes
    assert notes.items["n2"].status == "retracted"
    assert notes.items["n2"].check.reasons == ("u2 was deleted",)
    assert notes.items["n1"] == before


def test_a_person_can_listen_before_she_judges(home: Path, tmp_path: Path) -> None:
    """All segments of a doubt in one file; what is lost is told."""
    (folder := tmp_path / "sound").mkdir()
    next(home.glob(f"meetings/*/spool/{segment(4).file}")).unlink()
    code, _, told = call(home, "--audio", str(folder))
    assert code == 0
    assert "s4: not to be heard" in told
    [path] = folder.iterdir()
    assert path.name == "s2.wav"
    assert path.stat().st_mode & 0o077 == 0
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, 2 * 16_000 * SECONDS)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert (samples == np.repeat([1_002, 1_003], 16_000 * SECONDS)).all()
    assert "no such folder" in call(home, "--audio", str(tmp_path / "none"))[2]
