"""The pure parts of the bench: statistics, frames, cores, what is told, and the command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from pipeline.base.errors import BadInput
from pipeline.cli import bench as command
from pipeline.evaluate.bench.catalogue import BENCHES, select
from pipeline.evaluate.bench.cores import Cores, assign
from pipeline.evaluate.bench.figure import (
    Figure,
    Progress,
    Unmeasured,
    figure,
    percentile,
    readable,
    spread,
)
from pipeline.evaluate.bench.frames import client_frame, first_frame
from pipeline.evaluate.bench.load_tape import write_load_tape
from pipeline.evaluate.bench.meetings import Size, Window
from pipeline.evaluate.bench.plan import ClientReport, ZoomMark
from pipeline.tapes.lines import TapeAudio
from pipeline.tapes.reader import TapeReader

floats = st.floats(0.001, 1e6)


# -- statistics ----------------------------------------------------------------------------


def test_a_figure_is_medians_and_the_floor_divided_by_the_value() -> None:
    found = figure("x", [4.0, 1.0, 2.0], "us", [6.0, 5.0, 5.5], "why")
    assert (found.value, found.floor, found.ratio) == (2.0, 5.5, 2.75)
    assert (found.runs, found.spread) == (3, 1.5)


def test_a_figure_without_a_floor_has_no_ratio() -> None:
    found = figure("x", [4.0], "us", None, "")
    assert (found.floor, found.ratio, found.spread) == (None, None, 0.0)


def test_a_figure_of_nothing_has_no_ratio() -> None:
    assert figure("x", [0.0, 0.0], "ms", [20.0], "").ratio is None


@given(st.lists(floats, min_size=1))
def test_spread_is_nothing_only_when_all_runs_agree(values: list[float]) -> None:
    found = spread(values)
    assert found >= 0
    if len(set(values)) == 1:
        assert found == 0


@given(st.lists(floats, min_size=1), st.floats(0, 1))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9 * len(values)
    assert sum(value < found for value in values) <= share * len(values) + 1e-9 * len(values)


def test_percentiles_by_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_readable_keeps_significant_digits() -> None:
    assert readable(12.34567) == 12.35
    assert readable(0.00012345, 2) == 0.00012


# -- frames --------------------------------------------------------------------------------


@given(st.binary(max_size=70_000 // 2))
def test_a_server_reads_what_the_raw_client_sends(payload: bytes) -> None:
    reader = StreamReader()
    reader.feed_data(client_frame(payload))
    found = _parsed(reader, mask=True)
    assert (found.opcode, found.fin, bytes(found.data)) == (Opcode.TEXT, True, payload)


def _parsed(reader: StreamReader, *, mask: bool) -> Frame:
    parsing = Frame.parse(reader.read_exact, mask=mask)
    try:
        while True:
            next(parsing)
    except StopIteration as done:
        found: Frame = done.value
        return found


@pytest.mark.parametrize("size", [0, 125, 126, 900, 65_535, 65_536])
def test_the_first_frame_of_what_arrived_is_measured(size: int) -> None:
    frame = Frame(Opcode.TEXT, bytes(size)).serialize(mask=False)
    head, length = first_frame(frame + b"\x81\x05hello")
    assert (head + length, length) == (len(frame), size)
    assert first_frame(frame[: head - 1]) == (0, 0)


# -- cores ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "cores"),
    [
        (None, Cores(None, None)),
        (frozenset({3}), Cores(None, None)),
        (frozenset({1, 0}), Cores(0, 1)),
        (frozenset({7, 4, 9}), Cores(4, 7)),
    ],
)
def test_the_fake_zoom_and_the_clients_get_a_core_each(
    allowed: frozenset[int] | None, cores: Cores
) -> None:
    assert assign(allowed) == cores
    assert "core" in cores.told
    assert cores.zoom is None or f"core {cores.zoom}" in cores.told


# -- many meetings -------------------------------------------------------------------------


def _mark(sent: int, at: float, cpu_s: float) -> ZoomMark:
    return ZoomMark(
        at=at,
        cpu_s=cpu_s,
        reading_s=0.1,
        started_at=100.0,
        start_ms=1_790_000_000_000,
        sent=sent,
        worst_ms=1.0,
        p99_ms=0.5,
    )


def test_a_delay_is_the_arrival_after_the_packet_was_due() -> None:
    # The packet of the tape's second 1.000 to 1.020 is due at 1.020, machine time 101.020.
    arrived = 101.0237 * 1000 - 1_790_000_001_000
    report = ClientReport(
        messages=1, cpu_s=0.1, began=101.0, ended=102.0, loop="uvloop", arrivals=[arrived]
    )
    window = Window(report, _mark(10, 101.0, 5.0), _mark(2_010, 103.0, 5.5))
    assert window.delays_ms() == pytest.approx([3.7], abs=0.01)
    assert (window.zoom_s, window.zoom_sent, window.zoom_cpu_s) == (2.0, 2_000, 0.4)
    assert report.us_per_message == pytest.approx(100_000)


def test_no_message_costs_without_bound() -> None:
    report = ClientReport(messages=0, cpu_s=0.1, began=1.0, ended=2.0, loop="uvloop")
    assert report.us_per_message == float("inf")


def test_a_size_knows_what_is_due() -> None:
    size = Size(streams=200, runs=5)
    assert size.due(2.0) == 20_000
    assert size.tape_s > 2 * size.runs * (size.settle_s + size.window_s)


def test_the_load_tape_is_talk_without_a_pause(tmp_path: Path) -> None:
    path = tmp_path / "load.rtms.zst"
    write_load_tape(path, 3.0)
    reader = TapeReader.open(path)
    lines = [line for line in reader if isinstance(line, TapeAudio)]
    reader.close()
    assert sum(line.packed.first for line in lines) == 1
    assert sum(line.packed.last for line in lines) == 1
    packets = sum(len(line.packed.packets) for line in lines)
    assert packets * reader.header.audio[0].packet_ms >= 3_000
    assert len({line.packed.user_id for line in lines}) == 1


# -- the command ---------------------------------------------------------------------------


def test_benches_are_selected_by_name_once() -> None:
    assert select([]) == list(BENCHES)
    assert select(["help", "decode", "help"]) == ["help", "decode"]
    with pytest.raises(BadInput, match="no bench 'speed'; there are decode, "):
        select(["decode", "speed"])


async def _measured(progress: Progress) -> Sequence[Figure]:
    progress("halfway")
    return [figure("x", [1.0], "us", [2.0], "why"), figure("y", [3.0], "ms", None, "how")]


async def _absent(_: Progress) -> Sequence[Figure]:
    raise Unmeasured("no such thing here: pip install it")


def test_a_bench_that_cannot_run_says_so_and_gives_no_figure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "BENCHES", {"decode": _measured, "receive_sdk": _absent})
    command.run(names=["decode", "receive_sdk"], json=True)
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert [one["name"] for one in found] == ["x", "y"]
    assert set(found[0]) >= {"name", "value", "unit", "floor", "ratio", "runs", "spread"}
    assert "receive_sdk: not measured: no such thing here" in told.err


def test_a_bench_that_alone_was_asked_for_and_cannot_run_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "BENCHES", {"receive_sdk": _absent})
    with pytest.raises(Unmeasured, match="receive_sdk: not measured: no such thing"):
        command.run(names=["receive_sdk"], json=True)
    assert capsys.readouterr().out == ""


def test_the_table_names_value_floor_and_what_was_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "BENCHES", {"decode": _measured})
    command.run(names=["decode"], json=False)
    told = capsys.readouterr().out
    assert "1 us" in told
    assert "why" in told
    assert "2 cores" in told.replace(f"{os.cpu_count()} cores", "2 cores")


def test_the_sdk_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.evaluate.bench.receive import sdk_version

    monkeypatch.setitem(sys.modules, "rtms", None)
    with pytest.raises(Unmeasured, match=r"pip install rtms==1\.1\.0"):
        sdk_version()


def test_plans_go_through_json() -> None:
    mark = _mark(1, 2.0, 3.0)
    assert msgspec.json.decode(msgspec.json.encode(mark), type=ZoomMark) == mark
