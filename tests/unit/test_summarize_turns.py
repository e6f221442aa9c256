from __future__ import annotations

from pipeline.model.speech import Message, Utterance
from pipeline.summarize.turns import SAME_TURN_MS, Turn, turns


def lines(*said: tuple[str, str, int, int]) -> list[Utterance | Message]:
    return [
        Utterance(
            id=f"u{n}",
            stream="s",
            source="local",
            start_ms=start,
            end_ms=end,
            text=text,
            participant=who,
            speaker=who,
        )
        for n, (who, text, start, end) in enumerate(said, 1)
    ]


def sentences(turn: Turn) -> list[str]:
    return [turn.text[a:b] for a, b in turn.spans]


def test_a_sentence_cut_in_two_is_one() -> None:
    (turn,) = turns(
        lines(("A", "I will print the", 0, 1000), ("A", "badges by Friday.", 1200, 2000))
    )
    assert sentences(turn) == ["I will print the badges by Friday."]
    assert [e.quote for e in turn.evidence(*turn.spans[0])] == [
        "I will print the",
        "badges by Friday.",
    ]
    assert turn.said_ms(5) == 1000
    assert turn.said_ms(len(turn.text)) == 2000


def test_a_stop_after_a_word_nobody_stops_at_ends_nothing() -> None:
    (turn,) = turns(lines(("A", "Send it to the.", 0, 1000), ("A", "Venue today.", 1500, 2000)))
    assert len(turn.spans) == 1
    (turn,) = turns(
        lines(("A", "That is the rule from now on.", 0, 1000), ("A", "Next item.", 1500, 2000))
    )
    assert len(turn.spans) == 2


def test_mm_hm_does_not_end_a_turn_that_goes_on() -> None:
    found = turns(
        lines(
            ("A", "I will print the", 0, 1000),
            ("B", "Mm-hm.", 900, 1100),
            ("A", "badges.", 1300, 2000),
        )
    )
    assert [t.speaker for t in found] == ["A", "B"]
    assert sentences(found[0]) == ["I will print the badges."]


def test_a_whole_sentence_is_not_resumed_past_another() -> None:
    found = turns(
        lines(("A", "I print it.", 0, 1000), ("B", "Okay.", 1100, 1300), ("A", "Good.", 1500, 2000))
    )
    assert [t.speaker for t in found] == ["A", "B", "A"]


def test_silence_chat_and_unknown_voices_end_turns() -> None:
    late = SAME_TURN_MS + 1001
    assert len(turns(lines(("A", "One.", 0, 1000), ("A", "Two.", late, late + 1)))) == 2
    chat = Message(id="c1", stream="s", at_ms=1500, text="hi", participant="A", speaker="A")
    found = turns([*lines(("A", "One.", 0, 1000)), chat])
    assert [t.chat for t in found] == [False, True]
    nobody = [
        Utterance(id=f"u{n}", stream="s", source="local", start_ms=n, end_ms=n + 1, text="Yes.")
        for n in (1, 2)
    ]
    assert len(turns(nobody)) == 2


def test_evidence_quotes_literally() -> None:
    (turn,) = turns(lines(("A", "First.  Second one.", 0, 1000)))
    start, end = turn.spans[1]
    (evidence,) = turn.evidence(start, end)
    assert (evidence.ref, evidence.revision, evidence.quote, evidence.speaker) == (
        "u1",
        1,
        "Second one.",
        "A",
    )
    assert turns(lines(("A", "  ", 0, 1))) == []
