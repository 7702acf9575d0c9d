"""Do the intervals cover, and do the tests err as seldom as they say? Simulated boards of known truth.

128 images, as the embedded suite has. Scores: normal, exponential, lognormal (sigma 0.75), Beta(0.5, 0.5),
Beta(5, 1), 0 or 1 with chance 0.5 and 0.9, and zero with chance 0.8, otherwise exponential. In `mirrored` boards
every other entry is turned round, so that the difference of two equal entries is as skewed as a score.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from bench.statistics.means import Array, means, over_seeds
from bench.statistics.paired_tests import ALPHA, groups, holm, paired, rank_intervals
from bench.statistics.places import between
from bench.statistics.replicates import seeds_needed
from bench.statistics.wins import overall_scores, wins

IMAGES = 128
ENTRIES = 6
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

SCORES: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, shape: rng.standard_normal(shape), 0.0),
    "exponential": (lambda rng, shape: rng.exponential(size=shape), 1.0),
    "lognormal": (lambda rng, shape: rng.lognormal(0, 0.75, shape), np.exp(0.75**2 / 2)),
    "beta(0.5, 0.5)": (lambda rng, shape: rng.beta(0.5, 0.5, shape), 0.5),
    "beta(5, 1)": (lambda rng, shape: rng.beta(5, 1, shape), 5 / 6),
    "binary 0.5": (lambda rng, shape: (rng.random(shape) < 0.5).astype(float), 0.5),
    "binary 0.9": (lambda rng, shape: (rng.random(shape) < 0.9).astype(float), 0.9),
    "mostly zero": (lambda rng, shape: (rng.random(shape) < 0.2) * rng.exponential(size=shape), 0.2),
}


def _boards(name: str, boards: int) -> Array:
    """Boards of equal entries (board, entry, seed, image): half of each score is the image's own difficulty."""
    rng = np.random.default_rng(7)
    draw, truth = SCORES[name.removesuffix(", mirrored")]
    scores = draw(rng, (boards, ENTRIES, 1, IMAGES)) - truth
    if name.endswith("mirrored"):
        return scores * np.where(np.arange(ENTRIES) % 2, 1, -1)[:, None, None]
    if name.startswith("binary"):
        return scores
    return scores + draw(rng, (boards, 1, 1, IMAGES))


def _errors(boards: Array, run: Array) -> tuple[float, float]:
    """How often any two of equal entries are told apart, and how often they are not one group."""
    wrong = split = 0
    everyone = np.ones((boards.shape[1],) * 2, bool)
    for scores in boards:
        adjusted = holm(paired(scores, run).p, everyone)
        wrong += bool((adjusted < ALPHA).any())
        split += len(groups(adjusted < ALPHA)) > 1
    return wrong / len(boards), split / len(boards)


def _limit(boards: int) -> float:
    return ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / boards)


@pytest.mark.parametrize("name", SCORES)
def test_intervals_cover_in_a_few_boards(name: str) -> None:
    assert 0.90 <= _coverage(name, 400) <= 0.99


@pytest.mark.long
@pytest.mark.parametrize("name", SCORES)
def test_95_percent_intervals_cover_93_to_97_percent_of_2000_boards(name: str) -> None:
    assert 0.93 <= _coverage(name, 2000) <= 0.97


@pytest.mark.parametrize(("name", "least"), [("normal", 0.93), ("exponential", 0.86), ("lognormal", 0.85)])
@pytest.mark.parametrize("images", [5, 8, 12])
def test_intervals_of_few_images_cover_as_the_documentation_says(name: str, least: float, images: int) -> None:
    assert least <= _coverage(name, 2000, images) <= 0.97


