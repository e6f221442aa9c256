"""Every bench in small: that it runs and its figures hold together, not how fast it is here."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest

from pipeline.evaluate.bench import emulate, receive
from pipeline.evaluate.bench.catalogue import BENCHES
from pipeline.evaluate.bench.child import ChildFailed, child
from pipeline.evaluate.bench.figure import Figure
from pipeline.evaluate.bench.meetings import Size, meetings
from pipeline.evaluate.bench.plan import ClientPlan, ClientReport, Target
from tests.integration.processes import environment, finished

SMALL = Size(streams=3, runs=2, settle_s=0.2, window_s=0.6)


def _quiet(_: str) -> None:
    pass


def _sound(figure: Figure, runs: int) -> None:
    assert figure.runs == runs
    assert figure.value > 0
    assert figure.floor is not None
    assert figure.floor > 0
    assert figure.ratio == pytest.approx(figure.floor / figure.value, rel=0.02)
    assert figure.spread >= 0
    assert "wanted" in figure.note or "floor" in figure.note


async def test_receiving_is_measured_beside_bare_sockets_over_tls() -> None:
    told: list[str] = []
    (figure,) = await receive.beside_raw(told.append, SMALL)
    assert figure.name == "receive"
    _sound(figure, SMALL.runs)
    assert "3 meetings over TLS" in figure.note
    assert "our client, run 2 of 2" in told


async def test_receiving_is_measured_beside_the_sdk() -> None:
    if importlib.util.find_spec("rtms") is None:
        if os.environ.get("CI"):
            pytest.fail("Zoom's SDK must be installed in CI")
        pytest.skip("Zoom's SDK is not installed: pip install rtms==1.1.0")
    cost, delay = await receive.beside_sdk(_quiet, SMALL)
    assert (cost.name, delay.name) == ("receive_sdk", "receive_sdk_delay")
    _sound(cost, SMALL.runs)
    _sound(delay, SMALL.runs)
    assert delay.value < 2_000


async def test_the_fake_zooms_own_cost_is_measured() -> None:
    core, lateness = await emulate.driving(_quiet, SMALL)
    assert (core.name, lateness.name) == ("emulate", "emulate_lateness")
    _sound(core, SMALL.runs)
    assert core.value <= 110
    assert lateness.value >= 0


async def test_both_clients_count_the_messages_that_were_sent() -> None:
    async with meetings(SMALL, tls=False) as zoom:
        raw = await zoom.window("raw")
        ours = await zoom.window("our", delays=True)
    for window in (raw, ours):
        seconds = window.report.ended - window.report.began
        assert window.report.messages == pytest.approx(SMALL.due(seconds), rel=0.25)
        assert window.zoom_sent == pytest.approx(SMALL.due(window.zoom_s), rel=0.25)
    assert len(ours.report.arrivals) == ours.report.messages
    assert all(-25 < delay < 2_000 for delay in ours.delays_ms())


async def test_a_client_that_cannot_connect_says_why(tmp_path: Path) -> None:
    nowhere = Target("ws://127.0.0.1:9/signaling", "M", "S", 0.0)
    plan = ClientPlan(
        targets=[nowhere],
        client_id="cid",
        client_secret="csec",
        ca_file="",
        settle_s=0.0,
        window_s=0.1,
        core=None,
    )
    async with child("raw_client", tmp_path) as running:
        await running.tell(plan)
        with pytest.raises(ChildFailed, match=r"raw_client: ended with 1: .*(refused|connect)"):
            await running.answer(ClientReport, 30)


@pytest.mark.parametrize("name", ["decode", "hand_over", "audio_chain", "mixed_speakers", "help"])
async def test_the_benches_of_one_process(name: str) -> None:
    for figure in await BENCHES[name](_quiet):
        assert figure.value > 0
        assert figure.ratio is not None


async def test_the_page_bench() -> None:
    (figure,) = await BENCHES["transcript_to_page"](_quiet)
    assert figure.unit == "ms p99"
    assert figure.runs == 200


async def test_the_command_prints_the_fixed_form(tmp_path: Path) -> None:
    status, output, errors = await finished(
        "bench", "decode", "--json", env=environment(tmp_path / "home")
    )
    assert status == 0, errors
    (found,) = json.loads(output)
    assert set(found) >= {"name", "value", "unit", "floor", "ratio", "runs", "spread"}
    status, _, errors = await finished("bench", "speed", env=environment(tmp_path / "home"))
    assert status == 1
    assert "no bench 'speed'" in errors
