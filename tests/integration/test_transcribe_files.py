"""`rtms-notes transcribe` as a person runs it: real files, the real engine, Ctrl-C and kill -9."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest

from pipeline.base.errors import NotFound, StorageError
from pipeline.model import events as ev
from pipeline.model.state import MeetingState
from pipeline.store.layout import DATABASE
from pipeline.store.reader import Reader
from tests.integration.processes import command, environment, finished, needs_local_engine
from tests.integration.test_kill import committed
from tests.integration.test_transcribe_speech import TEXT, errors, speech, words
from tests.media_makers import encode, tone, write_wav


@pytest.fixture(scope="module", autouse=True)
def _engine() -> None:
    needs_local_engine()


@pytest.fixture(scope="module")
def cities() -> np.ndarray:
    return speech("two_cities.wav", 30.0)


def only(home: Path) -> MeetingState:
    """The one meeting of a store."""
    reader = Reader.open(home)
    try:
        [view] = reader.meetings()
        return reader.state(view.id)
    finally:
        reader.close()


async def begun(home: Path, wanted: type, count: int) -> None:
    """Until another process has made a store and committed so many events of a kind."""
    async with asyncio.timeout(60):
        while True:
            try:
                Reader.open(home).close()
                break
            except NotFound:
                await asyncio.sleep(0.02)
            except StorageError as error:  # seen while its tables are made, one version at a time
                if error.kind != "older_schema":
                    raise
                await asyncio.sleep(0.02)
    await committed(home, wanted, count)


def said(state: MeetingState) -> list[str]:
    return words(" ".join(u.text for u in state.transcript()))


async def test_two_files_are_two_people(tmp_path: Path, cities: np.ndarray) -> None:
    """A wave file and a video, one a participant, as one meeting; then the same again."""
    home = tmp_path / "home"
    write_wav(tmp_path / "anna.wav", cities[: 12 * 16_000])
    silence = np.zeros(12 * 16_000, np.float32)
    late = np.concatenate((silence, cities[12 * 16_000 :]))
    encode(tmp_path / "ben.mp4", late, "aac", 16_000, video=True)
    asked: list[str | Path] = ["transcribe", tmp_path / "anna.wav", tmp_path / "ben.mp4"]
    asked += ["--start", "2026-03-02T09:00", "--title", "Budget", "--json"]
    env = environment(home, {"RTMS_NOTES_ZONE": "Europe/Berlin"})
    status, output, told = await finished(*asked, env=env)
    assert status == 0, told
    found = json.loads(output)
    state = only(home)
    assert f"kept as {state.meeting}" in told
    view = state.view()
    assert (view.product, view.title, view.state) == ("file", "Budget", "finished")
    assert view.started_ms == 1_772_438_400_000  # 09:00 in Berlin
    assert {p.name for p in state.participants.values()} == {"anna", "ben"}
    assert {u.attribution for u in state.transcript()} == {"stream"}
    assert {u.engine for u in state.transcript()} == {"local"}
    reference = words(TEXT)
    heard = said(state)[: len(reference)]
    assert errors(reference, heard) <= 0.12 * len(reference), " ".join(heard)
    for utterance in state.transcript():  # each where it was said, and by whom
        at_s = (utterance.start_ms - view.started_ms) / 1000
        assert utterance.speaker == ("anna" if at_s < 11.5 else "ben")
    assert state.missing() == []
    assert not state.pending
    assert list((home / "meetings" / state.meeting / "spool").glob("*.pcm")) == []
    assert json.dumps(found).count('"anna"') > 0

    status, output, told = await finished(*asked, env=env)  # nothing is done twice
    assert status == 0
    assert "transcribed before" in told
    assert only(home).last_seq == state.last_seq
    status, _, told = await finished(*asked, "--again", env=env)
    assert status == 0
    assert "transcribed before" not in told
    reader = Reader.open(home)
    assert len(reader.meetings()) == 2
    reader.close()


async def test_markdown_goes_where_it_is_told(tmp_path: Path, cities: np.ndarray) -> None:
    home, out = tmp_path / "home", tmp_path / "notes.md"
    path = encode(tmp_path / "a.ogg", cities[: 6 * 16_000], "libopus", 16_000)
    status, output, told = await finished(
        "transcribe", path, "--speaker", "Anna <b>Schmidt</b>", "--out", out, env=environment(home)
    )
    assert (status, output) == (0, ""), told
    text = out.read_text()
    assert "best of times" in text
    assert "Anna" in text
    assert "<b>" not in text.split("\n---\n", 1)[1].replace("\\<", "")  # a name is untrusted
    assert out.stat().st_mode & 0o077 == 0


def once_each(events: list[ev.Event]) -> None:
    """Every segment settled once, with one utterance at most; and none overlap."""
    spooled = [e.body.segment for e in events if isinstance(e.body, ev.SegmentSpooled)]
    closed = [e.body.segment for e in events if isinstance(e.body, ev.SegmentClosed)]
    assert sorted(closed) == sorted(segment.id for segment in spooled)
    by = [e.body.utterance.segment for e in events if isinstance(e.body, ev.UtteranceSaid)]
    assert len(by) == len(set(by))
    ordered = sorted(spooled, key=lambda segment: segment.start_ms)
    for one, other in itertools.pairwise(ordered):
        assert one.start_ms + one.samples // 16 <= other.start_ms + 1


async def all_events(home: Path) -> list[ev.Event]:
    reader = Reader.open(home)
    try:
        [view] = reader.meetings()
        return await reader.fetch(view.id, 0)
    finally:
        reader.close()


@pytest.mark.parametrize("how", ["kill -9", "Ctrl-C"])
async def test_the_same_command_goes_on(tmp_path: Path, cities: np.ndarray, how: str) -> None:
    home = tmp_path / "home"
    path = write_wav(tmp_path / "anna.wav", np.concatenate([cities] * 3))
    env = environment(home)
    async with command("transcribe", path, env=env) as child:
        await begun(home, ev.SegmentClosed, 2)
        if how == "kill -9":
            child.kill()
            await child.process.wait()
        else:
            child.process.send_signal(signal.SIGINT)
            status, told = await child.ended()
            assert status == 130, told
            assert "the same command goes on" in told
    half = only(home)
    assert half.finished is None
    if how == "Ctrl-C":  # each segment so far ends in a pause, not where it was interrupted
        assert half.segments, "nothing was heard"
    spooled = {file.name for file in home.glob("meetings/*/spool/*.pcm")}
    left = spooled - {segment.file for segment in half.segments.values()}
    status, _, told = await finished("transcribe", path, "--title", "Q", env=env)
    assert status == 0, told
    assert f"goes on with {half.meeting}, which was begun before; --title cannot" in told
    state = only(home)
    assert state.meeting == half.meeting
    assert state.finished is not None
    once_each(await all_events(home))
    assert state.missing() == []
    heard = said(state)
    first = words(TEXT)
    assert errors(first, heard[: len(first)]) <= 0.2 * len(first), " ".join(heard)
    assert heard.count("wisdom") == 3  # each of the three readings, once
    # What was open is heard again from its beginning, not cut in two.
    assert not left & {segment.file for segment in state.segments.values()}


async def test_serve_goes_on_with_what_a_command_left(tmp_path: Path, cities: np.ndarray) -> None:
    home = tmp_path / "home"
    path = write_wav(tmp_path / "anna.wav", np.concatenate([cities] * 2))
    env = environment(home)
    async with command("transcribe", path, env=env) as child:
        await begun(home, ev.SegmentClosed, 1)
        child.kill()
        await child.process.wait()
    status, _, told = await finished(
        *("serve", "--once", "--json", "--port", "0", "--webhook-port", "0"), env=env
    )
    assert status == 0, told
    state = only(home)
    assert state.finished is not None
    once_each(await all_events(home))
    assert len(said(state)) > 2 * 60


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.wav", b"", "empty.wav: is empty"),
        ("text.mp3", b"just words\n" * 400, "text.mp3: cannot be read as audio or video"),
        ("none.wav", None, "none.wav: no such file"),
    ],
)
async def test_files_that_cannot_be_used_are_one_line(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    home = tmp_path / "home"
    good = write_wav(tmp_path / "good.wav", tone(1.0))
    if content is not None:
        (tmp_path / name).write_bytes(content)
    status, _, told = await finished("transcribe", good, tmp_path / name, env=environment(home))
    assert status == 1
    assert told.count("\n") == 1
    assert says in told
    assert not (home / DATABASE).exists()  # nothing was begun


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--speaker", "A", "--speaker", "B"], "2 speakers for 1 files"),
        (["--start", "yesterday"], "no time like"),
        (["--stt", "native"], "needs Zoom's transcript"),
        (["--out", "notes.pdf"], "ends in .md or .json"),
        (["--out", "no/such/notes.md"], "there is no folder no/such"),
    ],
)
async def test_wrong_usage_is_status_2(tmp_path: Path, more: list[str], says: str) -> None:
    good = write_wav(tmp_path / "good.wav", tone(1.0))
    status, _, told = await finished("transcribe", good, *more, env=environment(tmp_path / "home"))
    assert status == 2
    assert says in " ".join(told.replace("│", " ").split())


async def test_what_is_not_set_up_is_one_line(tmp_path: Path) -> None:
    good = write_wav(tmp_path / "good.wav", tone(1.0))
    for option, value, says in (
        ("--stt", "openai", "RTMS_NOTES_STT_BASE_URL"),
        ("--stt", "whisper", "WHISPER_MODEL"),
        ("--language", "de", "understands English only"),
        ("--glossary", "none.txt", "none.txt: the glossary cannot be read"),
        ("--calendar", str(good), "good.wav: not a calendar file"),
    ):
        status, _, told = await finished(
            "transcribe", good, option, value, env=environment(tmp_path / "home")
        )
        assert status == 1
        assert says in told
        assert told.count("\n") == 1
        assert Reader.open(tmp_path / "home").meetings() == []  # nothing was begun


async def test_silence_is_an_empty_transcript(tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = write_wav(tmp_path / "quiet.wav", np.zeros(20 * 16_000, np.float32))
    status, _, told = await finished("transcribe", path, env=environment(home))
    assert status == 0, told
    assert "taken to begin at" in told  # nobody said when it was recorded
    state = only(home)
    assert state.transcript() == []
    assert state.segments == {}
    status, _, told = await finished("transcribe", path, "--title", "Q", env=environment(home))
    assert (status, told.splitlines()[0]) == (
        0,
        f"transcribed before, as {state.meeting}; --again does it once more, and obeys --title",
    )


async def test_a_file_that_breaks_off_is_told(tmp_path: Path, cities: np.ndarray) -> None:
    """What could be read is transcribed, the rest is a gap."""
    home = tmp_path / "home"
    whole = encode(tmp_path / "w.mkv", cities[: 12 * 16_000], "flac", 16_000)
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    status, _, told = await finished("transcribe", path, env=environment(home))
    assert status == 0, told
    state = only(home)
    [gap] = state.missing()
    assert (gap.media, gap.cause) == ("audio", "unusable_audio")
    assert state.participants == {}  # one file may hold a room full of people
    assert {(u.speaker, u.attribution) for u in state.transcript()} == {(None, "unknown")}
    assert "say --speaker NAME" in told
    assert "best of times" in " ".join(u.text for u in state.transcript())


async def test_serve_serves_speech_to_text(tmp_path: Path, cities: np.ndarray) -> None:
    """`serve --stt-port`, asked by the openai SDK as any program of this machine would."""
    env = environment(tmp_path / "home")
    ports = ("--port", "0", "--webhook-port", "0", "--stt-port", "0")
    async with command("serve", "--json", *ports, env=env) as child:
        addresses = await child.first_line()
        assert addresses["stt"].endswith("/v1")
        path = encode(tmp_path / "a.mp3", cities, "libmp3lame", 16_000)
        async with openai.AsyncOpenAI(base_url=addresses["stt"], api_key="any") as sdk:
            [model] = [m.id async for m in sdk.models.list()]
            answers: list[Any] = await asyncio.gather(
                *(sdk.audio.transcriptions.create(file=path, model=model) for _ in range(2))
            )
        child.process.send_signal(signal.SIGTERM)
        status, told = await child.ended()
    assert status == 0, told
    assert answers[0].text == answers[1].text
    reference = words(TEXT)
    heard = words(answers[0].text)[: len(reference)]
    assert errors(reference, heard) <= 0.12 * len(reference)


async def test_speech_to_text_needs_no_account_at_zoom(tmp_path: Path) -> None:
    """Without credentials there is no webhook, which would believe anybody."""
    env = {k: v for k, v in environment(tmp_path / "home").items() if not k.startswith("ZOOM_")}
    ports = ("--port", "0", "--webhook-port", "0")
    async with command("serve", "--json", *ports, "--stt-port", "0", env=env) as child:
        addresses = await child.first_line()
        assert sorted(addresses) == ["page", "stt"]
        async with openai.AsyncOpenAI(base_url=addresses["stt"], api_key="any") as sdk:
            assert [m.id async for m in sdk.models.list()] == ["local"]
        child.process.send_signal(signal.SIGTERM)
        status, told = await child.ended()
    assert status == 0, told
    status, _, told = await finished("serve", *ports, env=env)
    assert (status, "ZOOM_CLIENT_ID" in told) == (1, True)
