"""Alpha spent over looks: boundaries against published ones, and how often nothing is found to be something."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from bench.sequential.looks import FEWEST, fractions, image_order, last_looks, look_counts
from bench.sequential.spending import levels, paid, spent, still_possible

LOOKS = fractions(look_counts(128))


def test_boundaries_are_those_of_lan_and_demets() -> None:
    """Five looks at equal distances, two-sided .05, spending like Pocock's boundary: as ld98 gives them."""
    found = stats.norm.isf(np.array(levels((0.2, 0.4, 0.6, 0.8, 1.0), 0.05)) / 2)
    assert found == pytest.approx([2.438, 2.427, 2.410, 2.397, 2.386], abs=1e-3)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 55, 1e-6])
def test_one_look_spends_all_of_alpha(alpha: float) -> None:
    assert levels((1.0,), alpha) == pytest.approx((alpha,), rel=1e-6)
    assert spent(1.0, alpha) == pytest.approx(alpha)


@pytest.mark.parametrize("look", range(len(LOOKS)))
@pytest.mark.parametrize("alpha", [0.05, 0.01, 1e-4, 1e-7])
def test_a_p_value_at_the_level_has_cost_alpha(look: int, alpha: float) -> None:
    level = np.array([levels(LOOKS, alpha)[look]])
    assert paid(level, LOOKS, look) == pytest.approx([alpha], rel=0.02)


def test_what_is_paid_is_no_less_than_the_p_value() -> None:
    p = np.geomspace(1e-10, 1, 50)
    for look in range(len(LOOKS)):
        own = paid(p, LOOKS, look)
        assert (np.diff(own) >= 0).all()
        assert (own >= p * 0.999).all()
    assert np.isnan(paid(np.array([np.nan]), LOOKS, 0)).all()


def test_nothing_is_found_no_oftener_than_alpha_however_often_one_looks() -> None:
    steps = np.sqrt(np.diff([0.0, *LOOKS])) * np.random.default_rng(0).standard_normal((20_000, len(LOOKS)))
    z = steps.cumsum(1) / np.sqrt(LOOKS)
    p = np.min([paid(2 * stats.norm.sf(np.abs(z[:, look])), LOOKS, look) for look in range(len(LOOKS))], axis=0)
    for alpha in (0.2, 0.05, 0.01):
        error = np.sqrt(alpha * (1 - alpha) / len(p))
        assert abs((p <= alpha).mean() - alpha) < 4 * error


def test_what_is_still_possible_is_how_often_it_comes_about() -> None:
    """A difference without prior knowledge, seen after a quarter of the images and again after all."""
    rng, seen = np.random.default_rng(1), 0.4
    true = seen / np.sqrt(0.25) + rng.standard_normal(200_000) / np.sqrt(0.25)
    late = np.sqrt(0.25) * seen + 0.75 * true + np.sqrt(0.75) * rng.standard_normal(len(true))
    expected = (late > stats.norm.isf(0.025)).mean()
    assert still_possible(np.array([seen]), 0.25, 0.05) == pytest.approx([expected], abs=0.005)


def test_images_come_in_an_order_of_their_own() -> None:
    ids = [f"image-{number}" for number in range(50)]
    order = image_order(ids)
    assert sorted(order) == list(range(50))
    assert order != sorted(order)
    assert [ids[i] for i in order] == [ids[::-1][i] for i in image_order(ids[::-1])]


def test_looks_come_with_a_quarter_more_images_and_never_at_a_handful() -> None:
    assert look_counts(128) == (8, 10, 13, 16, 20, 25, 32, 40, 51, 64, 81, 102, 128)
    assert look_counts(100) == (8, 10, 13, 16, 20, 25, 32, 40, 50, 63, 79, 100)
    assert look_counts(16) == (8, 10, 13, 16)
    assert look_counts(9) == (8, 9)
    assert look_counts(3) == (3,)


@pytest.mark.parametrize("images", [*range(1, 40), 128, 1_000, 50_000])
def test_the_last_look_is_after_all_images_and_none_comes_twice(images: int) -> None:
    looks = look_counts(images)
    assert looks[-1] == images
    assert (np.diff(looks) > 0).all()
    assert looks[0] == min(images, FEWEST)
    assert max((b / a for a, b in pairwise(looks)), default=1) <= 1.4


@pytest.mark.parametrize("images", [9, 24, 1_000, 50_000])
def test_levels_of_close_looks_spend_alpha_and_no_more(images: int) -> None:
    parts = fractions(look_counts(images))
    steps = np.sqrt(np.diff([0.0, *parts])) * np.random.default_rng(images).standard_normal((20_000, len(parts)))
    z = steps.cumsum(1) / np.sqrt(parts)
    found = (2 * stats.norm.sf(np.abs(z)) <= levels(parts, 0.05)).any(1).mean()
    assert abs(found - 0.05) < 4 * np.sqrt(0.05 * 0.95 / len(z))


def test_the_last_look_of_an_entry_is_where_its_images_end() -> None:
    present = np.zeros((4, 10), bool)
    present[0] = True
    present[1, [0, 3]] = True
    present[2, :5] = True
    assert last_looks(present, (4, 8, 12)).tolist() == [12, 4, 8, 0]
