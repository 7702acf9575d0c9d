"""What is left off while images come in: on boards of known truth, and against the full run."""

from dataclasses import replace

import numpy as np
import pytest

from bench.racing.decisions import decisions
from bench.racing.replay import replay
from bench.sequential.looks import look_counts
from bench.statistics.board import Board
from bench.statistics.build import entry_board
from bench.statistics.metric_audit import audited
from bench.statistics.paired_tests import ALPHA, holm
from tests.support.simulated_results import result_set

IMAGES = 128
KINDS = ("skewed", "tied", "mixed")
EQUAL = ("integrated_gradients", "simple_gradient", "smooth_grad", "grad_cam")


def a_board(images: int = IMAGES, seed: int = 0) -> Board:
    return entry_board(result_set(images, rng_seed=seed))


def watched(board: Board, quality: np.ndarray) -> Board:
    """The board with other scores (higher is better under each metric), looked at until the last image."""
    sign = np.where(board.metrics.direction.eq("lower"), -1.0, 1.0)[:, None, None]
    stops = np.full(board.scores.shape[:2], quality.shape[-1])
    names = tuple(f"image-{number}" for number in range(quality.shape[-1]))
    return replace(board, scores=quality * sign, images=names, looks=look_counts(len(names)), stops=stops)


def of_equals() -> Board:
    return entry_board(result_set(8, EQUAL, controls=()))


def equal_scores(kind: str, rng: np.random.Generator, images: int) -> np.ndarray:
    """Scores of methods that are equal under every metric: skewed, mostly tied, or a metric of either."""
    shape = (len(EQUAL), 3, 1, images)
    if kind == "skewed":
        return rng.exponential(size=(1, *shape[1:])) + rng.exponential(size=shape)
    scores = rng.lognormal(0, 1.5, shape)
    tied = slice(None) if kind == "tied" else slice(1, 2)
    scores[:, tied] = rng.random(scores[:, tied].shape) < 0.1
    return scores


def family_errors(boards: int, seed: int) -> float:
    """How often any two of equal methods are ever told apart, over all metrics, by an order of wins."""
    rng, board, wrong = np.random.default_rng(seed), of_equals(), 0
    rows = board.methods
    for number in range(boards):
        own = watched(board, equal_scores(KINDS[number % 3], rng, IMAGES))
        p = own.pairs_by(own.weights, rows).p
        wrong += bool((holm(p, np.ones(p.shape, bool)) < ALPHA).any())
    return wrong / boards


def test_equal_methods_are_seldom_told_apart() -> None:
    assert family_errors(20, 0) <= 0.2  # 5% and three standard errors


@pytest.mark.long
def test_equal_methods_are_told_apart_in_five_of_a_hundred_races_at_most() -> None:
    races = 2001
    assert family_errors(races, 1) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / races)


@pytest.mark.long
def test_whole_races_of_equal_methods_err_as_seldom() -> None:
    """With all that stops on the way: methods that would hardly be told apart, metrics, and their weights with them."""
    rng, board, races, images = np.random.default_rng(2), of_equals(), 300, IMAGES // 2
    wrong, names = 0, tuple(map(str, range(images)))
    for number in range(races):
        scores = equal_scores(KINDS[number % 3], rng, images)
        ended = audited(replay(replace(board, scores=scores, images=names)).board)
        wrong += len(ended.overall.groups) > 1
    assert wrong / races <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / races)


def scored(board: Board, centres: dict[str, tuple[float, ...]], spread: float = 0.1) -> Board:
    """The board with these mean qualities of entries under its metrics, each image a little off on its own."""
    rng = np.random.default_rng(5)
    means = np.array([centres[name] for name in board.entries.attribution])[:, :, None, None]
    return watched(board, means + spread * rng.standard_normal((*means.shape[:3], len(board.images))))


def test_a_control_stops_under_a_metric_and_goes_on_under_another() -> None:
    far, near = (0.9, 0.9, 0.9), (0.1, 0.58, 0.1)
    methods = {"integrated_gradients": (0.6,) * 3, "simple_gradient": (0.55,) * 3, "smooth_grad": (0.57,) * 3}
    board = scored(a_board(), methods | {"oracle": far, "edges": near, "centre": (0.1,) * 3, "random_map": (0,) * 3})
    first = replace(board, scores=board.scores[..., :8], images=board.images[:8], stops=np.minimum(board.stops, 8))
    stops = [stop for stop in decisions(first, []) if stop.attribution]
    assert {stop.metric for stop in stops if stop.attribution == "edges"} == {"deletion", "pointing_game"}
    assert [stop.metric for stop in stops if stop.attribution == "centre"] == [""]
    ends = replay(board).board.stops
    edges = list(board.entries.attribution).index("edges")
    assert ends[edges, 0] == ends[edges, 2] == 8  # type: ignore[index]
    assert ends[edges, 1] > 8  # type: ignore[index]


