from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from store_events import CALLS, OPENED, said

from pipeline.model import events as ev
from pipeline.model.happening import Image
from pipeline.model.notes import Add, NoteItem, Patch
from pipeline.model.speech import Gap, Message, Segment
from pipeline.model.state import MeetingState


def events(*bodies: ev.Body) -> list[ev.Event]:
    return [ev.Event("m", seq, 0, body) for seq, body in enumerate(bodies, 1)]


def state(*bodies: ev.Body) -> MeetingState:
    return MeetingState.replay("m", events(OPENED, *bodies))


@given(CALLS)
def test_every_body_survives_the_log(calls: list[list[ev.Body]]) -> None:
    for body in [OPENED, *(b for call in calls for b in call)]:
        assert ev.decode_body(ev.encode_body(body)) == body
        assert f'"kind":"{ev.kind_of(body)}"'.encode() in ev.encode_body(body)


@given(CALLS)
def test_folding_one_by_one_is_replaying(calls: list[list[ev.Body]]) -> None:
    log = events(OPENED, *(b for call in calls for b in call))
    folded = MeetingState("m")
    for event in log:
        folded.apply(event)
    again = MeetingState.replay("m", log)
    assert vars(again) == vars(folded)
    assert folded.view().last_seq == len(log)
    assert {u.id for u in folded.transcript()} <= set(folded.utterances)


@pytest.mark.parametrize("seq", [0, 1, 3])
def test_a_hole_or_a_repetition_is_refused(seq: int) -> None:
    folded = MeetingState.replay("m", events(OPENED))
    with pytest.raises(ValueError, match=f"event {seq} follows 1"):
        folded.apply(ev.Event("m", seq, 0, said(1)))


def test_there_is_no_view_before_the_first_event() -> None:
    with pytest.raises(ValueError, match="meeting_opened"):
        MeetingState("m").view()


def test_an_older_revision_that_comes_late_changes_nothing() -> None:
    found = state(said(1, "three", revision=3), said(1, "two", revision=2))
    assert found.utterances["u1"].text == "three"
    assert found.seqs["u1"] == 2


def test_the_transcript_leaves_out_what_is_deleted_or_for_comparison() -> None:
    found = state(
        said(3),
        said(2, role="comparison"),
        said(1, role="fill"),
        said(4),
        said(4, revision=2, deleted=True),
    )
    assert [u.id for u in found.transcript()] == ["u1", "u3"]
    filled = state(said(2, role="comparison"), said(2, role="fill", revision=2))
    assert [u.id for u in filled.transcript()] == ["u2"]


def test_ids_sort_as_numbers_when_times_are_equal() -> None:
    found = state(said(10, start_ms=1, end_ms=2), said(9, start_ms=1, end_ms=2))
    assert [u.id for u in found.transcript()] == ["u9", "u10"]


def test_chat_by_time_without_deleted_messages() -> None:
    first = Message(id="c1", stream="s", at_ms=9, text="later")
    second = Message(id="c2", stream="s", at_ms=3, text="earlier")
    gone = msgspec.structs.replace(second, id="c3", deleted=True)
    found = state(*(ev.MessageSaid(message=m) for m in (first, second, gone)))
    assert [m.id for m in found.chat()] == ["c2", "c1"]


def test_pending_segments_are_those_without_an_outcome() -> None:
    def spooled(name: str) -> ev.SegmentSpooled:
        return ev.SegmentSpooled(
            segment=Segment(id=name, stream="s", start_ms=0, end_ms=1, file=name, samples=1)
        )

    found = state(
        spooled("s1"),
        spooled("s2"),
        ev.SegmentClosed(segment="s1", outcome="text"),
        ev.SegmentClosed(segment="s1", outcome="failed"),
    )
    assert [s.id for s in found.pending] == ["s2"]
    assert found.outcomes["s1"].outcome == "text"


def test_a_gap_with_the_same_id_replaces_the_earlier_extent() -> None:
    one = Gap(id="g1", from_ms=10, to_ms=20, media="all", cause="media_lost")
    found = state(
        ev.GapFound(gap=one),
        ev.GapFound(gap=msgspec.structs.replace(one, id="g2", from_ms=5)),
        ev.GapFound(gap=msgspec.structs.replace(one, to_ms=30)),
    )
    assert [(g.id, g.to_ms) for g in found.missing()] == [("g2", 20), ("g1", 30)]


