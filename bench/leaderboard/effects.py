"""What recipes change against plain training, each effect beside its price in accuracy: tests, judgements, words."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from bench.leaderboard.board import Board
from bench.leaderboard.names import display_names
from bench.leaderboard.paired_tests import ALPHA, adjusted_by_holm
from bench.leaderboard.recipe_effects import ACCURACY
from bench.leaderboard.replicates import seeds_needed

Judgement = Literal["better", "worse", "more", "less", "equal", "not told apart", "untested"]


@dataclass(frozen=True)
class Effect:
    """What a recipe does to a metric, against the plain training of the same network, and what it costs.

    `effect` is a difference on the metric's own scale with its 95% interval, `share` of the way from floor to ceiling
    (NaN without both); `points` the differences of the seeds; `p` by Holm over the effects of the network, NaN where
    nothing can be tested, as with one seed; `judgement` says what to make of it ("more" and "less" of a property);
    `own`, that the recipe trains on this very measure; `price` the difference in accuracy with its interval;
    `seeds_needed` with how many seeds such an effect is found with 80% power, infinite without one.
    """

    network: str
    recipe: str
    attribution: str
    metric: str
    effect: float
    low: float
    high: float
    share: float
    points: tuple[float, ...]
    p: float
    judgement: Judgement
    own: bool
    is_property: bool
    price: float
    price_low: float
    price_high: float
    seeds_needed: float


def effects_of(board: Board) -> list[Effect]:
    """The effects of all recipes of a board, network by network; names are those that people read."""
    table = board.effects
    if table is None:
        return []
    found = []
    for _, own in table.groupby("network", sort=False):
        effects = own[own.attribution.ne("") & own.recipe.ne(own.control)]
        points = [np.array([float(point) for point in text.split()]) for text in effects.apart]
        p = np.array([_p(one) if seeds > 1 else np.nan for one, seeds in zip(points, effects.seeds, strict=True)])
        tested = np.isfinite(p)
        p[tested] = adjusted_by_holm(p[tested])
        prices = own[own.metric.eq(ACCURACY["accuracy"])].set_index("recipe")
        for row, one, chance in zip(effects.to_dict("records"), points, p, strict=True):
            found.append(_effect(board, row, one, float(chance), prices.loc[row["recipe"]], max(int(tested.sum()), 1)))
    return found


def _effect(
    board: Board, row: dict[Any, Any], points: np.ndarray, p: float, price: "pd.Series[Any]", tests: int
) -> Effect:
    at = int(np.flatnonzero(board.metrics.metric.eq(row["metric"]))[0])
    sign = -1.0 if board.metrics.direction[at] == "lower" else 1.0
    way = board.height[at]
    effect = float(row["difference"])
    names = {kind: display_names(board.manifest, kind) for kind in ("recipes", "attributions")}
    deviation = float(points.std(ddof=1)) if len(points) > 1 else np.nan
    return Effect(
        network=str(row["network"]),
        recipe=names["recipes"].get(row["recipe"], row["recipe"]),
        attribution=names["attributions"].get(row["attribution"], row["attribution"]),
        metric=str(board.metrics.shown[at]),
        effect=effect,
        low=float(row["difference_low"]),
        high=float(row["difference_high"]),
        share=sign * effect / way if way > 0 else np.nan,
        points=tuple(map(float, points)),
        p=p,
        judgement=_judgement(effect, p, board.smallest[at], sign, is_property=bool(board.properties[at])),
        own=bool(row["own"]),
        is_property=bool(board.properties[at]),
        price=float(price.difference),
        price_low=float(price.difference_low),
        price_high=float(price.difference_high),
        seeds_needed=seeds_needed(effect, deviation, tests),
    )


def _judgement(effect: float, p: float, smallest: float, sign: float, *, is_property: bool) -> Judgement:
    if np.isnan(p):
        return "untested"
    if abs(effect) < smallest:
        return "equal"
    if not p < ALPHA:
        return "not told apart"
    if is_property:
        return "more" if effect > 0 else "less"
    return "better" if sign * effect > 0 else "worse"


def _p(points: np.ndarray) -> float:
    """Student's t of the seeds' differences; NaN where nothing can be tested."""
    points = points[np.isfinite(points)]
    if len(points) < 2:
        return np.nan
    error = points.std(ddof=1) / np.sqrt(len(points))
    if error == 0:
        return 1.0 if points.mean() == 0 else 0.0
    return float(2 * stats.t.sf(abs(points.mean()) / error, len(points) - 1))
