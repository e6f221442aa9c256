"""What the stream sends keeps a page equal to a fresh one, wherever it begins."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model import events as ev
from pipeline.model.happening import Image
from pipeline.model.notes import Add, Check, Evidence, Merge, NoteItem, Patch, Retract, Update
from pipeline.model.speech import Gap, Message, SharedFile, Utterance
from pipeline.model.state import MeetingState
from pipeline.web.feed import Change, Feed
from pipeline.web.shapes import HeadView, ItemView, LineView
from pipeline.web.views import Views

GOLDEN = Path(__file__).parent / "golden" / "holiday_boxes.events.jsonl"
START = 1_795_514_400_000


def numbered(bodies: list[ev.Body]) -> list[ev.Event]:
    return [ev.Event("m", n, 0, body) for n, body in enumerate(bodies, 1)]


EVENTS = numbered([ev.decode_body(line) for line in GOLDEN.read_bytes().splitlines()])


class Page:
    """What the script does with changes, without a browser."""

    def __init__(self, state: MeetingState) -> None:
        views = Views(state)
        self.head: HeadView = views.head()
        self.lines: dict[str, LineView] = {view.id: view for view in views.lines()}
        self.items: dict[str, ItemView] = {view.id: view for view in views.items()}

    def apply(self, change: Change) -> None:
        again = msgspec.json.decode(msgspec.json.encode(change), type=Change)
        assert again == change
        self.head = change.head or self.head
        self.lines.update({view.id: view for view in change.lines})
        self.items.update({view.id: view for view in change.items})
        for ref in change.gone:
            self.lines.pop(ref, None)
            self.items.pop(ref, None)

    def shown(self) -> tuple[HeadView, list[LineView], list[ItemView]]:
        lines = sorted(self.lines.values(), key=lambda view: view.sort)
        items = sorted(self.items.values(), key=lambda view: (view.section, view.sort))
        return self.head, lines, items


def follow(events: list[ev.Event], begin: int, cuts: list[int]) -> Page:
    """A page loaded after ``begin`` events and changed after each of ``cuts`` and at the end."""
    feed = Feed("m")
    for event in events[:begin]:
        feed.fold(event)
    feed.settle()
    page = Page(feed.state)
    for event in events[begin:]:
        feed.fold(event)
        if event.seq in cuts:
            page.apply(feed.change())
    page.apply(feed.change())
    return page


def fresh(events: list[ev.Event]) -> Page:
    return Page(MeetingState.replay("m", events))


def word(n: int, **fields: object) -> ev.UtteranceSaid:
    base = Utterance(
        id=f"u{n}",
        stream="s",
        source="native",
        start_ms=START + n * 1000,
        end_ms=START + n * 1000 + 900,
        text=f"words {n}",
        speaker="Annabel",
        participant="1",
    )
    return ev.UtteranceSaid(utterance=msgspec.structs.replace(base, **fields))


def picture(n: int, at_ms: int) -> Image:
    return Image(
        id=f"i{n}",
        stream="s",
        at_ms=at_ms,
        media="deskshare",
        file=f"screen-{n}.jpg",
        thumb=f"screen-{n}-small.jpg",
        width=640,
        height=360,
        speaker="Anna",
    )


def cite(ref: str) -> Evidence:
    return Evidence(ref=ref, revision=1, quote="", start_ms=START, end_ms=START + 1)


OPENED = ev.MeetingOpened(product="meeting", zoom_id="z", started_ms=START, title="T")


def bodies() -> st.SearchStrategy[list[ev.Body]]:
    """Anything that can happen to words and notes, in any order."""
    number = st.integers(1, 4)
    item = st.sampled_from(["n1", "n2", "n3"])
    ref = st.sampled_from(["u1", "u2", "c1", "u9"])
    kind = st.sampled_from(["decision", "action", "question", "overview"])
    status = st.sampled_from(["open", "done", "answered", "retracted", "rejected", "candidate"])
    op = st.one_of(
        st.builds(
            lambda i, k, r, s: Add(
                NoteItem(id=i, kind=k, text=f"{i} {k}", status=s, evidence=(cite(r),))
            ),
            item,
            kind,
            ref,
            status,
        ),
        st.builds(lambda i, s: Update(i, {"status": s, "text": s}), item, status),
        st.builds(Retract, item),
        st.builds(Merge, item, item),
    )
    patch = st.builds(
        lambda n, ops, seq: ev.NotesPatched(
            patch=Patch(id=f"p{n}", at_ms=START, author="model", ops=tuple(ops)), covered_seq=seq
        ),
        st.integers(1, 50),
        st.lists(op, max_size=4),
        st.integers(0, 30),
    )
    event = st.one_of(
        st.builds(
            lambda n, r, d, role: word(n, revision=r, deleted=d, role=role, text=f"r{r}"),
            number,
            st.integers(1, 3),
            st.booleans(),
            st.sampled_from(["primary", "fill", "comparison"]),
        ),
        st.builds(
            lambda n, r, d, session, parent: ev.MessageSaid(
                message=Message(
                    id=f"c{n}",
                    zoom_id=f"z{n}",
                    stream="s",
                    at_ms=START,
                    text="t",
                    revision=r,
                    deleted=d,
                    session=session,
                    to_name="Bo",
                    parent=f"z{parent}",
                )
            ),
            st.integers(1, 2),
            st.integers(1, 3),
            st.booleans(),
            st.sampled_from([None, "everyone", "individual", "group"]),
            st.integers(1, 2),
        ),
        st.builds(
            lambda n, removed: ev.MessageReacted(
                message=f"c{n}", emoji="+1", at_ms=START, removed=removed
            ),
            st.integers(1, 2),
            st.booleans(),
        ),
        st.builds(
            lambda t: ev.SharingStarted(stream="s", at_ms=START + t, speaker="Anna"),
            st.integers(-2, 2),
        ),
        st.builds(lambda t: ev.SharingStopped(stream="s", at_ms=START + t), st.integers(-2, 2)),
        st.builds(
            lambda n, t: ev.ImageKept(image=picture(n, START + t)), number, st.integers(-2, 2)
        ),
        st.just(ev.CallHappened(stream="s", at_ms=START, what="user_hold")),
        st.builds(
            lambda n: ev.ProtocolFaulted(
                stream="s", socket="audio", reason="bad_json", detail="", at_ms=START, count=n
            ),
            number,
        ),
        st.builds(
            lambda n, t: ev.GapFound(
                gap=Gap(
                    id=f"g{n}",
                    from_ms=START,
                    to_ms=START + t,
                    media="audio",
                    cause="x",
                    participant="1",
                )
            ),
            number,
            st.integers(0, 9000),
        ),
        st.builds(
            lambda s: ev.StageChanged(stage="summarize", state=s, at_ms=START, detail="why"),
            st.sampled_from(["ok", "degraded"]),
        ),
        st.builds(
            lambda n: ev.ParticipantJoined(participant="1", name=n, at_ms=START),
            st.sampled_from(["Anna", "Bo"]),
        ),
        st.just(ev.MeetingEnded(at_ms=START + 60_000)),
        patch,
    )
    return st.lists(event, max_size=25).map(lambda rest: [OPENED, *rest])


@pytest.mark.parametrize("begin", range(1, len(EVENTS) + 1, 7))
def test_a_page_that_follows_equals_one_loaded_at_the_end(begin: int) -> None:
    every = list(range(begin, len(EVENTS) + 1))
    assert follow(EVENTS, begin, every).shown() == fresh(EVENTS).shown()
    assert follow(EVENTS, begin, []).shown() == fresh(EVENTS).shown()  # one change after a sleep


@settings(deadline=None)
@given(bodies(), st.data())
def test_any_history_any_start_any_cuts(history: list[ev.Body], data: st.DataObject) -> None:
    events = numbered(history)
    begin = data.draw(st.integers(1, len(events)))
    cuts = data.draw(st.lists(st.integers(1, len(events))))
    assert follow(events, begin, cuts).shown() == fresh(events).shown()


def feed_of(*events: ev.Body) -> Feed:
    feed = Feed("m")
    for event in numbered([OPENED, *events]):
        feed.fold(event)
    return feed


def test_a_change_carries_only_what_changed() -> None:
    feed = feed_of(word(1), word(2))
    feed.change()
    feed.fold(ev.Event("m", 4, 0, ev.SegmentClosed(segment="s1", outcome="empty")))
    change = feed.change()
    assert change == Change(seq=4)
    assert msgspec.json.encode(change) == b'{"seq":4}'


def test_news_are_told_of_new_and_settled_items_only() -> None:
    feed = feed_of(word(1))
    feed.change()

    def patch(n: int, *ops: object) -> list[str]:
        body = ev.NotesPatched(
            patch=Patch(id=f"p{n}", at_ms=START, author="model", ops=ops),  # type: ignore[arg-type]
            covered_seq=1,
        )
        feed.fold(ev.Event("m", feed.state.last_seq + 1, 0, body))
        return list(feed.change().news)

    new = NoteItem(id="n1", kind="action", text="Call", owner="Anna", evidence=(cite("u1"),))
    assert patch(1, Add(new)) == ["action: Call (Anna)"]
    assert patch(2, Update("n1", {"due_text": "soon"})) == []
    assert patch(3, Retract("n1")) == ["action: Call (withdrawn, Anna)"]
    assert patch(4, Retract("n1", status="rejected")) == []


def test_words_link_back_to_the_notes_that_cite_them() -> None:
    feed = feed_of(word(1), word(2))
    feed.change()
    add = Add(NoteItem(id="n1", kind="decision", text="Go", evidence=(cite("u2"),)))
    patch = Patch(id="p", at_ms=START, author="model", ops=(add,))
    feed.fold(ev.Event("m", 4, 0, ev.NotesPatched(patch=patch, covered_seq=3)))
    (line,) = feed.change().lines
    assert (line.id, [(ref.to, ref.label) for ref in line.refs]) == ("u2", [("n1", "decision")])


def test_an_item_whose_words_are_taken_back_says_so() -> None:
    add = Add(
        NoteItem(
            id="n1",
            kind="point",
            text="x",
            evidence=(cite("u1"),),
            check=Check(state="verified"),
        )
    )
    patch = Patch(id="p", at_ms=START, author="model", ops=(add,))
    feed = feed_of(word(1), ev.NotesPatched(patch=patch, covered_seq=2))
    feed.change()
    feed.fold(ev.Event("m", 4, 0, word(1, revision=2, deleted=True)))
    change = feed.change()
    assert change.gone == ("u1",)
    (item,) = change.items
    assert item.refs[0].to == ""
    assert "taken back" in item.refs[0].label


def test_what_was_on_the_screen_is_a_line_and_a_link_of_the_notes() -> None:
    add = Add(NoteItem(id="n1", kind="decision", text="d", evidence=(cite("u1"),)))
    patch = Patch(id="p", at_ms=START, author="model", ops=(add,))
    feed = feed_of(word(1), ev.NotesPatched(patch=patch, covered_seq=2))
    feed.settle()
    started = ev.SharingStarted(stream="s", at_ms=START - 9_000, speaker="An<b>na")
    kept = ev.ImageKept(image=picture(1, START - 5_000))
    shared: tuple[ev.Body, ...] = (started, kept)
    for seq, body in enumerate(shared, 4):
        feed.fold(ev.Event("m", seq, 0, body))
    change = feed.change()
    event, shot = change.lines
    assert (event.kind, event.text) == ("event", "An<b>na shares the screen")
    assert (shot.kind, shot.image) == ("picture", "/m/m/images/screen-1.jpg")
    (item,) = change.items
    assert [(ref.to, ref.label) for ref in item.refs][-1] == ("i1", "screen 09:59:55")
    feed.fold(ev.Event("m", 6, 0, ev.SharingStopped(stream="s", at_ms=START - 1_000)))
    (item,) = feed.change().items
    assert [ref.to for ref in item.refs] == ["u1"]


def test_a_private_message_is_marked_and_says_whom_it_was_for() -> None:
    message = Message(
        id="c1",
        stream="s",
        at_ms=START,
        text="psst",
        speaker="Anna",
        session="individual",
        to_name="Bo",
        files=(SharedFile(name="plan.pdf", size=120_000),),
    )
    feed = feed_of(
        ev.MessageSaid(message=message),
        ev.MessageReacted(message="c1", emoji="+1", at_ms=START, speaker="Bo"),
    )
    (line,) = feed.change().lines
    assert (line.kind, line.mark) == ("private", "chat, private, to Bo")
    assert line.beside == "file: plan.pdf (120 kB); +1 Bo"
