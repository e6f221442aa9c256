from __future__ import annotations

from pipeline.meeting.native import NativeTranscript
from pipeline.meeting.recorder import Recorder
from pipeline.model import events as ev
from pipeline.model.speech import Utterance
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out


def said(
    text: str,
    start: int = 1_000,
    end: int = 2_000,
    who: int | None = 7,
    operation: str = "new",
) -> out.TranscriptReceived:
    return out.TranscriptReceived(
        user_id=who,
        user_name="Ada" if who else None,
        start_ms=start,
        end_ms=end,
        timestamp_ms=end,
        text=text,
        language="en",
        operation=operation,  # type: ignore[arg-type]
    )


def transcript(known: list[Utterance] | None = None) -> NativeTranscript:
    return NativeTranscript(Recorder(MeetingState("m"), "native"), "S", known or [])


def utterances(bodies: list[ev.Body]) -> list[Utterance]:
    return [body.utterance for body in bodies if isinstance(body, ev.UtteranceSaid)]


def test_a_message_sent_twice_is_one_utterance() -> None:
    native = transcript()
    assert len(utterances(native.take(said("hello")))) == 1
    assert native.take(said("hello")) == []


def test_a_message_of_before_a_restart_is_known_even_when_it_was_corrected_since() -> None:
    native = transcript()
    [first] = utterances(native.take(said("helo")))
    [corrected] = utterances(native.take(said("hello", operation="update")))
    assert (corrected.id, corrected.revision, corrected.text) == (first.id, 2, "hello")
    again = transcript([corrected])
    assert again.take(said("helo")) == []


def test_an_update_finds_its_utterance_by_speaker_and_time() -> None:
    native = transcript()
    [early] = utterances(native.take(said("one", 1_000, 2_000)))
    native.take(said("two", 3_000, 4_000))
    [changed] = utterances(native.take(said("won", 1_000, 2_200, operation="update")))
    assert changed.id == early.id


def test_an_update_of_words_never_seen_is_taken_as_new_and_a_delete_of_them_is_nothing() -> None:
    native = transcript()
    assert native.take(said("x", operation="delete")) == []
    [fresh] = utterances(native.take(said("missed", operation="update")))
    assert (fresh.text, fresh.revision) == ("missed", 1)


def test_a_delete_is_a_revision() -> None:
    native = transcript()
    [first] = utterances(native.take(said("oops")))
    [gone] = utterances(native.take(said("", operation="delete")))
    assert (gone.id, gone.deleted, gone.revision) == (first.id, True, 2)


def test_two_unknown_speakers_at_one_time_are_two_utterances() -> None:
    native = transcript()
    [one] = utterances(native.take(said("yes", who=None)))
    [two] = utterances(native.take(said("no", who=None)))
    assert one.id != two.id
    assert one.speaker is None


def test_blank_text_is_no_utterance() -> None:
    assert transcript().take(said("  ")) == []
