"""Races of the published boards in orders drawn by chance, against the full run: the same answer for fewer passes."""

import numpy as np
import pytest

from tests.support.raced_orders import raced

ORDERS = 200


def test_a_few_orders_of_photographs_end_as_the_full_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEATMARK_REAL_DATA", "not-read")
    assert [order.good for order in raced("imagenette", 2)] == [True] * 2


@pytest.mark.long
@pytest.mark.parametrize("board", ["embedded", "imagenette"])
def test_orders_end_as_the_full_run_with_a_third_of_its_passes(board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All three at once, in 95% of the orders; what is measured stands in docs/statistics.md."""
    monkeypatch.setenv("HEATMARK_REAL_DATA", "not-read")
    orders = raced(board, ORDERS)
    assert np.mean([order.good for order in orders]) >= 0.95
    assert np.mean([order.same_groups for order in orders]) >= 0.95
    assert np.mean([order.passes for order in orders]) <= 0.25