def test_who_comes_again_keeps_the_first_arrival() -> None:
    found = state(
        ev.ParticipantJoined(participant="1", name="Maya", at_ms=5),
        ev.ParticipantLeft(participant="1", at_ms=8),
        ev.ParticipantLeft(participant="unknown", at_ms=8),
    )
    assert found.participants["1"].left_ms == 8
    found.apply(ev.Event("m", 5, 0, ev.ParticipantJoined(participant="1", name="M.", at_ms=9)))
    back = found.participants["1"]
    assert (back.name, back.joined_ms, back.left_ms) == ("M.", 5, None)


def test_state_words_from_live_to_finished_and_back_with_a_later_stream() -> None:
    opened = ev.StreamOpened(stream="x", server_urls="wss://z", announced_ms=1)
    found = state(opened)
    assert found.view().state == "live"
    found.apply(ev.Event("m", 3, 0, ev.MeetingEnded(at_ms=7)))
    assert (found.view().state, found.view().ended_ms) == ("ended", 7)
    found.apply(ev.Event("m", 4, 0, ev.MeetingFinished(at_ms=8)))
    assert found.view().state == "finished"
    again = msgspec.structs.replace(opened, stream="y")
    found.apply(ev.Event("m", 5, 0, again))
    assert (found.view().state, found.view().ended_ms) == ("live", None)


def test_streams_that_nobody_opened_are_ignored() -> None:
    found = state(ev.StreamChanged(stream="x", state="live", at_ms=1))
    assert found.streams == {}


def test_covered_seq_never_goes_back_and_final_stays() -> None:
    def patched(name: str, covered: int, phase: str) -> ev.NotesPatched:
        add = Add(NoteItem(id=name, kind="risk", text="t"))
        patch = Patch(id=name, at_ms=1, author="model", ops=(add,), phase=phase)  # type: ignore[arg-type]
        return ev.NotesPatched(patch=patch, covered_seq=covered)

    found = state(patched("n1", 9, "final"), patched("n2", 4, "live"))
    assert (found.covered_seq, found.final) == (9, True)
    assert list(found.notes.items) == ["n1", "n2"]


def test_unreadable_bodies_are_refused() -> None:
    for text in ("{}", '{"kind":"from_the_future"}', '{"kind":"meeting_ended"}', "", "[]"):
        with pytest.raises(msgspec.DecodeError):
            ev.decode_body(text)


OLD_LOG = (
    '{"kind":"stream_opened","stream":"s","server_urls":"wss://a","announced_ms":1}',
    (
        '{"kind":"message_said","message":{"id":"c1","stream":"s","at_ms":2,"text":"hi",'
        '"participant":null,"speaker":"Ada","zoom_id":"z1","revision":1,"deleted":false}}'
    ),
    '{"kind":"stage_changed","stage":"store","state":"ok","at_ms":3}',
)


def test_logs_of_the_first_version_are_read_as_before() -> None:
    found = state(*(ev.decode_body(line) for line in OLD_LOG))
    (message,) = found.open_chat()
    assert (message.text, message.private, message.files, message.reactions) == (
        "hi",
        False,
        (),
        (),
    )
    assert (found.streams["s"].id_key, found.streams["s"].number) == ("", "")


def test_a_reaction_to_a_message_nobody_knows_changes_nothing() -> None:
    found = state(ev.MessageReacted(message="c9", emoji="+1", at_ms=1))
    assert found.messages == {}


def test_sharing_calls_pictures_and_faults_are_kept_in_order() -> None:
    image = Image(
        id="i1",
        stream="s",
        at_ms=5,
        media="deskshare",
        file="a.jpg",
        thumb="b.jpg",
        width=1,
        height=1,
    )
    found = state(
        ev.CallHappened(stream="s", at_ms=9, what="user_hold"),
        ev.SharingStarted(stream="s", at_ms=4, speaker="Ada"),
        ev.ImageKept(image=image),
        ev.ProtocolFaulted(stream="s", socket="audio", reason="x", detail="", at_ms=7),
        ev.SharingStopped(stream="s", at_ms=8),
    )
    assert [(h.id, h.kind) for h in found.happened()] == [
        ("e3", "sharing_started"),
        ("e6", "sharing_stopped"),
        ("e2", "call"),
    ]
    assert found.pictures() == [image]
    assert found.faults["audio x"].first_ms == 7
