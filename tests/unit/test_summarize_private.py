"""What was typed to one person or a few is never read by the notes."""

from __future__ import annotations

import msgspec
from summarize_talk import extracted, meeting, replay, said

from pipeline.model import events as ev
from pipeline.summarize.reading import Reading

PROMISE = "#Omar: I will send the salary list to Paula by Friday."


def bodies(*, private: bool) -> list[ev.Body]:
    found = said([PROMISE])
    if not private:
        return found
    (typed,) = found
    assert isinstance(typed, ev.MessageSaid)
    hidden = msgspec.structs.replace(typed.message, session="individual", to_name="Paula Reyes")
    return [ev.MessageSaid(message=hidden)]


def opened() -> list[ev.Body]:
    return [ev.MeetingOpened(product="meeting", zoom_id="z", started_ms=1)]


def test_an_open_promise_is_read_and_a_private_one_is_not() -> None:
    for private in (False, True):
        reading = Reading("m")
        for seq, body in enumerate([*opened(), *bodies(private=private)], 1):
            reading.take(ev.Event("m", seq, 0, body))
        new, covered = reading.new(0)
        assert covered == 2
        assert len(new) == (0 if private else 1)
        assert (reading.waiting(0) is None) == private
        assert ("c1" in reading.words) != private
        assert len(reading.all_said()) == (0 if private else 1)


def test_the_rules_make_no_item_of_it() -> None:
    start = meeting()
    assert start.opened is not None
    before: list[ev.Body] = [
        start.opened,
        *(
            ev.ParticipantJoined(participant=p.id, name=p.name, at_ms=1)
            for p in start.participants.values()
        ),
    ]
    found = [
        extracted(replay([*before, *bodies(private=private)]), "action")
        for private in (False, True)
    ]
    assert [len(items) for items in found] == [1, 0]
