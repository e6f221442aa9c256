"""What is said over the sockets of stream engines, and how they fail: without any socket."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audio.packet import encode_l16
from pipeline.base.errors import EngineError
from pipeline.transcribe.deepgram import DeepgramDialogue, key_terms
from pipeline.transcribe.engine import Heard, Pcm
from pipeline.transcribe.realtime import RealtimeDialogue, transcription
from pipeline.transcribe.socket_errors import closed, refused, told
from pipeline.transcribe.socket_stream import Dialogue
from pipeline.transcribe.websocket import Frame, socket_url


def tone(seconds: float) -> Pcm:
    at = np.arange(round(seconds * 16_000)) / 16_000
    return (0.3 * np.sin(2 * np.pi * 300 * at)).astype(np.float32)


def event(name: str, item: str = "i1", **fields: Any) -> str:
    kind = f"conversation.item.input_audio_transcription.{name}"
    return json.dumps({"type": kind, "item_id": item, **fields})


def results(
    text: str, start: float = 0.0, duration: float = 1.0, *, final: bool = True, **fields: Any
) -> str:
    return json.dumps(
        {
            "type": "Results",
            "start": start,
            "duration": duration,
            "is_final": final,
            "channel": {"alternatives": [{"transcript": text, "words": fields.pop("words", [])}]},
            **fields,
        }
    )


def realtime(seconds: float = 1.0, *, ended: bool = True) -> RealtimeDialogue:
    dialogue = RealtimeDialogue({"model": "m"}, language="en")
    list(dialogue.opening({}))
    list(dialogue.audio(tone(seconds)))
    if ended:
        list(dialogue.ending())
    return dialogue


def deepgram(seconds: float = 1.0, *, ended: bool = True) -> DeepgramDialogue:
    dialogue = DeepgramDialogue(language="en")
    list(dialogue.opening({"dg-request-id": "r1"}))
    list(dialogue.audio(tone(seconds)))
    if ended:
        list(dialogue.ending())
    return dialogue


def words_of(heard: Heard | None) -> tuple[str, str]:
    assert heard is not None
    return heard.committed, heard.tentative


# -- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("https://api.example.com/v1", "wss://api.example.com/v1/listen?a=b"),
        ("https://api.example.com", "wss://api.example.com/v1/listen?a=b"),
        ("http://localhost:8000/v1/", "ws://localhost:8000/v1/listen?a=b"),
        ("wss://h/openai/v1", "wss://h/openai/v1/listen?a=b"),
        ("ws://[::1]:9/x", "ws://[::1]:9/x/v1/listen?a=b"),
    ],
)
def test_an_address_is_made_of_any_form_of_base_url(base: str, address: str) -> None:
    assert socket_url(base, "listen", [("a", "b")]) == address


def test_terms_in_an_address_cannot_add_parameters() -> None:
    address = socket_url("https://h", "listen", [("keyterm", "Q&A model=x#y é")])

    assert parse_qsl(urlsplit(address).query) == [("keyterm", "Q&A model=x#y é")]


# -- OpenAI realtime --------------------------------------------------------------------------


def test_the_session_is_for_transcription_with_the_servers_turn_detection_off() -> None:
    (opening,) = RealtimeDialogue({"model": "m"}).opening({})

    assert json.loads(opening) == {
        "type": "session.update",
        "session": {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "m"},
                    "turn_detection": None,
                }
            },
        },
    }


@pytest.mark.parametrize(
    ("model", "language", "expected"),
    [
        ("gpt-live-transcribe", "de-CH", {"languages": ["de"], "keywords": ["Ana", "B C"]}),
        ("gpt-transcribe-2026", "", {"keywords": ["Ana", "B C"]}),
        ("gpt-4o-transcribe", "de-CH", {"language": "de", "prompt": "Ana, B C"}),
        ("gpt-realtime-whisper", "de", {"language": "de"}),
        ("some/whisper", "", {"prompt": "Ana, B C"}),
    ],
)
def test_terms_and_language_take_the_form_that_the_model_takes(
    model: str, language: str, expected: dict[str, Any]
) -> None:
    found = transcription(model, language, ["Ana", "<B>\r\nC", " \n "])

    assert found == {"model": model, **expected}


def test_a_prompt_is_bounded() -> None:
    found = transcription("whisper-1", "", [f"Name{n:04}" for n in range(1000)])

    assert len(found["prompt"]) <= 600
    assert found["prompt"].startswith("Name0000, Name0001")
    assert not found["prompt"].endswith(",")


@given(cuts=st.lists(st.integers(0, 16_000), max_size=8))
def test_audio_in_any_pieces_is_what_it_is_in_one_at_24_khz(cuts: list[int]) -> None:
    whole = tone(1.0)
    dialogue = RealtimeDialogue({"model": "m"})
    sent: list[Frame] = []
    for piece in np.split(whole, sorted(cuts)):
        sent += dialogue.audio(piece)
    *rest, commit = dialogue.ending()

    data = b"".join(base64.b64decode(json.loads(frame)["audio"]) for frame in [*sent, *rest])
    assert data == encode_l16(soxr.resample(whole, 16_000, 24_000, quality="HQ"))
    assert json.loads(commit) == {"type": "input_audio_buffer.commit"}


def test_a_commit_is_never_shorter_than_the_server_takes() -> None:
    dialogue = RealtimeDialogue({"model": "m"})
    frames = [*dialogue.audio(tone(0.03)), *dialogue.ending()]

    audio = [base64.b64decode(json.loads(frame)["audio"]) for frame in frames[:-1]]
    assert sum(len(piece) for piece in audio) == 2 * 2400


def test_deltas_are_committed_by_whole_words() -> None:
    dialogue = realtime(ended=False)

    assert words_of(dialogue.take(event("delta", delta="Hel"))) == ("", "Hel")
    assert words_of(dialogue.take(event("delta", delta="lo wor"))) == ("Hello", "wor")
    assert words_of(dialogue.take(event("delta", delta="ld. "))) == ("Hello world.", "")
    assert words_of(dialogue.take(event("delta"))) == ("Hello world.", "")


def test_the_completed_text_is_the_final_one() -> None:
    dialogue = realtime()
    dialogue.take(event("delta", delta="Hello wor"))
    dialogue.take('{"type": "input_audio_buffer.committed", "item_id": "i1"}')

    heard = dialogue.take(event("completed", transcript=" Hello\nworld. ", languages=None))

    assert heard is not None
    assert heard.final is not None
    assert (heard.committed, heard.tentative) == ("Hello world.", "")
    assert (heard.final.text, heard.final.language) == ("Hello world.", "en")
    assert heard.final.engine == "openai-realtime"


def test_a_detected_language_wins_over_the_one_that_was_told() -> None:
    heard = realtime().take(event("completed", transcript="Hallo", languages=[{"code": "de"}]))

    assert heard is not None
    assert heard.final is not None
    assert heard.final.language == "de"


@pytest.mark.parametrize(
    "messages",
    [
        [event("delta", "i1", delta="a"), event("delta", "i2", delta="b")],
        [event("delta", "i1", delta="a"), event("completed", "i2", transcript="b")],
        [
            '{"type": "input_audio_buffer.committed", "item_id": "i1"}',
            event("completed", "i0", transcript="b"),
        ],
    ],
)
def test_words_of_another_item_are_refused(messages: list[str]) -> None:
    dialogue = realtime()
    *before, last = messages
    for message in before:
        dialogue.take(message)

    with pytest.raises(EngineError) as caught:
        dialogue.take(last)
    assert (caught.value.kind, caught.value.retryable) == ("wrong_segment", True)


@pytest.mark.parametrize(
    "message",
    [
        event("completed", transcript="too early"),
        '{"type": "input_audio_buffer.committed", "item_id": "i1"}',
    ],
)
def test_a_server_that_cuts_by_itself_is_refused(message: str) -> None:
    with pytest.raises(EngineError) as caught:
        realtime(ended=False).take(message)
    assert caught.value.kind == "wrong_segment"


@pytest.mark.parametrize(
    ("message", "kind", "retryable"),
    [
        ('{"type":"error","error":{"code":"invalid_api_key"}}', "auth", False),
        ('{"type":"error","error":{"type":"server_error"}}', "server", True),
        ('{"type":"error","error":{"code":"rate_limit_exceeded"}}', "rate_limited", True),
        ('{"type":"error","error":{"code":"insufficient_quota"}}', "quota", False),
        ('{"type":"error","error":{"code":"model_not_found"}}', "not_found", False),
        ('{"type":"error","error":{"code":"session_expired"}}', "server", True),
        ('{"type":"error","error":"all is lost","code":"nope"}', "bad_request", False),
        ('{"type":"error"}', "bad_request", False),
        (event("failed", error={"type": "server_error", "code": None}), "server", True),
        (event("completed"), "bad_output", True),
        ('{"type":"conversation.item.input_audio_tr', "bad_output", True),
        ("[]", "bad_output", True),
    ],
)
def test_errors_of_the_realtime_server_are_typed(message: str, kind: str, retryable: bool) -> None:
    with pytest.raises(EngineError) as caught:
        realtime().take(message)
    assert (caught.value.kind, caught.value.retryable) == (kind, retryable)


def test_events_that_say_nothing_of_words_are_passed_over() -> None:
    dialogue = realtime()

    assert dialogue.take('{"type":"session.updated","session":{"error":5}}') is None
    assert dialogue.take('{"type":"something.new","item_id":7}') is None


# -- Deepgram ---------------------------------------------------------------------------------


def test_deepgram_gets_plain_samples_in_pieces_of_at_most_250_ms() -> None:
    frames = list(DeepgramDialogue().audio(tone(1.1)))

    assert b"".join(frame for frame in frames if isinstance(frame, bytes)) == encode_l16(tone(1.1))
    assert max(map(len, frames)) == 8000


def test_final_results_are_committed_and_interim_ones_tentative() -> None:
    dialogue = deepgram(3.0, ended=False)

    assert words_of(dialogue.take(results("he", 0, 0.5, final=False))) == ("", "he")
    assert words_of(dialogue.take(results("Hello", 0, 1.0))) == ("Hello", "")
    assert words_of(dialogue.take(results("wor", 1.0, 0.5, final=False))) == ("Hello", "wor")
    assert dialogue.take(results("he", 0, 0.9, final=False)) is None  # came late
    assert words_of(dialogue.take(results("", 1.0, 1.0))) == ("Hello", "")


def test_the_final_words_come_when_finalize_covered_all_audio() -> None:
    dialogue = deepgram(2.0)
    timed = [{"word": "hi", "punctuated_word": "Hi.", "start": 0.25, "end": 0.5, "confidence": 0.5}]

    first = dialogue.take(results("Hi.", 0, 1.0, words=timed, from_finalize=True))
    last = dialogue.take(results("", 1.0, 1.0, from_finalize=True))

    assert first is not None
    assert first.final is None
    assert last is not None
    assert last.final is not None
    assert last.final.text == "Hi."
    assert [(w.text, w.start_ms, w.end_ms, w.confidence) for w in last.final.words] == [
        ("Hi.", 250, 500, 0.5)
    ]
    assert (last.final.confidence, last.final.language) == (0.5, "en")


def say_the_end(dialogue: DeepgramDialogue, end: str) -> Heard | None:
    if end == "metadata":
        return dialogue.take('{"type":"Metadata","request_id":"r1","duration":1.0}')
    return dialogue.closed(closed(1000, "", sent=()))


@pytest.mark.parametrize("end", ["metadata", "close"])
def test_finalize_need_not_be_answered(end: str) -> None:
    dialogue = deepgram()
    dialogue.take(results("Hi.", 0, 1.0))

    heard = say_the_end(dialogue, end)

    assert heard is not None
    assert heard.final is not None
    assert heard.final.text == "Hi."


@pytest.mark.parametrize("end", ["metadata", "close"])
def test_words_that_never_became_final_are_not_lost_quietly(end: str) -> None:
    dialogue = deepgram()
    dialogue.take(results("Hi. And", 0, 1.0, final=False))

    with pytest.raises(EngineError) as caught:
        say_the_end(dialogue, end)
    assert caught.value.retryable


def test_a_close_is_no_end_when_audio_was_left_out() -> None:
    dialogue = deepgram(2.0)
    dialogue.take(results("Hi.", 0, 1.0))

    with pytest.raises(EngineError) as caught:
        dialogue.closed(closed(1000, "", sent=()))
    assert caught.value.retryable


def test_an_end_that_nobody_asked_for_is_a_failure() -> None:
    dialogue = deepgram(ended=False)
    dialogue.take(results("Hi.", 0, 1.0))

    with pytest.raises(EngineError) as caught:
        dialogue.closed(closed(1000, "", sent=()))
    assert (caught.value.kind, caught.value.retryable) == ("closed", True)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (results("b", 60.0, 1.0), "wrong_segment"),
        (results("b", 0.0, 60.0), "wrong_segment"),
        (results("b", -1.0, 1.0), "wrong_segment"),
        (results("b", 1.0, 0.5, metadata={"request_id": "r2"}), "wrong_segment"),
        ('{"type":"Metadata","request_id":"r2"}', "wrong_segment"),
        (results("again", 0.0, 1.0), "bad_output"),
        ('{"type":"Results","start":0,"duration":1,"channel":{"alternatives":[]}}', "bad_output"),
        ('{"type":"Results","start":0,"duration":1}', "bad_output"),
        ('{"type":"Results","start":1,"dur', "bad_output"),
        ('{"type":"Error","code":"NET-0001"}', "bad_request"),
        ('{"type":"Error","variant":"TOO_MANY_REQUESTS"}', "rate_limited"),
    ],
)
def test_faults_of_deepgram_are_typed(message: str, kind: str) -> None:
    dialogue = deepgram(2.0)
    dialogue.take(results("Hi.", 0.0, 1.0))

    with pytest.raises(EngineError) as caught:
        dialogue.take(message)
    assert caught.value.kind == kind


@pytest.mark.parametrize(("start", "end"), [(0.5, 0.2), (-0.1, 0.2), (0.1, 1e300), (5.0, 5.5)])
def test_words_at_impossible_times_are_refused(start: float, end: float) -> None:
    dialogue = deepgram()
    dialogue.take(results("Hi.", 0, 1.0, words=[{"word": "hi", "start": start, "end": end}]))

    with pytest.raises(EngineError) as caught:
        dialogue.take('{"type":"Metadata"}')
    assert caught.value.kind == "bad_output"


@given(st.lists(st.text(max_size=80), max_size=80))
def test_key_terms_are_never_more_than_the_server_takes(terms: list[str]) -> None:
    kept = key_terms(terms)

    assert sum(len(term.encode()) for term in kept) <= 500
    assert all(term.strip() for term in kept)
    clean = [" ".join(term.split()) for term in terms]
    assert list(kept) == [term for term in clean if term][: len(kept)]  # the first ones


# -- both -------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
_FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "item_id",
            "delta",
            "transcript",
            "languages",
            "error",
            "code",
            "start",
            "duration",
            "is_final",
            "channel",
            "from_finalize",
            "metadata",
            "request_id",
        ]
    ),
    _JSON,
)
_TYPES = st.sampled_from(
    [
        "error",
        "Error",
        "Results",
        "Metadata",
        "input_audio_buffer.committed",
        *(
            f"conversation.item.input_audio_transcription.{name}"
            for name in ("delta", "completed", "failed")
        ),
    ]
)


@given(
    message=st.binary(max_size=60)
    | st.text(max_size=60)
    | st.builds(lambda kind, fields: json.dumps({**fields, "type": kind}), _TYPES, _FIELDS)
)
def test_nothing_a_server_says_gets_further_than_a_typed_error(message: Frame) -> None:
    dialogues: list[Dialogue] = [realtime(), deepgram()]
    for dialogue in dialogues:
        try:
            heard = dialogue.take(message)
        except EngineError:
            continue
        assert heard is None or isinstance(heard, Heard)


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        (1000, "closed", True),
        (1001, "closed", True),
        (1002, "closed", True),
        (1006, "closed", True),
        (1008, "bad_request", False),
        (1009, "bad_request", False),
        (1011, "server", True),
        (1012, "server", True),
        (1013, "rate_limited", True),
        (3000, "auth", False),
        (4321, "closed", True),
    ],
)
def test_close_codes_are_typed(code: int, kind: str, retryable: bool) -> None:
    error = closed(code, "NET-0001: no audio for 10 s", sent=["sk-1"])

    assert (error.kind, error.retryable, error.code) == (kind, retryable, code)
    assert code == 1006 or str(error) == f"the server closed with code {code} (NET-0001)"


def test_no_error_repeats_what_was_sent() -> None:
    body = b'{"err_code":"INVALID_AUTH","err_msg":"key sk-secret-of-ours is unknown"}'
    errors = [
        closed(3000, "sk-secret-of-ours", sent=["sk-secret-of-ours"]),
        told(("sk-secret-of-ours", "x y"), sent=["sk-secret-of-ours"]),
        refused(400, body, {}, now_ms=0, sent=["sk-secret-of-ours"]),
    ]

    for error in errors:
        assert "sk-secret" not in str(error)
    assert "INVALID_AUTH" in str(errors[2])
