"""What recipes change, and what they cost: every recipe of a result set beside its first one, the control."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from bench.results.result_set import Results
from bench.statistics.board import OK, Board
from bench.statistics.means import LEVEL, Array, quantile_t, ratio
from bench.statistics.names import codes_of, display_names
from bench.statistics.paired_tests import ALPHA, adjusted_by_holm
from bench.statistics.replicates import seeds_needed

ACCURACY = {"accuracy": "accuracy", "robust_accuracy": "accuracy under attack"}
LARGEST_DROP = 0.05
Row = Mapping[Any, Any]
Judgement = Literal["better", "worse", "more", "less", "equal", "not told apart", "untested"]
_ALIKE = 1e-6  # of six digits, as points are written
_GROUP = ["network", "attribution", "metric"]


class Estimate(NamedTuple):
    """A mean with its interval, and the means of the seeds it is made of."""

    mean: float
    low: float
    high: float
    points: tuple[float, ...]


def compares_recipes(results: Results) -> bool:
    """Whether there is anything to compare: two recipes of one network."""
    return any(len(recipes) > 1 for recipes in _order(results).values())


def recipe_table(results: Results) -> pd.DataFrame:
    """One row for each network, recipe, attribution and metric, and for both accuracies of each network.

    Columns: mean, low, high (95%), `points` (the seeds' means, parted by blanks), `seeds`; `difference` to the control
    with its interval and its seeds' own (`apart`), `change` (the difference as a share of the control's mean); `own`,
    whether it is what the recipe's training asks for; `control`, the recipe compared with: the network's first. NaN
    where that has no score.
    """
    rows = list(_accuracies(results))
    order = _order(results)
    for (network, attribution, metric), tables in _tables(results.scores):
        control = order[network][0]
        without = np.full_like(next(iter(tables.values())), np.nan)
        of_control = tables.get(control, without)
        before = _over_seeds(of_control).mean
        for recipe in (recipe for recipe in order[network] if recipe in tables):
            value = _over_seeds(tables[recipe])
            difference = _over_seeds(tables[recipe] - of_control) if recipe != control else None
            about = {"network": network, "recipe": recipe, "attribution": attribution, "metric": metric}
            own = _asks_for(results.manifest, recipe, metric)
            rows.append({**about, **_row(value, difference, control, before), "own": own})
    return pd.DataFrame(rows)


def _tables(scores: pd.DataFrame) -> Iterator[tuple[tuple[str, str, str], dict[str, Array]]]:
    """For each network, attribution and metric the scores (seed, image) of each recipe that has some, NaN in gaps."""
    known = scores.loc[scores.status.eq(OK), [*_GROUP, "recipe", "image", "seed", "score"]]
    group, keys = codes_of(known, _GROUP)
    recipes, names = pd.factorize(known.recipe)
    seeds, trained = pd.factorize(known.seed, sort=True)
    images, _ = pd.factorize(known.image)
    shape = (len(keys), len(names), len(trained), int(images.max(initial=-1)) + 1)
    array = np.full(shape, np.nan)
    array[group, recipes, seeds, images] = known.score
    for (network, attribution, metric), own in zip(keys.itertuples(index=False), array, strict=True):
        there = np.isfinite(own).any((1, 2))
        yield (network, attribution, metric), {str(names[int(at)]): own[at] for at in np.flatnonzero(there)}


def _order(results: Results) -> dict[str, list[str]]:
    networks = results.networks.astype({"network": str, "recipe": str})
    return {str(network): list(own.recipe.unique()) for network, own in networks.groupby("network", sort=False)}


def _accuracies(results: Results) -> Iterator[dict[str, object]]:
    """Rows without attribution: what each network gets right."""
    attacked = results.manifest.get("attack", {}).get("images", 0)
    for network, recipes in _order(results).items():
        own = results.networks[results.networks.network.eq(network)]
        for column, name in ACCURACY.items():
            seeds = {recipe: own[own.recipe.eq(recipe)].set_index("seed")[column] for recipe in recipes}
            images = int(own.images.iloc[0])
            images = min(images, attacked) if column == "robust_accuracy" else images
            control = seeds[recipes[0]]
            for recipe, values in seeds.items():
                value = _shares(values.to_numpy(float), images)
                apart = (values - control).dropna().to_numpy(float)
                difference = _of_points(apart) if recipe != recipes[0] else None
                about = {"network": network, "recipe": recipe, "attribution": "", "metric": name}
                yield {**about, **_row(value, difference, recipes[0], control.mean()), "own": False}


def _row(value: Estimate, difference: Estimate | None, control: str, of_control: float) -> dict[str, object]:
    apart = difference or Estimate(0.0, np.nan, np.nan, ())
    return {
        "mean": value.mean,
        "low": value.low,
        "high": value.high,
        "points": " ".join(f"{point:.6g}" for point in value.points),
        "seeds": len(value.points),
        "difference": apart.mean,
        "difference_low": apart.low,
        "difference_high": apart.high,
        "apart": " ".join(f"{point:.6g}" for point in apart.points),
        "change": apart.mean / abs(of_control) if of_control else np.nan,
        "control": control,
    }


def _over_seeds(table: Array) -> Estimate:
    """Of scores (seed, image): over the seeds where there are several, else over the images."""
    known = table[np.isfinite(table).any(1)]
    there = np.isfinite(known)
    points = ratio(np.where(there, known, 0).sum(1), there.sum(1))
    return _of_points(points) if len(points) > 1 else _of_points(known.ravel())._replace(points=tuple(points))


def _of_points(values: Array) -> Estimate:
    values = values[np.isfinite(values)]
    count = len(values)
    mean = float(values.mean()) if count else np.nan
    half = float(quantile_t(np.array(count - 1)) * values.std(ddof=1) / np.sqrt(count)) if varies(values) else np.nan
    return Estimate(mean, mean - half, mean + half, tuple(values))


def varies(values: Array) -> bool:
    """Whether values differ by more than rounding, so that their spread says something."""
    return bool(len(values) > 1 and np.ptp(values) > _ALIKE * np.abs(values).max())


def _shares(values: Array, images: int) -> Estimate:
    """Of shares of images: over the seeds where there are several, cut to 0 and 1, else Wilson's interval."""
    if len(values) > 1 or not images or not np.isfinite(values).all():
        whole = _of_points(values)
        return whole._replace(low=float(np.maximum(whole.low, 0)), high=float(np.minimum(whole.high, 1)))
    from statsmodels.stats.proportion import proportion_confint  # a second that boards of methods need not wait

    low, high = proportion_confint(round(values[0] * images), images, 1 - LEVEL, "wilson")
    return Estimate(float(values[0]), float(low), float(high), tuple(values))


