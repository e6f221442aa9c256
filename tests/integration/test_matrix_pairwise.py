"""The matrix in CI: any two of product, layout, codec and fault meet in some run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.model.events import Product
from tests.integration.matrix import CODECS, FAULTS, PRODUCTS, Case, check, make_tape, played
from tests.pairwise import pairwise
from tests.tone_tape import ToneTape

IN_CI = CODECS[:4]
"""One of each codec; every other format meets every layout below, the rest is tests/slow."""
CASES = [Case(*row) for row in pairwise(FAULTS, IN_CI, PRODUCTS, ("all", "split"))]
CASES += [Case(*row) for row in pairwise(FAULTS[:1], CODECS[4:], PRODUCTS[:2], ("all", "split"))]


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Product], ToneTape]:
    folder = tmp_path_factory.mktemp("tapes")
    made = {product: make_tape(folder, product) for product in PRODUCTS}
    return made.__getitem__


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_arrived_is_what_was_sent_and_every_hole_is_told(
    case: Case, tape: Callable[[Product], ToneTape], tmp_path: Path
) -> None:
    check(played(case, tape(case.product), tmp_path))


def test_every_two_values_meet() -> None:
    rows = pairwise("abc", "12", "xyzw")
    assert len(rows) == len(set(rows)) <= 14
    for one, other in ((0, 1), (0, 2), (1, 2)):
        found = {(row[one], row[other]) for row in rows}
        sizes = [len({row[place] for row in rows}) for place in (one, other)]
        assert len(found) == sizes[0] * sizes[1]
