"""What a reader is told of words that are being said: the newest, once, and never after the log."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.export.timeline import timeline
from pipeline.model import events as ev
from pipeline.model.live import Partial
from pipeline.model.speech import Gap, Segment, Utterance
from pipeline.model.state import MeetingState
from pipeline.model.turns import continuing
from pipeline.web.feed import Feed
from pipeline.web.paragraphs import Paragraphs

START = 1_795_514_400_000


def partial(file: str = "a.pcm", text: str = "we ship", **fields: Any) -> Partial:
    base = Partial(
        file=file,
        stream="s",
        start_ms=START + 5_000,
        participant="1",
        speaker="Anna",
        tentative=text,
    )
    return msgspec.structs.replace(base, **fields)


def utterance(number: int = 1, **fields: Any) -> Utterance:
    base = Utterance(
        id=f"u{number}",
        stream="s",
        source="local",
        start_ms=START + number * 1_000,
        end_ms=START + number * 1_000 + 900,
        text="words",
        participant="1",
        speaker="Anna",
    )
    return msgspec.structs.replace(base, **fields)


class Reader:
    """A feed with events one after another."""

    def __init__(self) -> None:
        self.feed = Feed("m")
        self.add(ev.MeetingOpened(product="meeting", zoom_id="z", started_ms=START))
        self.feed.settle()

    def add(self, *bodies: ev.Body) -> None:
        for body in bodies:
            self.feed.fold(ev.Event("m", self.feed.state.last_seq + 1, 0, body))

    def spooled(self, segment: str = "s1", file: str = "a.pcm") -> None:
        made = Segment(id=segment, stream="s", start_ms=START, end_ms=START, file=file, samples=1)
        self.add(ev.SegmentSpooled(segment=made))


def test_only_what_changed_is_told() -> None:
    reader = Reader()
    said = reader.feed.said((partial(), partial("b.pcm", "and we", start_ms=START + 6_000)))
    assert said is not None
    assert [(v.file, v.tentative, v.time, v.speaker) for v in said.lines] == [
        ("a.pcm", "we ship", "10:00:05", "Anna"),
        ("b.pcm", "and we", "10:00:06", "Anna"),
    ]
    again = (partial(), partial("b.pcm", "and we also", start_ms=START + 6_000))
    said = reader.feed.said(again)
    assert said is not None
    assert [v.file for v in said.lines] == ["b.pcm"]
    assert reader.feed.said(again) is None
    said = reader.feed.said((partial(),))
    assert said is not None
    assert (said.lines, said.gone) == ((), ("b.pcm",))


def test_the_words_in_the_log_settle_it_before_the_segment_is_closed() -> None:
    reader = Reader()
    reader.spooled()
    reader.feed.said((partial(),))
    assert reader.feed.change().settled == ()  # it waits for its words
    reader.add(ev.UtteranceSaid(utterance=utterance(segment="s1")))
    assert reader.feed.change().settled == ("a.pcm",)
    assert reader.feed.said((partial(text="we ship on"),)) is None  # never again


def test_so_does_a_segment_that_was_merged_empty_or_failed() -> None:
    reader = Reader()
    for number, outcome in enumerate(("empty", "failed", "merged"), 1):
        reader.spooled(f"s{number}", f"{outcome}.pcm")
        closed = ev.SegmentClosed(segment=f"s{number}", outcome=outcome)  # type: ignore[arg-type]
        reader.add(closed)
    change = reader.feed.change()
    assert change.settled == ("empty.pcm", "failed.pcm", "merged.pcm")
    assert reader.feed.change().settled == ()
    assert reader.feed.said((partial("empty.pcm"), partial("merged.pcm"))) is None


def test_a_reader_who_comes_later_is_not_told_of_old_words_either() -> None:
    first = Reader()
    first.spooled()
    first.add(ev.UtteranceSaid(utterance=utterance(segment="s1")))
    first.feed.settle()
    assert first.feed.said((partial(),)) is None
    assert first.feed.change().settled == ()  # its page has no partials yet


def test_a_line_being_said_goes_on_with_the_one_before_it() -> None:
    reader = Reader()
    reader.add(ev.UtteranceSaid(utterance=utterance(3)))
    reader.feed.change()
    said = reader.feed.said((partial(), partial("b.pcm", speaker="Ben", participant="2")))
    assert said is not None
    assert [(v.file, v.goes_on) for v in said.lines] == [("a.pcm", True), ("b.pcm", False)]


def test_names_and_words_are_cleaned_and_never_too_certain() -> None:
    reader = Reader()
    said = reader.feed.said(
        (
            partial(committed="a\u202eb", text="c\x1bd", attribution="active_speaker"),
            partial("b.pcm", speaker="Ghost", attribution="unknown"),
        )
    )
    assert said is not None
    first, second = said.lines
    assert (first.committed, first.tentative) == ("ab", "c d")
    assert first.speaker == "Anna (probably)"
    assert (second.speaker, second.voice) == ("Unknown speaker", "unknown")


# -- paragraphs, line by line -----------------------------------------------------------------

entries = st.builds(
    lambda number, at, who, is_gap: (
        Gap(
            id=f"g{number}",
            from_ms=START + at,
            to_ms=START + at + 1,
            media="all",
            cause="media_lost",
        )
        if is_gap
        else utterance(number, start_ms=START + at, end_ms=START + at, speaker=who)
    ),
    st.integers(1, 6),
    st.integers(0, 9).map(lambda n: n * 1_000),
    st.sampled_from(["Anna", "Ben", None]),
    st.booleans(),
)


@given(st.lists(st.tuples(st.booleans(), entries), max_size=30))
def test_going_on_is_what_it_would_be_for_the_whole_page(
    steps: list[tuple[bool, Utterance | Gap]],
) -> None:
    paragraphs = Paragraphs()
    shown: dict[str, Utterance | Gap] = {}
    going_on: set[str] = set()  # as somebody knows who is told of changes only
    for put, entry in steps:
        if put:
            shown[entry.id] = entry
            told = paragraphs.put(entry)
        else:
            shown.pop(entry.id, None)
            told = paragraphs.take(entry.id)
        for ref in {*told, entry.id} & shown.keys():
            (going_on.add if ref in paragraphs.going_on else going_on.discard)(ref)
        going_on &= shown.keys()
        bodies: list[ev.Body] = [
            ev.MeetingOpened(product="meeting", zoom_id="z", started_ms=START),
            *(
                ev.GapFound(gap=e) if isinstance(e, Gap) else ev.UtteranceSaid(utterance=e)
                for e in shown.values()
            ),
        ]
        state = MeetingState.replay("m", [ev.Event("m", n, 0, b) for n, b in enumerate(bodies, 1)])
        whole = continuing(timeline(state))
        assert paragraphs.going_on == whole
        assert going_on == whole
