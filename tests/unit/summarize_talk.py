"""Invented talk for the tests of the extractive rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.model import events as ev
from pipeline.model.notes import NoteItem
from pipeline.model.speech import Message, Utterance
from pipeline.model.state import MeetingState
from pipeline.summarize.extract import ExtractiveWriter

START_MS = 1_772_539_200_000  # Tuesday 2026-03-03, noon UTC
ROSTER = ("Nina Berg", "Omar Said", "Paula Reyes")


def meeting(
    *lines: str,
    roster: Sequence[str] = ROSTER,
    language: str | None = None,
    zone: str = "UTC",
) -> MeetingState:
    """A meeting of lines ``"Omar: words"``; first names are looked up in the roster, ``#Omar:``
    is a chat message, ``?:`` an unknown voice."""
    bodies: list[ev.Body] = [
        ev.MeetingOpened(product="meeting", zoom_id="z", started_ms=START_MS, zone=zone),
        *(
            ev.ParticipantJoined(participant=str(n), name=name, at_ms=START_MS)
            for n, name in enumerate(roster, 1)
        ),
        *said(lines, roster=roster, language=language),
    ]
    return replay(bodies)


def said(
    lines: Iterable[str], *, roster: Sequence[str] = ROSTER, language: str | None = None
) -> list[ev.Body]:
    bodies: list[ev.Body] = []
    at = START_MS
    counts = {"u": 0, "c": 0}
    for line in lines:
        who, text = line.split(": ", 1)
        kind = "c" if who.startswith("#") else "u"
        counts[kind] += 1
        name = next((n for n in roster if n.split()[0] == who.lstrip("#") or n == who), None)
        person = str(roster.index(name) + 1) if name else None
        length = 400 + len(text.split()) * 380
        if kind == "c":
            message = Message(
                id=f"c{counts[kind]}",
                stream="st1",
                at_ms=at,
                text=text,
                participant=person,
                speaker=name,
            )
            bodies.append(ev.MessageSaid(message=message))
        else:
            utterance = Utterance(
                id=f"u{counts[kind]}",
                stream="st1",
                source="native",
                start_ms=at,
                end_ms=at + length,
                text=text,
                participant=person,
                speaker=name,
                language=language,
            )
            bodies.append(ev.UtteranceSaid(utterance=utterance))
            at += length
        at += 400
    return bodies


def replay(bodies: Iterable[ev.Body]) -> MeetingState:
    return MeetingState.replay("m", (ev.Event("m", n, 0, b) for n, b in enumerate(bodies, 1)))


def extracted(state: MeetingState, kind: str, *, final: bool = False) -> list[NoteItem]:
    """Items of a kind that the rules find in a meeting."""
    return [i for i in ExtractiveWriter().extract(state, final=final) if i.kind == kind]
