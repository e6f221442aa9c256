"""Scoring speech-to-text: manifests, word errors, speakers, figures, reports. No engine."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.errors import BadInput, NotFound
from pipeline.evaluate.stt import report as reports
from pipeline.evaluate.stt.errors import Errors, characters, normalized, words
from pipeline.evaluate.stt.heard import Heard, Hearing
from pipeline.evaluate.stt.manifest import Clip, read, write
from pipeline.evaluate.stt.plots import draw
from pipeline.evaluate.stt.score import Result, interval, quantiles, result, summary
from pipeline.evaluate.stt.sound import load_clip, save
from pipeline.evaluate.stt.speakers import Attribution, Turn, attribution, cp_errors
from pipeline.evaluate.stt.units import PACKET, Unit, count, packets, units

MEETEVAL = Path(__file__).parent / "golden" / "cpwer_meeteval.jsonl"

spoken = st.lists(st.sampled_from(["alpha", "bravo", "charlie", "delta", "echo"]), max_size=6)


def turn(speaker: str | None, text: str, start_ms: int = 0) -> Turn:
    return Turn(speaker=speaker, start_ms=start_ms, text=text)


def heard(text: str, *, start_ms: int = 0, end_ms: int = 2_000, **more: object) -> Heard:
    known = {"speaker": "Ada", **more}
    return Heard(start_ms=start_ms, end_ms=end_ms, text=text, **known)  # type: ignore[arg-type]


def hearing(*found: Heard, wall_s: float = 1.0, lag_s: float | None = None) -> Hearing:
    return Hearing(heard=found, wall_s=wall_s, cpu_s=0.5, lag_s=lag_s)


def unit(*turns: Turn, seconds: float = 2.0, is_meeting: bool = False, name: str = "u") -> Unit:
    silence = np.zeros(round(seconds * 16_000), np.float32)
    speakers = dict.fromkeys(t.speaker or "Ada" for t in turns) or {"Ada": None}
    return Unit(
        name=name,
        tracks=dict.fromkeys(speakers, silence),
        turns=turns,
        is_meeting=is_meeting,
    )


# -- word errors ---------------------------------------------------------------------------


def test_case_punctuation_and_ways_of_writing_numbers_are_no_errors() -> None:
    said = "Mr. Dashwood has twenty-one dogs, hasn't he?"
    assert words(said, "mister dashwood has 21 dogs has not he").wrong == 0
    assert normalized("  Hello,   THERE! ") == "hello there"


def test_each_kind_of_error_is_counted() -> None:
    found = words("one cat sat on the mat at noon", "one dog sat on mat at noon today")
    assert (found.hits, found.substitutions, found.deletions, found.insertions) == (6, 1, 1, 1)
    assert found.reference == 8
    assert found.rate == pytest.approx(3 / 8)


def test_words_where_nobody_speaks_are_insertions_without_a_rate() -> None:
    found = words("", "thank you")
    assert (found.insertions, found.reference, found.rate) == (2, 0, None)
    assert words("", "") == Errors()


def test_nothing_heard_is_all_deleted() -> None:
    assert words("thank you", "") == Errors(deletions=2)


def test_characters_see_how_near_a_wrong_word_is() -> None:
    assert characters("gloves", "cloves").rate == pytest.approx(1 / 6)
    assert words("gloves", "cloves").rate == 1.0


@given(spoken, spoken)
def test_errors_of_sums_are_sums_of_errors(said: list[str], other: list[str]) -> None:
    one, two = words(" ".join(said), " ".join(other)), words(" ".join(other), " ".join(said))
    both = one + two
    assert both.wrong == one.wrong + two.wrong
    assert both.reference == len(said) + len(other)
    assert one.wrong == two.wrong  # edits are the same both ways


# -- speakers ------------------------------------------------------------------------------


@pytest.mark.parametrize("line", MEETEVAL.read_text().splitlines())
def test_cp_errors_are_those_of_meeteval(line: str) -> None:
    """Golden values of meeteval 0.4.3 (``cp_word_error_rate``)."""
    case = json.loads(line)
    found = cp_errors(
        [turn(name, text) for name, text in case["said"].items()],
        [turn(name, text) for name, text in case["heard"].items()],
    )
    assert (found.wrong, found.reference) == (case["errors"], case["length"])


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from("abcd"), spoken), st.permutations("wxyz"))
def test_names_do_not_matter_for_cp_errors(said: dict[str, list[str]], names: list[str]) -> None:
    told = [turn(name, " ".join(text)) for name, text in said.items()]
    other = [turn(new, t.text) for new, t in zip(names, reversed(told), strict=False)]
    assert cp_errors(told, other).wrong == 0


def test_a_speakers_words_are_put_in_time_order() -> None:
    said = [turn("Ada", "one", 0), turn("Ada", "two", 5_000)]
    assert cp_errors(said, [turn("x", "two", 5_100), turn("x", "one", 80)]).wrong == 0


def test_one_voice_taken_for_two_costs_its_smaller_part_twice() -> None:
    found = cp_errors([turn("Ada", "a b c d")], [turn("x", "a b c"), turn("y", "d", 100)])
    assert (found.deletions, found.insertions, found.hits) == (1, 1, 3)


def test_attribution_compares_names_of_words_that_were_heard() -> None:
    said = [turn("Ada", "good morning all", 0), turn("Ben", "hello there", 1_000)]
    found = attribution(
        said,
        [
            turn("Ada", "good morning", 0),
            turn("Ben", "oil", 500),
            turn("Ada", "hello", 1_000),
            turn(None, "there", 1_400),
        ],
    )
    assert found == Attribution(right=2, wrong=1, unknown=1)
    assert found.share == pytest.approx(2 / 3)
    assert Attribution().share is None


# -- manifests -----------------------------------------------------------------------------


def test_a_manifest_round_trips_and_names_files_beside_it_relative(tmp_path: Path) -> None:
    save(tmp_path / "a" / "x.wav", np.zeros(1_600, np.float32))
    clip = Clip(audio_filepath=str(tmp_path / "a" / "x.wav"), text="hi", duration=0.1)
    write(tmp_path / "m.jsonl", [clip])
    assert json.loads((tmp_path / "m.jsonl").read_text())["audio_filepath"] == "a/x.wav"
    assert read(tmp_path / "m.jsonl") == [clip]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`"),
        ('{"audio_filepath": "x.wav"}', "missing required field `text`"),
        ('{"audio_filepath": "x.wav", "text": 3}', "Expected `str`"),
        ('{"audio_filepath": "", "text": ""}', "audio_filepath is empty"),
        ('{"audio_filepath": "x.wav", "text": "", "duration": 0}', "duration"),
        ('{"audio_filepath": "x.wav", "text": "", "offset": -1}', "offset"),
        ('{"audio_filepath": "gone.wav", "text": ""}', "no audio file"),
        ('{"audio_filepath": "x.wav", "text": "", "meeting": "m"}', "needs speaker"),
    ],
)
def test_a_bad_line_is_told_by_file_and_number(tmp_path: Path, line: str, why: str) -> None:
    save(tmp_path / "x.wav", np.zeros(160, np.float32))
    path = tmp_path / "m.jsonl"
    path.write_text('{"audio_filepath": "x.wav", "text": "", "more": [1]}\n\n' + line + "\n")
    with pytest.raises(BadInput) as error:
        read(path)
    assert str(error.value).startswith(f"{path}:3: ")
    assert why in str(error.value)
    assert "\n" not in str(error.value)


def test_no_manifest_and_an_empty_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read(tmp_path / "none.jsonl")
    (tmp_path / "m.jsonl").write_text("\n")
    with pytest.raises(BadInput, match="no clips"):
        read(tmp_path / "m.jsonl")


def test_a_speaker_has_one_file_in_a_meeting(tmp_path: Path) -> None:
    for name in "xy":
        save(tmp_path / f"{name}.wav", np.zeros(1_600, np.float32))
    line = '{"audio_filepath":"%s.wav","text":"","duration":0.1,"speaker":"A","meeting":"m"}\n'
    (tmp_path / "m.jsonl").write_text(line % "x" + line % "y")
    with pytest.raises(BadInput, match="A has two audio files in m"):
        read(tmp_path / "m.jsonl")


def test_a_clip_is_its_part_of_the_file(tmp_path: Path) -> None:
    samples = np.linspace(-0.5, 0.5, 16_000, dtype=np.float32)
    save(tmp_path / "x.wav", samples)
    clip = Clip(audio_filepath=str(tmp_path / "x.wav"), text="", offset=0.25, duration=0.5)
    found = load_clip(clip)
    assert len(found) == 8_000
    assert np.allclose(found, samples[4_000:12_000], atol=1e-4)
    with pytest.raises(BadInput, match="ends before 2 s"):
        load_clip(msgspec.structs.replace(clip, offset=2.0))


# -- units ---------------------------------------------------------------------------------


def test_clips_of_a_meeting_are_one_unit_of_several_tracks(tmp_path: Path) -> None:
    save(tmp_path / "a.wav", np.full(32_000, 0.25, np.float32))
    save(tmp_path / "b.wav", np.full(16_000, 0.5, np.float32))
    path = tmp_path / "m.jsonl"
    turns = [("a", "A", 0.0, "one"), ("b", "B", 0.5, "two"), ("a", "A", 1.0, "three")]
    write(
        path,
        [
            Clip(
                audio_filepath=str(tmp_path / f"{file}.wav"),
                text=text,
                offset=offset,
                duration=0.5,
                speaker=speaker,
                meeting="m",
            )
            for file, speaker, offset, text in turns
        ]
        + [Clip(audio_filepath=str(tmp_path / "b.wav"), text="alone")],
    )
    clips = read(path)
    made, alone = units(clips)
    assert count(clips) == 2
    assert {name: len(track) for name, track in made.tracks.items()} == {"A": 32_000, "B": 16_000}
    assert made.text == "one two three"
    assert made.is_meeting
    assert not alone.is_meeting
    assert (alone.text, alone.seconds) == ("alone", 1.0)
    mixed = made.mixed()
    assert mixed[0] == pytest.approx(0.75, abs=1e-3)
    assert mixed[-1] == pytest.approx(0.25, abs=1e-3)


def test_packets_hold_every_sample_once_in_time_order() -> None:
    ramp = (np.arange(PACKET * 2 + 100) / 32_768).astype(np.float32)
    made = Unit(name="u", tracks={"A": ramp, "B": ramp[:PACKET]}, turns=())
    found = list(packets(made))
    assert [(p.speaker, p.at // PACKET) for p in found] == [("A", 0), ("B", 0), ("A", 1), ("A", 2)]
    of_a = b"".join(p.data for p in found if p.speaker == "A")
    assert np.array_equal(np.frombuffer(of_a, "<i2"), np.arange(len(ramp)))
    assert [p.speaker for p in packets(made, mixed=True)] == [None] * 3


# -- figures -------------------------------------------------------------------------------


def test_a_word_that_a_short_segment_adds_is_found() -> None:
    played = unit(turn("Ada", "well no"))
    found = result(
        played,
        hearing(heard("well", end_ms=1_500), heard("No, no,", start_ms=1_600, end_ms=2_200)),
    )
    (added,) = found.added
    assert (added.word, added.text, added.start_ms, added.seconds) == ("no", "No, no,", 1_600, 0.6)
    long = result(played, hearing(heard("well no no", end_ms=2_000)))
    assert long.added == ()  # counted as an insertion, but no short segment made it
    assert long.words.insertions == 1


def test_the_summary_tells_clips_meetings_and_silence_apart() -> None:
    clip = result(unit(turn("Ada", "a b c d")), hearing(heard("a b c x"), lag_s=0.02))
    talk = unit(turn("Ada", "a b"), turn("Ben", "c d", 100), is_meeting=True)
    meeting = result(
        talk, hearing(heard("a b"), heard("c", speaker="Ben", start_ms=100), lag_s=0.05)
    )
    quiet = result(unit(turn("Ada", ""), seconds=10.0), hearing(heard("thank you", doubt="x")))
    found = summary([clip, meeting, quiet])
    assert found.wer == pytest.approx(0.25)
    assert found.cp_wer == pytest.approx(0.25)
    assert (found.made_up, found.silent_s) == (2, 10.0)
    assert (found.attribution, found.attribution_unknown) == (1.0, 0.0)
    assert (found.doubts, found.segments, found.words) == (1, 4, 8)
    assert found.lag_s == 0.05
    assert found.rtf == pytest.approx(3 / (2 + 4 + 10))


def test_nothing_but_silence_has_no_rates() -> None:
    found = summary([result(unit(turn("Ada", "")), hearing())])
    assert (found.wer, found.cer, found.cp_wer, found.wer_low) == (None, None, None, None)
    assert (found.made_up, found.silent_s, found.added) == (0, 2.0, 0)


def test_delays_are_summed_up() -> None:
    assert quantiles([]) is None
    found = quantiles([0.1 * n for n in range(1, 21)])
    assert found is not None
    assert (found.p50, found.p95, found.count) == (pytest.approx(1.05), pytest.approx(1.9), 20)


def test_the_interval_holds_the_rate_and_is_the_same_every_time() -> None:
    errors = [Errors(hits=9, substitutions=n % 3) for n in range(20)]
    low, high = interval(errors)
    assert low is not None
    assert high is not None
    rate = sum(e.wrong for e in errors) / sum(e.reference for e in errors)
    assert low < rate < high
    assert (low, high) == interval(errors)
    assert interval(errors[:1]) == (None, None)


# -- reports -------------------------------------------------------------------------------


def made_report(text: str = "a b c x") -> reports.Report:
    found: Result = result(
        unit(turn("Ada", "a b c d"), name="evil|name`"),
        hearing(heard(text, first_s=0.5, final_s=0.9), lag_s=0.01),
    )
    return reports.report(
        [found],
        manifest="dir/natural.jsonl",
        engine="local",
        mode="paced",
        mixed=False,
        machine="two cores",
        settings={"audio": {"hangover_ms": 600}},
    )


def test_a_report_round_trips_as_json(tmp_path: Path) -> None:
    found = made_report()
    (tmp_path / "r.json").write_bytes(msgspec.json.encode(found))
    assert reports.read_report(tmp_path / "r.json") == found
    with pytest.raises(NotFound):
        reports.read_report(tmp_path / "none.json")
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(BadInput, match="no report"):
        reports.read_report(tmp_path / "r.json")


def test_rows_stand_beside_those_of_an_earlier_report() -> None:
    now, before = made_report("a b c d"), made_report("x y c d")
    rows = {row.what: (row.value, row.before) for row in reports.rows(now, before)}
    assert rows["WER"] == ("0.0%", "50.0%")
    assert rows["final words"][0] == "p50 0.90 s, p95 0.90 s (1)"
    assert rows["worst receive lag"] == ("10 ms", "10 ms")
    assert reports.changes(now, before) == ["evil|name`: 2 -> 0 words wrong"]


def test_markdown_keeps_untrusted_words_inside_their_cells() -> None:
    text = reports.markdown(made_report("<script> | **x** [y](z)\n# a"))
    assert "<script>" not in text
    (line,) = [line for line in text.splitlines() if "script" in line]
    assert line.replace("\\|", "").count("|") == 6
    assert "\\*\\*x\\*\\* \\[y\\](z) # a" in line


def test_pictures_are_drawn(tmp_path: Path) -> None:
    drawn = draw(made_report(), tmp_path)
    assert [path.name for path in drawn] == ["words.png", "delays.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
