"""Random events of one meeting, and an open store, for tests of the state and of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hypothesis import strategies as st

from pipeline.base.clock import ManualClock
from pipeline.base.ids import SequentialIds
from pipeline.model import events as ev
from pipeline.model.happening import Clip, Image
from pipeline.model.notes import Add, Close, Evidence, Merge, NoteItem, Op, Patch, Retract, Update
from pipeline.model.speech import (
    Correction,
    Gap,
    Message,
    Recording,
    Segment,
    SharedFile,
    Utterance,
    Word,
)
from pipeline.store.settings import StoreSettings
from pipeline.store.store import Store

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
MS = st.integers(0, 5_000)
NAME = st.one_of(st.none(), st.sampled_from(["Maya", "Ravi", "<b>"]))


def _ids(prefix: str) -> st.SearchStrategy[str]:
    return st.integers(1, 4).map(lambda n: f"{prefix}{n}")


UTTERANCE = st.builds(
    Utterance,
    id=_ids("u"),
    stream=st.just("s"),
    source=st.sampled_from(["native", "local"]),
    start_ms=MS,
    end_ms=MS,
    text=TEXT,
    participant=st.one_of(st.none(), _ids("p")),
    speaker=NAME,
    revision=st.integers(1, 3),
    role=st.sampled_from(["primary", "fill", "comparison"]),
    language=st.one_of(st.none(), st.just("en-US")),
    confidence=st.one_of(st.none(), st.floats(0, 1)),
    segment=st.one_of(st.none(), _ids("s")),
    deleted=st.booleans(),
    attribution=st.sampled_from(["stream", "active_speaker", "unknown"]),
    speaker_confidence=st.one_of(st.none(), st.floats(0, 1)),
    engine=st.one_of(st.none(), TEXT),
    doubt=st.one_of(st.none(), st.just("loop")),
    words=st.lists(st.builds(Word, TEXT, MS, MS), max_size=2).map(tuple),
    corrections=st.lists(
        st.builds(Correction, at=MS, was=TEXT, now=TEXT, source=st.just("roster")), max_size=1
    ).map(tuple),
)
MESSAGE = st.builds(
    Message,
    id=_ids("c"),
    stream=st.just("s"),
    at_ms=MS,
    text=TEXT,
    speaker=NAME,
    zoom_id=st.one_of(st.none(), TEXT),
    revision=st.integers(1, 3),
    deleted=st.booleans(),
    session=st.sampled_from([None, "everyone", "individual", "group", "hosts"]),
    chat_group=st.one_of(st.none(), TEXT),
    to_id=st.one_of(st.none(), _ids("p")),
    to_name=NAME,
    parent=st.one_of(st.none(), TEXT),
    files=st.lists(
        st.builds(
            SharedFile,
            id=st.one_of(st.none(), TEXT),
            name=st.one_of(st.none(), TEXT),
            size=st.one_of(st.none(), st.integers(0, 9)),
        ),
        max_size=2,
    ).map(tuple),
)
RECORDING = st.builds(
    Recording,
    id=_ids("r"),
    stream=st.just("s"),
    file=st.just("r1.flac"),
    codec=st.sampled_from(["flac", "opus"]),
    from_ms=MS,
    sample_rate=st.just(16_000),
    samples=MS,
    participant=st.one_of(st.none(), _ids("p")),
    speaker=NAME,
    mixed=st.booleans(),
    state=st.sampled_from(["open", "complete"]),
)
IMAGE = st.builds(
    Image,
    id=_ids("i"),
    stream=st.just("s"),
    at_ms=MS,
    media=st.sampled_from(["video", "deskshare"]),
    file=st.just("i1.jpg"),
    thumb=st.just("i1-small.jpg"),
    width=st.integers(1, 99),
    height=st.integers(1, 99),
    speaker=NAME,
)
CLIP = st.builds(
    Clip,
    id=_ids("v"),
    stream=st.just("s"),
    media=st.sampled_from(["video", "deskshare"]),
    codec=st.just("H264"),
    file=st.just("v1.mkv"),
    from_ms=MS,
    width=st.integers(1, 99),
    height=st.integers(1, 99),
    speaker=NAME,
    to_ms=MS,
    frames=st.integers(0, 99),
)
SEGMENT = st.builds(
    Segment,
    id=_ids("s"),
    stream=st.just("s"),
    start_ms=MS,
    end_ms=MS,
    file=st.just("s.pcm"),
    samples=st.integers(0, 99),
)
GAP = st.builds(
    Gap,
    id=_ids("g"),
    from_ms=MS,
    to_ms=MS,
    media=st.sampled_from(["all", "audio"]),
    cause=st.just("media_lost"),
    detail=TEXT,
)
EVIDENCE = st.lists(
    st.builds(
        Evidence,
        ref=_ids("u"),
        revision=st.integers(1, 3),
        quote=TEXT,
        start_ms=MS,
        end_ms=MS,
        speaker=NAME,
    ),
    max_size=2,
).map(tuple)
ITEM = st.builds(
    NoteItem,
    id=_ids("n"),
    kind=st.sampled_from(["action", "decision", "question", "topic"]),
    text=TEXT,
    evidence=EVIDENCE,
    owner=NAME,
)
OP: st.SearchStrategy[Op] = st.one_of(
    st.builds(Add, ITEM),
    st.builds(Add, ITEM),
    st.builds(
        Update,
        _ids("n"),
        st.fixed_dictionaries({}, optional={"text": TEXT, "owner": NAME, "span": st.just([1, 2])}),
    ),
    st.builds(
        Close,
        _ids("n"),
        st.sampled_from(["done", "answered"]),
        EVIDENCE,
        st.one_of(st.none(), TEXT),
    ),
    st.builds(Retract, _ids("n"), EVIDENCE, st.sampled_from(["retracted", "rejected"])),
    st.builds(Merge, _ids("n"), _ids("n")),
)
PATCH = st.builds(
    Patch,
    id=st.integers(1, 9).map(lambda n: f"p{n}"),
    at_ms=MS,
    author=st.sampled_from(["model", "person", "extractive"]),
    ops=st.lists(OP, max_size=3).map(tuple),
    phase=st.sampled_from(["live", "final"]),
)

BODY: st.SearchStrategy[ev.Body] = st.one_of(
    st.builds(
        ev.StreamOpened,
        stream=_ids("x"),
        server_urls=TEXT,
        announced_ms=MS,
        id_key=st.sampled_from(["", "meeting_uuid"]),
        number=st.sampled_from(["", "81234567890"]),
    ),
    st.builds(
        ev.StreamChanged,
        stream=_ids("x"),
        state=st.sampled_from(["live", "interrupted", "paused"]),
        at_ms=MS,
        detail=TEXT,
    ),
    st.builds(
        ev.StreamEnded, stream=_ids("x"), at_ms=MS, reason=st.one_of(st.none(), st.integers(0, 30))
    ),
    st.builds(ev.ParticipantJoined, participant=_ids("p"), name=TEXT, at_ms=MS),
    st.builds(ev.ParticipantLeft, participant=_ids("p"), at_ms=MS),
    st.builds(ev.SegmentSpooled, segment=SEGMENT),
    st.builds(
        ev.SegmentClosed,
        segment=_ids("s"),
        outcome=st.sampled_from(["text", "empty", "failed", "merged"]),
        doubt=st.sampled_from(["", "loop"]),
    ),
    st.builds(ev.UtteranceSaid, utterance=UTTERANCE),
    st.builds(ev.UtteranceSaid, utterance=UTTERANCE),
    st.builds(ev.MessageSaid, message=MESSAGE),
    st.builds(ev.GapFound, gap=GAP),
    st.builds(ev.NotesPatched, patch=PATCH, covered_seq=st.integers(0, 20)),
    st.builds(ev.NotesPatched, patch=PATCH, covered_seq=st.integers(0, 20)),
    st.builds(
        ev.LlmCalled,
        call=_ids("l"),
        prompt=st.just("rolling"),
        prompt_hash=st.just("h"),
        model=st.just("m"),
        outcome=st.sampled_from(["ok", "timeout"]),
        milliseconds=st.integers(0, 99),
    ),
    st.builds(
        ev.StageChanged,
        stage=st.sampled_from(["stream", "summarize"]),
        state=st.sampled_from(["ok", "degraded"]),
        at_ms=MS,
        detail=TEXT,
    ),
    st.builds(ev.SharingStarted, stream=_ids("x"), at_ms=MS, participant=_ids("p"), speaker=NAME),
    st.builds(ev.SharingStopped, stream=_ids("x"), at_ms=MS),
    st.builds(
        ev.CallHappened,
        stream=_ids("x"),
        at_ms=MS,
        what=st.sampled_from(["user_hold", "event_31"]),
        speaker=NAME,
        mode=st.one_of(st.none(), TEXT),
    ),
    st.builds(
        ev.MessageReacted,
        message=_ids("c"),
        emoji=st.sampled_from(["+1", "\U0001f600"]),
        at_ms=MS,
        participant=st.one_of(st.none(), _ids("p")),
        speaker=NAME,
        removed=st.booleans(),
    ),
    st.builds(
        ev.ChatGroupsChanged,
        stream=_ids("x"),
        at_ms=MS,
        change=st.just("created"),
        raw=TEXT,
        names=st.dictionaries(TEXT, TEXT, max_size=2),
    ),
    st.builds(
        ev.SessionChanged,
        stream=_ids("x"),
        session=TEXT,
        state=st.sampled_from(["started", "paused"]),
        at_ms=MS,
    ),
    st.builds(ev.ImageKept, image=IMAGE),
    st.builds(ev.ClipKept, clip=CLIP),
    st.builds(
        ev.DoubtResolved, segment=_ids("s"), how=st.sampled_from(["accepted", "rejected"]), at_ms=MS
    ),
    st.builds(ev.RecordingKept, recording=RECORDING),
    st.builds(
        ev.ProtocolFaulted,
        stream=_ids("x"),
        socket=st.sampled_from(["signaling", "audio"]),
        reason=st.sampled_from(["unknown_type", "bad_json"]),
        detail=TEXT,
        at_ms=MS,
        count=st.integers(1, 3),
    ),
    st.builds(ev.MeetingEnded, at_ms=MS),
    st.builds(ev.MeetingFinished, at_ms=MS),
)

OPENED = ev.MeetingOpened(product="meeting", zoom_id="/x+y==", started_ms=1_000, title="Plan")

CALLS = st.lists(st.lists(BODY, min_size=1, max_size=4), max_size=12)
"""What several appends were given, after ``OPENED``."""


def said(number: int, text: str = "", **fields: object) -> ev.UtteranceSaid:
    """One utterance."""
    values: dict[str, object] = {
        "id": f"u{number}",
        "stream": "s",
        "source": "native",
        "start_ms": number * 10,
        "end_ms": number * 10 + 5,
        "text": text or f"words {number}",
        **fields,
    }
    return ev.UtteranceSaid(utterance=Utterance(**values))  # type: ignore[arg-type]


@asynccontextmanager
async def opened(home: Path, **settings: int) -> AsyncIterator[Store]:
    """A store with repeatable ids and a clock that stands still."""
    store = Store.open(
        home, clock=ManualClock(), ids=SequentialIds("m"), settings=StoreSettings(**settings)
    )
    try:
        yield store
    finally:
        await store.close()