@pytest.mark.parametrize(
    ("spread", "said"), [(1e-4, "more images would hardly tell it from Simple gradient"), (0.08, None)]
)
def test_what_wins_by_less_than_matters_is_not_decided(spread: float, said: str | None) -> None:
    """Surely ahead on most images, and its mean by less than 2% of the way from the random map to the truth.

    It is left off where it would hardly be farther ahead by all images, and goes on where it may be.
    """
    board = entry_board(result_set(IMAGES, ("integrated_gradients", "simple_gradient"), ("random_map", "oracle")))
    centres = {"integrated_gradients": 0.5, "simple_gradient": 0.495, "oracle": 1.0, "random_map": 0.0}
    board = scored(board, {name: (own,) * 3 for name, own in centres.items()}, 1e-4)
    one = list(board.entries.attribution).index("integrated_gradients")
    quality = board.quality[..., :64].copy()
    quality[one, ..., ::4] -= spread
    seen = watched(board, quality)
    seen = replace(seen, looks=board.looks, images=board.images[:64])
    stop = next((stop for stop in decisions(seen, []) if stop.attribution == "integrated_gradients"), None)
    assert (None if stop is None else stop.reason) == said


def test_a_clear_winner_stops_early_and_stays_first() -> None:
    board = a_board()
    ended = replay(board)
    stops = {stop.attribution: stop for stop in ended.stops if stop.attribution}
    assert stops["integrated_gradients"].images < IMAGES
    assert stops["integrated_gradients"].reason == "its place is decided"
    full, raced = audited(board).overall, audited(ended.board).overall
    assert board.entries.attribution[raced.rows[0]] == board.entries.attribution[full.rows[0]]
    assert raced.letters == full.letters


def test_methods_that_are_alike_stop_because_more_images_would_hardly_help() -> None:
    ended = replay(a_board(256))
    stop = next(stop for stop in ended.stops if stop.attribution == "simple_gradient")
    assert stop.images < 256
    assert stop.reason == "more images would hardly tell it from Smooth grad"


def test_a_method_stops_when_its_interval_is_as_asked() -> None:
    ended = replay(a_board(), half_width=0.1)
    reasons = {stop.reason.partition(" within ")[0] for stop in ended.stops if stop.attribution == "smooth_grad"}
    assert reasons == {"its place is known"}


def test_what_others_have_seen_later_leaves_the_decision_of_a_pair_alone() -> None:
    """A pair is tested on the images that both have seen, also where one of them goes on."""
    board = a_board()
    short = watched(board, board.quality)
    left = short.methods[-1]
    stops, scores = short.stops.copy(), short.scores.copy()  # type: ignore[union-attr]
    stops[left], scores[left, ..., 32:] = 32, np.nan
    short = replace(short, stops=stops, scores=scores)
    until = replace(watched(board, board.quality[..., :32]), looks=short.looks)
    weights = short.weights
    one, other = short.pairs_by(weights), until.pairs_by(weights)
    rest = short.methods[0]
    assert one.images[rest, left] == 32
    assert one.p[rest, left] == pytest.approx(other.p[rest, left])
    assert one.images[rest, short.methods[1]] == IMAGES


def test_wins_against_one_that_was_left_off_stay_what_they_were() -> None:
    board = a_board()
    full = watched(board, board.quality)
    left = full.methods[-1]
    stops, scores = full.stops.copy(), full.scores.copy()  # type: ignore[union-attr]
    stops[left], scores[left, ..., 64:] = 64, np.nan
    short = replace(full, stops=stops, scores=scores)
    half = replace(full, scores=full.scores[..., :64], stops=np.minimum(full.stops, 64))  # type: ignore[type-var]
    first, second = full.methods[:2]
    alone = full.rows([first, second])
    # Two opponents: half of the first's share of wins is against the one that goes on, half against the other.
    against_left = 2 * half.wins[first].mean(2) - half.rows([first, second]).wins[0].mean(2)
    assert short.wins[first].mean(2) == pytest.approx((alone.wins[0].mean(2) + against_left) / 2)


def test_all_scores_of_an_unwatched_board_are_what_they_were() -> None:
    board = a_board()
    full = watched(board, board.quality)
    assert full.overall_scores == pytest.approx(board.overall_scores, abs=1e-6)
    assert full.overall.rows == board.overall.rows
    known = np.isfinite(board.overall.pairs.p)
    assert (full.overall.pairs.p[known] >= board.overall.pairs.p[known] * 0.999).all()
