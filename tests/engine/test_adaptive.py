from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.engine.adaptive import first_points, next_points, straightened

PUBLISHED = Path(__file__).parents[2] / "results" / "imagenette" / "curves.parquet"


def refined(function, points: int, tolerance: float) -> tuple[float, float, int]:
    """The area of the refined and of the full curve, and how many points the refined one took."""
    full = function(np.linspace(0, 1, points))
    curve = np.full(points, np.nan)
    curve[[0, -1]] = full[[0, -1]]
    wanted, taken = first_points(curve), 0
    while len(wanted):
        curve[wanted] = full[wanted]
        taken += len(wanted)
        wanted = next_points(curve, tolerance)
    dx = 1 / (points - 1)
    return np.trapezoid(straightened(curve), dx=dx), np.trapezoid(full, dx=dx), taken


@given(st.floats(1, 60), st.floats(0.05, 0.95), st.floats(0.001, 0.02))
def test_the_area_is_within_the_tolerance_for_sigmoids(steepness: float, middle: float, tolerance: float) -> None:
    area, full, _ = refined(lambda x: 1 / (1 + np.exp(-steepness * (x - middle))), 225, tolerance)
    assert abs(area - full) <= tolerance


@pytest.mark.parametrize("tolerance", [0.002, 0.005])
def test_a_step_is_found_with_few_points(tolerance: float) -> None:
    area, full, taken = refined(lambda x: (x > 0.3137).astype(float), 225, tolerance)
    assert abs(area - full) <= tolerance
    assert taken < 40


def test_a_straight_line_needs_the_first_points_only() -> None:
    area, full, taken = refined(lambda x: 0.9 - 0.5 * x, 225, 0.001)
    assert area == pytest.approx(full)
    assert taken == 11


def test_no_point_is_asked_twice_and_a_tiny_tolerance_asks_for_all() -> None:
    rng = np.random.default_rng(0)
    area, full, taken = refined(lambda x: rng.random(len(x)), 65, 1e-12)
    assert area == pytest.approx(full)
    assert taken == 63


def test_areas_of_photographs_are_within_the_tolerance_at_a_quarter_of_the_points() -> None:
    curves = pd.read_parquet(PUBLISHED, filters=[("metric", "in", ["deletion", "insertion"])]).curve[::5]
    found = [refined(lambda _, curve=curve: curve.astype(float), len(curve), 0.005) for curve in curves]
    within = [abs(area - full) <= 0.005 for area, full, _ in found]
    assert len(within) == 200
    assert np.mean(within) >= 0.995
    assert np.mean([taken for *_, taken in found]) < 60


def test_points_that_are_no_numbers_ask_for_no_others() -> None:
    area, _, taken = refined(lambda x: np.where(x > 0.5, np.inf, 0.2), 65, 0.001)
    assert taken < 63
    assert area == np.inf
