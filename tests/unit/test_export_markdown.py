"""The markdown export: a golden meeting, and what must never be hidden."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.export import markdown
from pipeline.export.formats import FORMATS
from pipeline.model import events as ev
from pipeline.model.happening import Image
from pipeline.model.notes import (
    Add,
    Check,
    Evidence,
    Merge,
    NoteItem,
    Patch,
    Retract,
    Status,
)
from pipeline.model.speech import Gap, Message, Segment, SharedFile, Utterance
from pipeline.model.state import MeetingState

GOLDEN = Path(__file__).parent / "golden"
START = 1_795_514_400_000  # 2026-11-24 10:00:00 UTC
render = FORMATS["md"].render


def replay(*bodies: ev.Body) -> MeetingState:
    return MeetingState.replay("m", [ev.Event("m", n, 0, body) for n, body in enumerate(bodies, 1)])


def golden_state() -> MeetingState:
    lines = (GOLDEN / "holiday_boxes.events.jsonl").read_bytes().splitlines()
    return replay(*(ev.decode_body(line) for line in lines))


def opened(**fields: object) -> ev.MeetingOpened:
    base = ev.MeetingOpened(product="meeting", zoom_id="z", started_ms=START, title="Plan")
    return msgspec.structs.replace(base, **fields)


def said(n: int, text: str, speaker: str | None = "Anna", **fields: object) -> ev.UtteranceSaid:
    base = Utterance(
        id=f"u{n}",
        stream="s",
        source="native",
        start_ms=START + n * 10_000,
        end_ms=START + n * 10_000 + 4_000,
        text=text,
        speaker=speaker,
    )
    return ev.UtteranceSaid(utterance=msgspec.structs.replace(base, **fields))


def cite(n: int, speaker: str | None = "Anna") -> Evidence:
    at = START + n * 10_000
    return Evidence(
        ref=f"u{n}", revision=1, quote="", start_ms=at, end_ms=at + 4_000, speaker=speaker
    )


def noted(*ops: object, covered: int = 99, phase: str = "live", pid: str = "p") -> ev.NotesPatched:
    patch = Patch(id=pid, at_ms=START, author="model", ops=ops, phase=phase)  # type: ignore[arg-type]
    return ev.NotesPatched(patch=patch, covered_seq=covered)


def item(item_id: str, kind: str, text: str, **fields: object) -> Add:
    base = NoteItem(id=item_id, kind=kind, text=text, check=Check(state="verified"))  # type: ignore[arg-type]
    return Add(msgspec.structs.replace(base, **fields))


def front(markdown: str) -> dict[str, object]:
    return yaml.safe_load(markdown.split("---\n", 2)[1])


def test_the_golden_meeting_reads_as_it_did() -> None:
    path = GOLDEN / "holiday_boxes.md"
    text = render(golden_state())
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_link_leads_to_words_in_the_same_file() -> None:
    text = render(golden_state())
    targets = set(re.findall(r"\]\(#(\^[uc]\d+)\)", text))
    assert len(targets) > 10
    for target in targets:
        assert text.count(f'<a id="{target}"></a>') == 1  # GitHub and everybody else
        assert len(re.findall(rf"(?m) {re.escape(target)}$", text)) == 1  # Obsidian's block id


def test_front_matter_is_flat_and_typed() -> None:
    found = front(render(golden_state()))
    assert found["title"] == "Holiday boxes"
    assert found["participants"] == ["Anna Miller", "Mark Jensen", "David Reed", "Tom Carter"]
    assert found["x_state"] == "finished"
    assert found["x_decisions"] == 2
    assert found["x_actions_open"] == 3
    assert found["x_questions_open"] == 1
    assert found["x_notes"] == "extracted, not written"
    assert found["x_gaps"] == ["10:02:41-10:02:49, everything, media connection lost (8 s)"]
    assert not any(isinstance(value, dict) for value in found.values())
    assert all(name.startswith("x_") or name in OPENOATS for name in found)


OPENOATS = {"title", "date", "duration", "participants", "language", "engine", "app"}


def test_the_terminal_can_cut_notes_from_transcript() -> None:
    text = render(golden_state())
    body = text.split("\n---\n", 1)[-1].split("\n## Transcript", 1)[0]
    assert body.lstrip().startswith("# Holiday boxes")
    assert "## Decisions" in body
    assert '<a id="' not in body


def test_a_stream_that_was_never_received_is_missing_from_its_start_on() -> None:
    gap = Gap(
        id="g1",
        from_ms=START,
        to_ms=START + 1,
        media="all",
        cause="not_connected",
        detail="nothing was received: Zoom refused the media connection",
    )
    text = render(replay(opened(), ev.GapFound(gap=gap)))
    line = "from 10:00:00 on, everything, nothing was received: Zoom refused the media connection"
    assert text.count(line + "\n") == 2
    assert front(text)["x_gaps"] == [line]


def test_a_short_gap_does_not_say_that_nothing_is_missing() -> None:
    gap = Gap(id="g1", from_ms=START, to_ms=START + 480, media="audio", cause="unreadable")
    text = render(replay(opened(), ev.GapFound(gap=gap)))
    assert "10:00:00-10:00:00, audio, unreadable (0.5 s)" in text


def test_a_clock_that_jumped_makes_times_doubtful() -> None:
    fault = ev.ProtocolFaulted(stream="S", socket="stream", reason="clock_jump", detail="", at_ms=1)
    assert "> Zoom's clock jumped during the meeting" in render(replay(opened(), fault))


def test_a_gap_is_stated_at_the_top_and_in_its_place() -> None:
    gap = Gap(
        id="g1", from_ms=START + 15_000, to_ms=START + 18_000, media="all", cause="media_lost"
    )
    text = render(replay(opened(), said(1, "one"), said(2, "two"), ev.GapFound(gap=gap)))
    line = "> **Missing:** 10:00:15-10:00:18, everything, media lost (3 s)"
    assert text.count(line) == 2
    transcript = text.split("## Transcript")[1]
    assert transcript.index("one") < transcript.index(line) < transcript.index("two")
    assert text.index(line) < text.index("## Transcript")


def test_a_live_meeting_says_how_far_the_notes_have_read() -> None:
    state = replay(opened(), said(1, "one"), said(2, "two"), noted(covered=2), said(3, "three"))
    text = render(state)
    assert "The meeting is still live. Notes have read up to 10:00:14; 2 newer lines not in" in text
    assert front(text)["x_notes_final"] is False
    assert "x_end" not in front(text)


def test_an_ended_meeting_says_what_is_still_to_come() -> None:
    segment = Segment(id="s1", stream="s", start_ms=START, end_ms=START + 1, file="f", samples=16)
    state = replay(
        opened(), ev.SegmentSpooled(segment=segment), ev.MeetingEnded(at_ms=START + 60_000)
    )
    text = render(state)
    assert "The meeting has ended; the notes are not final." in text
    assert "1 piece of speech still to be transcribed." in text
    assert "No words yet." in text


def test_a_meeting_without_words_does_not_say_that_nobody_spoke() -> None:
    text = render(replay(opened(), ev.MeetingEnded(at_ms=START + 60_000)))
    assert "No words were heard." in text


def test_a_degraded_stage_is_named_with_its_reason() -> None:
    change = ev.StageChanged(
        stage="summarize", state="degraded", at_ms=START, detail="the model is away", retryable=True
    )
    assert "> Notes degraded: the model is away; it is tried again." in render(
        replay(opened(), change)
    )


def test_actions_show_owner_due_and_state() -> None:
    text = render(
        replay(
            opened(),
            said(1, "words"),
            noted(
                item(
                    "n1",
                    "action",
                    "Call the school",
                    owner="Anna",
                    due="2026-11-26",
                    due_text="by Thursday",
                    evidence=(cite(1),),
                ),
                item(
                    "n2", "action", "Write", owner_candidates=("Jo A", "Jo B"), evidence=(cite(1),)
                ),
                item("n3", "action", "Pay", status="done", owner="Bo", evidence=(cite(1),)),
                item("n4", "action", "Dance", evidence=(cite(1),)),
                item("n5", "action", "Buy tins", owner="Bo", evidence=(cite(1),)),
                Retract("n5"),
            ),
        )
    )
    link = "[10:00:10 Anna](#^u1)"
    sep = " \u2014 "
    assert (
        f'- [ ] Call the school{sep}**Anna**, due Thu 2026-11-26 ("by Thursday"){sep}{link}' in text
    )
    assert f"- [ ] Write{sep}*Jo A or Jo B (not certain which)*{sep}{link}" in text
    assert f"- [x] Pay{sep}**Bo**{sep}{link}" in text
    assert f"- [ ] Dance{sep}*owner not known*{sep}{link}" in text
    assert f"- Withdrawn:\n  - ~~Buy tins~~{sep}**Bo**{sep}{link}" in text


def test_unverified_lines_say_why() -> None:
    check = Check(state="unverified", reasons=("owner is not on the roster", "no such date"))
    text = render(
        replay(
            opened(),
            said(1, "x"),
            noted(item("n1", "point", "A point", check=check, evidence=(cite(1),))),
        )
    )
    assert "**unverified:** owner is not on the roster; no such date" in text
    assert "1 line marked unverified" in text
    assert front(text)["x_unverified"] == 1


def test_merged_and_rejected_items_are_not_shown_and_deleted_words_are_not_linked() -> None:
    text = render(
        replay(
            opened(),
            said(1, "first"),
            said(2, "second"),
            noted(
                item("n1", "point", "Stays", evidence=(cite(1),)),
                item("n2", "point", "Merges", evidence=(cite(2),)),
                item("n3", "point", "Held back", status="rejected"),
                Merge("n2", "n1"),
            ),
            said(2, "second", revision=2, deleted=True),
        )
    )
    assert "Merges" not in text
    assert "Held back" not in text
    assert "second" not in text
    assert "[10:00:10 Anna](#^u1), 10:00:20 Anna (*words taken back*)" in text


def test_chat_unknown_speakers_and_the_other_engine_are_said_as_such() -> None:
    message = Message(id="c1", stream="s", at_ms=START + 12_000, text="link", speaker="Bo")
    text = render(
        replay(
            opened(),
            said(1, "who am I", speaker=None),
            ev.MessageSaid(message=message),
            said(2, "filled", role="fill", source="local"),
            said(3, "hidden", role="comparison", source="local"),
        )
    )
    assert '[10:00:10] **Unknown speaker:** <a id="^u1"></a>who am I ^u1' in text
    assert '[10:00:12] **Bo:** *(chat)* <a id="^c1"></a>link ^c1' in text
    assert "*(from the other engine)*" in text
    assert "hidden" not in text


def shot(n: int, at_s: int, speaker: str | None = "Anna") -> ev.ImageKept:
    return ev.ImageKept(
        image=Image(
            id=f"i{n}",
            stream="s",
            at_ms=START + at_s * 1000,
            media="deskshare",
            file=f"screen-{n}.jpg",
            thumb=f"screen-{n}-small.jpg",
            width=640,
            height=360,
            speaker=speaker,
        )
    )


def test_screens_are_linked_with_time_and_who_shared_and_notes_link_to_them() -> None:
    state = replay(
        opened(),
        ev.SharingStarted(stream="s", at_ms=START + 2_000, speaker="Anna"),
        shot(1, 3),
        said(1, "this slide"),
        ev.SharingStopped(stream="s", at_ms=START + 15_000, speaker="Anna"),
        said(2, "later"),
        noted(
            item("n1", "decision", "with the slide", evidence=(cite(1),)),
            item("n2", "decision", "without one", evidence=(cite(2),)),
        ),
    )
    text = markdown.render(state, "../my images")
    assert "[10:00:02] *Anna shares the screen*" in text
    assert "[10:00:15] *Anna stopped sharing the screen*" in text
    assert (
        '[10:00:03] *Screen of Anna* <a id="^i1"></a>[![Screen of Anna, 10:00:03]'
        "(../my%20images/screen-1-small.jpg)](../my%20images/screen-1.jpg) ^i1" in text
    )
    assert "with the slide \u2014 [10:00:10 Anna](#^u1), [screen 10:00:03](#^i1)" in text
    assert "without one \u2014 [10:00:20 Anna](#^u2)\n" in text


def test_chat_says_whom_it_was_for_what_it_answers_its_files_and_reactions() -> None:
    first = Message(
        id="c1",
        stream="s",
        at_ms=START + 1_000,
        text="see file",
        speaker="Bo",
        zoom_id="z1",
        session="everyone",
        files=(SharedFile(name="pl*an.pdf", size=1_200_000), SharedFile()),
    )
    second = Message(
        id="c2",
        stream="s",
        at_ms=START + 2_000,
        text="psst",
        speaker="Anna",
        session="individual",
        to_name="B*o",
        parent="z1",
    )
    third = Message(
        id="c3", stream="s", at_ms=START + 3_000, text="x", session="group", chat_group="Design"
    )
    text = render(
        replay(
            opened(),
            *(ev.MessageSaid(message=m) for m in (first, second, third)),
            ev.MessageReacted(message="c1", emoji="\U0001f44d", at_ms=START, speaker="Anna"),
        )
    )
    assert (
        "see file *(files: pl\\*an.pdf (1.2 MB), without a name)* *(\U0001f44d Anna)* ^c1" in text
    )
    assert "**Anna:** *(chat, private, to B\\*o, answers [10:00:01 Bo](#^c1))*" in text
    assert "*(chat, private, to group Design)*" in text


def test_calls_read_as_sentences_also_of_a_kind_nobody_knows() -> None:
    text = render(
        replay(
            opened(),
            ev.CallHappened(
                stream="s", at_ms=START + 1_000, what="user_hold", speaker="Ada", mode="agent"
            ),
            ev.CallHappened(stream="s", at_ms=START + 2_000, what="event_31"),
        )
    )
    assert "[10:00:01] *Ada (agent) put the call on hold*" in text
    assert "[10:00:02] *Somebody: event 31*" in text


def test_times_are_in_the_meetings_zone_and_other_days_show_their_date() -> None:
    late = said(1, "late", start_ms=START + 86_400_000, end_ms=START + 86_401_000)
    text = render(replay(opened(zone="America/New_York"), said(2, "soon"), late))
    assert front(text)["date"].isoformat() == "2026-11-24T05:00:00-05:00"  # type: ignore[attr-defined]
    assert "[05:00:20] **Anna:**" in text
    assert "[2026-11-25 05:00:00] **Anna:**" in text


@pytest.mark.parametrize("zone", ["No/Where", "", "../../etc/passwd", "x\x00y"])
def test_an_unknown_zone_falls_back_to_utc_and_says_so(zone: str) -> None:
    found = front(render(replay(opened(zone=zone), said(1, "x"))))
    assert found["x_zone"] == "UTC"


def test_a_meeting_of_which_only_the_opening_is_known_can_be_exported() -> None:
    text = render(replay(opened(title=None)))
    assert front(text)["title"] == "Untitled meeting"
    assert front(text)["participants"] == []
    assert "Nothing has been noted." in text


def test_before_its_first_event_there_is_nothing_to_render() -> None:
    with pytest.raises(ValueError, match="no meeting_opened"):
        render(MeetingState("m"))


HOSTILE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "<img src=x onerror=alert(1)>",
            "---\nx: y\n---",
            "## Transcript",
            '"]\n- injected: yes',
            "[x](javascript:alert(1))",
            "^u1",
            "|a|b|",
            "{{7*7}}",
        ]
    ),
)


@settings(max_examples=60, deadline=None)
@given(
    title=HOSTILE,
    name=HOSTILE,
    words=HOSTILE,
    status=st.sampled_from(["open", "done", "retracted", "candidate"]),
)
def test_hostile_text_changes_nothing_but_text(
    title: str, name: str, words: str, status: Status
) -> None:
    text = render(
        replay(
            opened(title=title),
            ev.ParticipantJoined(participant="1", name=name, at_ms=START),
            said(1, words, speaker=name),
            ev.MessageSaid(
                message=Message(
                    id="c1",
                    stream="s",
                    at_ms=START,
                    text=words,
                    speaker=name,
                    session="individual",
                    to_name=name,
                    files=(SharedFile(name=words),),
                )
            ),
            ev.MessageReacted(message="c1", emoji=words, at_ms=START, speaker=name),
            ev.SharingStarted(stream="s", at_ms=START, speaker=name),
            ev.CallHappened(stream="s", at_ms=START, what=words, speaker=name, mode=name),
            shot(1, 1, name),
            noted(
                item(
                    "n1",
                    "action",
                    words,
                    status=status,
                    owner=name,
                    due=words,
                    due_text=words,
                    evidence=(cite(1, name),),
                    check=Check(state="unverified", reasons=(words,)),
                )
            ),
        )
    )
    assert text.count("\n## ") == 2  # Actions, Transcript: no heading of theirs
    body = text.split("\n---\n", 1)[1]
    assert re.findall(r"<[a-zA-Z/][^>]*>", re.sub(r"\\.", "", body)) == [
        *['<a id="^c1">', "</a>"],
        *['<a id="^i1">', "</a>"],
        *['<a id="^u1">', "</a>"],
    ]
    assert set(front(text)) >= {"title", "participants", "x_id"}
    assert not isinstance(front(text)["title"], (dict, list, date))


def test_only_addresses_of_the_cited_words_become_links() -> None:
    there, made_up = "https://a.example/form", "https://evil.example/form"
    text = f"Fill in {there} and {made_up}"
    ops = [
        item("n1", "point", text, evidence=(cite(1),), author="model"),
        item("n2", "question", "Which?", answer=made_up, status="answered", evidence=(cite(1),)),
    ]
    made = render(replay(opened(), said(1, f"The form is {there}."), noted(*ops)))
    assert made.count(f"<{there}>") == 2  # in the item and in the transcript
    assert f"<{made_up}>" not in made
    assert made.count(r"https:\//evil.example/form") == 2
    by_hand = noted(item("n1", "point", text, author="person"))
    hand = msgspec.structs.replace(
        by_hand, patch=msgspec.structs.replace(by_hand.patch, author="person")
    )
    assert f"<{made_up}>" in render(replay(opened(), said(1, "Hello."), hand))