def _asks_for(manifest: Mapping[str, Any], recipe: str, metric: str) -> bool:
    """Whether all settings of the metric, and it has some, are settings of the recipe, and of the same value."""
    wanted = manifest["metrics"][metric]["settings"]
    given = manifest["recipes"].get(recipe, {}).get("settings", {})
    return bool(wanted) and wanted.items() <= given.items()


def loses_accuracy(row: Row) -> bool:
    """Whether this is the accuracy on untouched images, and too far below the control's."""
    return bool(row["metric"] == ACCURACY["accuracy"] and row["difference"] < -LARGEST_DROP)


@dataclass(frozen=True)
class Effect:
    """What a recipe does to a metric, against the plain training of the same network, and what it costs.

    `recipe` and `metric` are called `recipe_code` and `code` in code. `effect` is a difference on the metric's own
    scale with its 95% interval, `share` of the way from floor to ceiling (NaN without both); `points` the differences
    of the seeds; `p` by Holm over the effects of the network, NaN where nothing can be tested, as with one seed;
    `judgement` says what to make of it ("more" and "less" of a property); `own`, that the recipe trains on this very
    measure; `price` the difference in accuracy with its interval; `seeds_needed` with how many seeds such an effect is
    found with 80% power, infinite without one.
    """

    network: str
    recipe: str
    recipe_code: str
    attribution: str
    metric: str
    code: str
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
    names = display_names(board.manifest, "recipes"), display_names(board.manifest, "attributions")
    found = []
    for _, own in table.groupby("network", sort=False):
        effects = own[own.attribution.ne("") & own.recipe.ne(own.control) & own.difference.notna()]
        points = [np.array([float(point) for point in text.split()]) for text in effects.apart]
        p = np.array([_p(one) if seeds > 1 else np.nan for one, seeds in zip(points, effects.seeds, strict=True)])
        tested = np.isfinite(p)
        p[tested] = adjusted_by_holm(p[tested])
        prices = own[own.metric.eq(ACCURACY["accuracy"])].set_index("recipe")
        tests = max(int(tested.sum()), 1)
        for row, one, chance in zip(effects.to_dict("records"), points, p, strict=True):
            found.append(_effect(board, names, row, one, float(chance), prices.loc[row["recipe"]], tests))
    return found


def _effect(
    board: Board,
    names: tuple[Mapping[str, str], Mapping[str, str]],
    row: dict[Any, Any],
    points: np.ndarray,
    p: float,
    price: "pd.Series[Any]",
    tests: int,
) -> Effect:
    at = int(np.flatnonzero(board.metrics.metric.eq(row["metric"]))[0])
    sign = -1.0 if board.metrics.direction[at] == "lower" else 1.0
    way = board.height[at]
    effect = float(row["difference"])
    recipes, attributions = names
    deviation = float(points.std(ddof=1)) if varies(points) else np.nan
    return Effect(
        network=str(row["network"]),
        recipe=recipes.get(row["recipe"], row["recipe"]),
        recipe_code=str(row["recipe"]),
        attribution=attributions.get(row["attribution"], row["attribution"]),
        metric=str(board.metrics.shown[at]),
        code=str(row["metric"]),
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
    """Student's t of the seeds' differences, the sign test where all are the same; NaN where nothing can be tested."""
    points = points[np.isfinite(points)]
    if len(points) < 2:
        return np.nan
    if not varies(points):
        return 1.0 if points.mean() == 0 else 2.0 ** (1 - len(points))
    error = points.std(ddof=1) / np.sqrt(len(points))
    return float(2 * stats.t.sf(abs(points.mean()) / error, len(points) - 1))
