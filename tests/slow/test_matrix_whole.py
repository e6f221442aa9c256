"""The whole matrix: every product with every layout, codec and fault."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.model.events import Product
from tests.integration.matrix import CODECS, FAULTS, PRODUCTS, Case, check, make_tape, played
from tests.tone_tape import ToneTape

CASES = [Case(*row) for row in itertools.product(FAULTS, CODECS, PRODUCTS, ("all", "split"))]


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
