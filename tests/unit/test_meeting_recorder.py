from __future__ import annotations

from pipeline.meeting.recorder import Recorder
from pipeline.model import events as ev
from pipeline.model.events import Event
from pipeline.model.gaps import Hole
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out


def state_of(*groups: list[ev.Body]) -> MeetingState:
    state = MeetingState("m")
    for seq, body in enumerate((b for bodies in groups for b in bodies), 1):
        state.apply(Event("m", seq, 0, body))
    return state


def say(recorder: Recorder, source: str, start: int, end: int, text: str = "hi") -> list[ev.Body]:
    _, bodies = recorder.said(
        stream="S",
        source=source,  # type: ignore[arg-type]
        participant="7",
        speaker="Ada",
        start_ms=start,
        end_ms=end,
        text=text,
    )
    return bodies


def test_numbers_go_on_after_a_restart() -> None:
    first = Recorder(MeetingState("m"), "native")
    state = state_of(say(first, "native", 0, 1), say(first, "native", 2, 3))
    second = Recorder(state, "native")
    [body] = [b for b in say(second, "native", 4, 5) if isinstance(b, ev.UtteranceSaid)]
    assert body.utterance.id == "u3"


def test_people_are_told_once_and_again_when_their_name_changes() -> None:
    recorder = Recorder(MeetingState("m"), "native")
    assert len(recorder.joined([("7", "Ada")], 1)) == 1
    assert recorder.joined([("7", "Ada")], 2) == []
    assert recorder.joined([("7", "Ada L.")], 3) == [
        ev.ParticipantJoined(participant="7", name="Ada L.", at_ms=3)
    ]
    assert len(recorder.left(["7", "8"], 4)) == 1


def test_a_speaker_nobody_announced_joins_by_speaking() -> None:
    recorder = Recorder(MeetingState("m"), "native")
    kinds = [type(b) for b in say(recorder, "native", 5, 6)]
    assert kinds == [ev.ParticipantJoined, ev.UtteranceSaid]


def test_with_both_only_the_primary_is_shown_and_the_other_fills_its_gaps() -> None:
    recorder = Recorder(MeetingState("m"), "both")
    native = say(recorder, "native", 0, 1_000)
    beside = say(recorder, "local", 0, 1_000)
    lost = say(recorder, "local", 5_000, 6_000)
    gap = recorder.gap(from_ms=4_000, to_ms=9_000, media="transcript", cause="media_lost")
    later = say(recorder, "local", 7_000, 8_000)
    state = state_of(native, beside, lost, gap, later)
    assert [(u.source, u.start_ms) for u in state.transcript()] == [
        ("native", 0),
        ("local", 5_000),
        ("local", 7_000),
    ]


def test_an_audio_gap_is_no_gap_of_the_native_transcript() -> None:
    recorder = Recorder(MeetingState("m"), "both")
    say(recorder, "local", 5_000, 6_000)
    bodies = recorder.gap(from_ms=4_000, to_ms=9_000, media="audio", cause="stt_failed")
    assert [type(b) for b in bodies] == [ev.GapFound]


def test_holes_become_gaps_that_people_can_read() -> None:
    recorder = Recorder(MeetingState("m"), "native")
    [body] = recorder.holes([Hole(media="all", cause="media_lost", from_ms=1, to_ms=9)], "S")
    assert isinstance(body, ev.GapFound)
    assert (body.gap.id, body.gap.detail) == ("g1", "media connection lost")


def chat(text: str, operation: str = "new", zoom_id: str | None = "z1") -> out.ChatReceived:
    return out.ChatReceived(
        zoom_id=zoom_id,
        user_id=7,
        user_name="Ada",
        at_ms=5,
        text=text,
        operation=operation,  # type: ignore[arg-type]
    )


def test_chat_is_edited_and_deleted_by_its_own_id() -> None:
    recorder = Recorder(MeetingState("m"), "native")
    bodies = recorder.typed("S", chat("helo"))
    bodies += recorder.typed("S", chat("helo"))  # repeated delivery
    bodies += recorder.typed("S", chat("hello", "update"))
    assert [m.text for m in state_of(bodies).chat()] == ["hello"]
    bodies += recorder.typed("S", chat("", "delete"))
    assert state_of(bodies).chat() == []
    assert recorder.typed("S", chat("late", "update", "unknown")) == []