def _coverage(name: str, boards: int, images: int = IMAGES) -> float:
    draw, truth = SCORES[name]
    ours = means(draw(np.random.default_rng(1), (boards, 1, images)))
    print(f"coverage {name}: {(covered := np.mean((ours.low <= truth) & (truth <= ours.high))):.4f}")  # noqa: T201
    return float(covered)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_few_boards_of_equal_entries_stay_one_group(seeds: int) -> None:
    boards = np.random.default_rng(0).exponential(size=(100, ENTRIES, seeds, IMAGES))
    wrong, split = _errors(boards, np.repeat([0, 1], ENTRIES // 2))
    assert wrong == split <= _limit(100)


EQUAL = [*SCORES, "exponential, mirrored", "lognormal, mirrored", "beta(5, 1), mirrored", "mostly zero, mirrored"]


@pytest.mark.long
@pytest.mark.parametrize("name", EQUAL)
def test_equal_entries_stay_one_group_in_95_percent_of_2000_boards(name: str) -> None:
    wrong, split = _errors(_boards(name, 2000), np.zeros(ENTRIES, np.int64))
    print(f"family-wise error {name}: {wrong:.4f}, not one group: {split:.4f}")  # noqa: T201
    assert max(wrong, split) <= _limit(2000)


@pytest.mark.long
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_cover_where_networks_were_trained_several_times(seeds: int, share: float) -> None:
    """`share` is the variance of a mean by training over that by images."""
    scores = _trained(2000, 1, seeds, share)[:, 0]
    ours = means(scores)
    covered = np.mean((ours.low <= 0) & (ours.high >= 0))
    print(f"coverage with {seeds} seeds, {share}: {covered:.4f}")  # noqa: T201
    assert 0.93 <= covered <= 0.97


@pytest.mark.long
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 4.0])
def test_recipes_that_differ_by_chance_of_training_are_not_told_apart(share: float) -> None:
    boards = np.concatenate([_trained(2000, 3, 3, share, 1), _trained(2000, 3, 3, share, 2)], axis=1)
    wrong, split = _errors(boards, np.repeat([0, 1], 3))
    print(f"family-wise error with 3 seeds, {share}: {wrong:.4f}")  # noqa: T201
    assert max(wrong, split) <= _limit(2000)


def _trained(boards: int, entries: int, seeds: int, share: float, rng_seed: int = 0) -> Array:
    rng = np.random.default_rng(rng_seed)
    images = rng.standard_normal((boards, entries, 1, IMAGES)) * 0.8
    both = rng.standard_normal((boards, entries, seeds, IMAGES)) * 0.6 * np.sqrt(seeds)
    training = rng.standard_normal((boards, 1, seeds, 1)) + rng.standard_normal((boards, entries, seeds, 1)) * 0.3
    return images + both + training * np.sqrt(share * seeds / IMAGES / 1.09)


@pytest.mark.long
@pytest.mark.parametrize("refused", [0.0, 0.2])
def test_the_order_over_metrics_errs_as_seldom_and_rank_intervals_hold_every_rank(refused: float) -> None:
    """Three metrics; entries 0 to 3 are equal, 4 is better, 5 worse."""
    rng = np.random.default_rng(3)
    boards, wrong, outside, covered = 1000, 0, 0, 0
    for _ in range(boards):
        quality = rng.exponential(size=(ENTRIES, 3, 1, IMAGES)) + rng.exponential(size=(1, 3, 1, IMAGES))
        quality[4] += 0.3
        quality[5] -= 0.3
        quality[:, 1][rng.random((ENTRIES, 1, IMAGES)) < refused] = np.nan
        scores = overall_scores(wins(quality, list(range(ENTRIES))), np.full(3, 1 / 3))
        pairs = paired(scores, np.zeros(ENTRIES, np.int64))
        adjusted = holm(pairs.p, np.ones((ENTRIES, ENTRIES), bool))
        first, last = rank_intervals(pairs.difference, adjusted)
        wrong += bool((adjusted[:4, :4] < ALPHA).any())
        outside += not (first[4] == 1 and last[5] == ENTRIES and (first[:4] <= 2).all() and (last[:4] >= 5).all())
        ours = means(scores[:1])
        covered += bool(ours.low[0] <= _chance(wins_of_an_equal_entry()) <= ours.high[0])
        assert np.isfinite(over_seeds(scores)).all()
    print(f"order: {wrong / boards:.4f}, ranks: {outside / boards:.4f}, coverage {covered / boards:.4f}")  # noqa: T201
    assert max(wrong, outside) / boards <= _limit(boards)
    assert 0.93 <= covered / boards <= 0.97


