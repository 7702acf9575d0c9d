"""Figures of curves: what is drawn where, and in which look."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bench.leaderboard.build import board_of
from bench.report.curve_figure import MOST_CURVES, MOST_PANELS, curves_figure, draw_curves
from tests.support.simulated_results import METHODS, result_set

MANY = tuple(f"method_{number:02d}" for number in range(2 * MOST_CURVES))


def _first(results) -> Figure:
    return next(figure for _, _, figure in draw_curves(results, board_of(results)))


def _lines(figure: Figure, panel: int) -> dict[str, tuple[str, str]]:
    return {line.get_label(): (line.get_color(), line.get_linestyle()) for line in figure.axes[panel].get_lines()}


def test_several_methods_on_several_networks_get_a_panel_for_each_network_and_one_look_in_all() -> None:
    figure = _first(result_set(10, recipes=("standard", "adversarial")))
    assert {axes.get_title(loc="left") for axes in figure.axes} == {"standard", "adversarial"}
    first, second = _lines(figure, 0), _lines(figure, 1)
    assert set(METHODS) < set(first)
    assert first == second
    assert len(set(first.values())) == len(first)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == set(first)


def test_one_method_on_several_networks_is_drawn_in_one_panel() -> None:
    figure = _first(result_set(10, methods=("simple_gradient",), controls=(), recipes=("standard", "adversarial")))
    assert len(figure.axes) == 1
    assert set(_lines(figure, 0)) == {"standard / simple_gradient", "adversarial / simple_gradient"}


def test_of_many_methods_the_best_are_drawn_and_the_caption_says_so() -> None:
    results = result_set(10, methods=MANY, controls=("random_map",))
    _, caption, figure = next(draw_curves(results, board_of(results)))
    assert len(_lines(figure, 0)) == MOST_CURVES + 1
    assert "of the best methods and the controls" in caption


def test_of_many_networks_the_best_are_drawn() -> None:
    results = result_set(4, recipes=tuple(f"recipe_{number}" for number in range(MOST_PANELS + 2)))
    _, caption, figure = next(draw_curves(results, board_of(results)))
    assert len(figure.axes) == MOST_PANELS
    assert "of the best methods" in caption


def test_the_band_is_the_interval_of_the_mean_and_a_shorter_curve_spans_the_same_shares() -> None:
    long = np.random.default_rng(0).normal(size=(50, 9))
    figure = curves_figure({"": {"long": long, "short": long[:, ::2]}}, set(), ("share", np.linspace(0, 1, 9)), "m")
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert list(lines["short"].get_xdata()) == pytest.approx(np.linspace(0, 1, 5))
    band = figure.axes[0].collections[-1].get_paths()[0].vertices[:, 1]
    half = 1.96 * long.std(0, ddof=1) / np.sqrt(50)
    assert band.max() == pytest.approx((long.mean(0) + half).max())
    assert band.min() == pytest.approx((long.mean(0) - half).min())
