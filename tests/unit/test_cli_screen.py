"""The demo's terminal shows words while they are said, and each line once."""

from __future__ import annotations

import io
from typing import Any

import msgspec
from rich.console import Console

from pipeline.cli.screen import Screen
from pipeline.model import events as ev
from pipeline.model.live import Partial
from pipeline.model.speech import Segment, Utterance

START = 1_795_514_400_000
PARTIAL = Partial(
    file="a.pcm",
    stream="s",
    start_ms=START + 1_000,
    participant="1",
    speaker="Anna",
    committed="we ship",
    tentative="the Fox",
)


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    made = Console(file=written, force_terminal=terminal, width=100)
    return made, written


class Log:
    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.seq = 0
        self.add(ev.MeetingOpened(product="meeting", zoom_id="z", started_ms=START))

    def add(self, body: ev.Body) -> None:
        self.seq += 1
        self.screen.take(ev.Event("m", self.seq, 0, body))


def rendered(screen: Screen) -> str:
    plain = Console(file=io.StringIO(), width=100)
    plain.print(screen._render())
    return plain.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def said(**fields: Any) -> ev.UtteranceSaid:
    base = Utterance(
        id="u1",
        stream="s",
        source="local",
        start_ms=START + 1_000,
        end_ms=START + 2_000,
        text="We ship the first boxes.",
        participant="1",
        speaker="Anna",
        segment="s1",
    )
    return ev.UtteranceSaid(utterance=msgspec.structs.replace(base, **fields))


def spooled() -> ev.SegmentSpooled:
    segment = Segment(
        id="s1", stream="s", start_ms=START, end_ms=START + 1, file="a.pcm", samples=1
    )
    return ev.SegmentSpooled(segment=segment)


def test_words_are_shown_while_they_are_said_and_once_they_are_final_not_again() -> None:
    made, _ = console(terminal=True)
    with Screen(made, None) as screen:
        assert screen.is_live
        log = Log(screen)
        log.add(spooled())
        screen.saying = (PARTIAL,)
        assert "10:00:01 Anna: we ship the Fox" in rendered(screen)
        log.add(said())
        shown = rendered(screen)
        assert "the Fox" not in shown  # though it is still among what is being said
        assert shown.count("We ship the first boxes.") == 1


def test_a_segment_without_words_is_settled_too_and_hostile_words_are_only_text() -> None:
    made, _ = console(terminal=True)
    with Screen(made, None) as screen:
        log = Log(screen)
        nasty = "\x1b]0;pwn\x07[red]x[/red]"
        screen.saying = (msgspec.structs.replace(PARTIAL, committed=nasty, speaker=nasty),)
        shown = rendered(screen)
        assert "\x1b" not in shown
        assert "[red]x[/red]" in shown
        log.add(spooled())
        log.add(ev.SegmentClosed(segment="s1", outcome="empty"))
        assert "pwn" not in rendered(screen)


def test_plain_lines_say_who_probably_spoke_and_what_may_be_made_up() -> None:
    made, written = console(terminal=False)
    with Screen(made, None) as screen:
        assert not screen.is_live
        log = Log(screen)
        screen.saying = (PARTIAL,)
        screen.draw()
        log.add(said(attribution="active_speaker", doubt="loop"))
    assert written.getvalue() == (
        "10:00:01 Anna (probably): We ship the first boxes."
        "  (may be made up: the same words again and again)\n"
    )