def wins_of_an_equal_entry() -> Array:
    """Wins of an entry against three equal ones, one better and one worse by 0.3, of two exponentials."""
    ahead = 0.5 * np.exp(-0.3)
    return np.array([0.5, 0.5, 0.5, ahead, 1 - ahead])


def _chance(shares: Array) -> float:
    return float(shares.mean())


def _on_blocks(boards: int, entries: int, blocks: int, share: float, rng_seed: int = 0) -> Array:
    """Scores (board, entry, block, image) on networks as blocks that differ, and favour methods by chance.

    `share` is the variance of a mean by the blocks over that by images.
    """
    rng = np.random.default_rng(rng_seed)
    images = rng.standard_normal((boards, entries, 1, IMAGES)) * 0.8
    both = rng.standard_normal((boards, entries, blocks, IMAGES)) * 0.6 * np.sqrt(blocks)
    own = rng.standard_normal((boards, entries, blocks, 1)) * np.sqrt(share * blocks / IMAGES)
    return images + both + own + rng.standard_normal((boards, 1, blocks, 1)) * 2


@pytest.mark.parametrize("blocks", [2, 5])
def test_networks_that_favour_methods_by_chance_tell_no_methods_apart_in_a_few_boards(blocks: int) -> None:
    wrong, split = _errors(_on_blocks(100, ENTRIES, blocks, 4), np.zeros(ENTRIES, np.int64))
    assert max(wrong, split) <= _limit(100)


@pytest.mark.long
@pytest.mark.parametrize("share", [0.0, 1.0, 4.0, 100.0])
@pytest.mark.parametrize("blocks", [2, 3, 5])
def test_networks_that_favour_methods_by_chance_tell_no_methods_apart(blocks: int, share: float) -> None:
    wrong, split = _errors(_on_blocks(2000, ENTRIES, blocks, share), np.zeros(ENTRIES, np.int64))
    print(f"family-wise error on {blocks} blocks, {share}: {wrong:.4f}")  # noqa: T201
    assert max(wrong, split) <= _limit(2000)


@pytest.mark.long
@pytest.mark.parametrize("share", [0.0, 1.0, 4.0, 100.0])
def test_intervals_of_places_over_five_networks_cover(share: float) -> None:
    """The place of a method half way between floor and ceiling, all three of which networks favour by chance."""
    ends = np.array([0.0, 4.0, 8.0])[:, None, None]
    own = [between(scores + ends, 0, 2) for scores in _on_blocks(2000, 3, 5, share)]
    covered = np.mean([low[1] <= 0.5 <= high[1] for _, low, high in own])
    print(f"coverage of places over 5 networks, {share}: {covered:.4f}")  # noqa: T201
    assert 0.93 <= covered <= 0.97


@pytest.mark.long
@pytest.mark.parametrize(("effect", "tests"), [(0.5, 1), (1, 1), (1, 12), (2, 1), (3, 12)])
@pytest.mark.parametrize("of_images", [0.0, 0.01])
def test_as_many_seeds_as_are_said_find_an_effect(effect: float, tests: int, of_images: float) -> None:
    said = seeds_needed(effect, 1.0, tests, of_images, IMAGES)
    power = {count: _power(effect, count, tests, of_images) for count in range(2, 60)}
    found = next(count for count, share in power.items() if share >= 0.8)
    print(f"effect {effect}, {tests} tests, images {of_images}: said {said:.0f}, found {found}")  # noqa: T201
    assert abs(said - found) <= max(0.2 * found, 1)


def _power(effect: float, seeds: int, tests: int, of_images: float) -> float:
    """How often the interval that joins the variances of seeds and images leaves out 0, at the level over `tests`."""
    rng = np.random.default_rng(seeds)
    points = rng.normal(effect, 1, (8000, seeds))
    mean = points.mean(1) + rng.normal(0, np.sqrt(of_images), 8000)
    by_images = of_images * rng.chisquare(IMAGES - 1, 8000) / (IMAGES - 1)
    tail = ALPHA / 2 / tests
    reach = stats.t.isf(tail, seeds - 1) ** 2 * points.var(1, ddof=1) / seeds
    return float(np.mean(mean**2 > reach + stats.t.isf(tail, IMAGES - 1) ** 2 * by_images))
