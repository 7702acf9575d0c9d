"""Is a metric to be trusted? Controls, reliability, agreement, and what a change of protocol does to the ranks."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from bench.statistics.board import COST, FEW, Board
from bench.statistics.means import Array, Mask, over_seeds
from bench.statistics.names import listed
from bench.statistics.paired_tests import ALPHA, Standing, holm
from bench.statistics.scale import Recovery, ceiling_of, only, runs_of

SPLITS = 200
RELIABLE = 0.8
NOISE = 0.2
MANY = 0.9


@dataclass(frozen=True)
class Finding:
    """What the audit says of one metric.

    `verdict` is "trust", "care", "distrust", "untried" where too little could be tried to trust, "no scores" or, for
    what is no worth, "cost" and "property"; `reasons` say why in plain words;
    `beaten` holds for each blind control the methods that it significantly beats on their own network. Numbers are
    NaN where they cannot be had: `oracle_first` and `random_last` are the shares of networks on which the oracle's
    mean is above all others, and no method's is below that of the floor. `recovery` says whether the metric recovers
    the order of maps that were made worse by known steps, None where the board has none.
    """

    verdict: str
    reasons: list[str]
    beaten: dict[str, list[str]]
    oracle_first: float
    random_last: float
    split_half: float
    alpha: float
    recovery: Recovery | None = None


def audited(board: Board) -> Board:
    """The board with metrics that are to be distrusted out of the order over all metrics."""
    labels = zip(board.metrics.label, findings(board), strict=True)
    return board.distrusting(frozenset(label for label, finding in labels if finding.verdict == "distrust"))


def findings(board: Board) -> list[Finding]:
    """The audit of every metric of a board, of each network by itself where it has several."""
    board = board.whole or board
    return [_finding(board, metric) for metric in range(len(board.metrics))]


def calibrated(board: Board) -> Array:
    """Where each mean lies between floor and ceiling, (entry, metric): 0 as random, 1 as the oracle.

    Floor and ceiling are those of the same network: the control that declares itself the floor; the oracle, and
    where there is none (or it has no score) the best other control. NaN unless the ceiling is significantly above it.
    Over several networks the mean of a method's places on each.
    """
    if board.whole is not None:
        of_entries = pd.DataFrame(calibrated(board.whole)).groupby(board.whole.entries.attribution.to_numpy()).mean()
        return of_entries.loc[board.entries.attribution].to_numpy(float)
    quality = board.centres
    place = np.full(quality.shape, np.nan)
    for rows in runs_of(board.entries):
        floor = only(rows, board.entries.floor)
        if floor is None:
            continue
        for metric in range(quality.shape[1]):
            ceiling = ceiling_of(board.entries, rows, floor, quality[:, metric])
            above = board.pairs[metric].difference[:, floor]  # on the images that both have
            if ceiling is not None and board.pairs[metric].p[ceiling, floor] < ALPHA and above[ceiling] > 0:
                place[rows, metric] = above[rows] / above[ceiling]
    return place


def agreement(board: Board) -> pd.DataFrame:
    """Spearman's correlation of the methods' means between metrics, over at least three methods that both score.

    Properties are left out: they are no opinion on a map.
    """
    means = pd.DataFrame(board.centres[board.methods], columns=board.metrics.label)
    means = means.loc[:, ~board.properties]
    return means.corr(method="spearman", min_periods=3)


def flips(board: Board) -> pd.DataFrame:
    """What a change of protocol does to the ranks of the methods.

    One row per two columns of one metric (another substrate, output, target ...), and per metric, costs left out, and
    two settings that several attributions share (another reduction ...): `what`, `between` which two, Kendall's tau,
    how many `pairs` of entries, how many `flipped`, and how many of these flips are sure on both sides.
    """
    rows = []
    for _, columns in board.metrics.groupby(["name"], sort=False):
        for one, other in combinations(columns.index, 2):
            common = [row for row in board.standings[one].rows if row in board.standings[other].rows]
            row = _flip(board.standings[one], common, board.standings[other], common)
            between = f"{board.metrics.label[one]} | {board.metrics.label[other]}"
            rows.append({"what": board.metrics.name[one], "between": between, **row})
    for (one, ours), (other, theirs) in combinations(_variants(board).items(), 2):
        for metric in np.flatnonzero(board.metrics.family.ne(COST)):
            standing = board.standings[metric]
            shared = [name for name in ours if ours[name] in standing.rows and theirs.get(name) in standing.rows]
            row = _flip(standing, [ours[name] for name in shared], standing, [theirs[name] for name in shared])
            between = f"{one or 'default settings'} | {other or 'default settings'}"
            rows.append({"what": board.metrics.label[metric], "between": between, **row})
    table = pd.DataFrame(rows, columns=["what", "between", "tau", "pairs", "flipped", "significantly"])
    return table[table["pairs"] > 0].reset_index(drop=True)


def split_half(scores: Array, seed: int = 0) -> float:
    """Spearman's correlation of the entries' means between two random halves of the images, mean over 200 splits.

    Scores (entry, image); NaN below three entries or four images, or where all entries are alike.
    """
    entries, images = scores.shape
    if entries < 3 or images < 4:
        return np.nan
    known = np.isfinite(scores)
    filled, present = np.where(known, scores, 0).T, known.T.astype(float)
    rng = np.random.default_rng(seed)
    first = (rng.random((SPLITS, images)).argsort(1) < images // 2).astype(float)
    with np.errstate(invalid="ignore"):
        halves = [stats.rankdata((half @ filled) / (half @ present), axis=1) for half in (first, 1 - first)]
    one, other = (ranks - ranks.mean(1, keepdims=True) for ranks in halves)
    size = np.sqrt((one**2).sum(1) * (other**2).sum(1))
    correlations = (one * other).sum(1)[size > 0] / size[size > 0]
    return float(correlations.mean()) if len(correlations) else np.nan


def krippendorff_alpha(scores: Array) -> float:
    """How far images agree on the order of the entries: Krippendorff's alpha with images as raters.

    Scores (entry, image); from the ranks within each image that scores all entries, which for whole rankings is
    the ordinal alpha (Tomsett et al., 2020, arXiv:1912.01451). 1 when all images rank alike, 0 as if by chance.
    """
    whole = scores[np.isfinite(scores).any(1)]
    whole = whole[:, np.isfinite(whole).all(0)]
    if whole.shape[0] < 2 or whole.shape[1] < 2:
        return np.nan
    ranks = stats.rankdata(whole, axis=0)
    expected = ranks.var(ddof=1)
    return float(1 - ranks.var(axis=1, ddof=1).mean() / expected) if expected > 0 else np.nan


def _finding(board: Board, metric: int) -> Finding:
    quality = over_seeds(board.quality[:, metric])
    own = quality[board.methods]
    if not np.isfinite(own).any():
        return Finding("no scores", ["no method has a score"], {}, np.nan, np.nan, np.nan, np.nan)
    if board.metrics.family[metric] == COST:
        return Finding("cost", ["what a map costs, not what it is worth"], {}, np.nan, np.nan, np.nan, np.nan)
    if board.properties[metric]:
        return Finding("property", ["what a map is like, not what it is worth"], {}, np.nan, np.nan, np.nan, np.nan)
    beaten, best_beaten = _beaten(board, metric)
    oracle, random = _first_and_last(board, metric)
    reliability, alpha = split_half(own), krippendorff_alpha(own)
    beats, shown = "beats" if len(best_beaten) == 1 else "beat", _display_names(board)
    named = listed([shown[control] for control in best_beaten])
    distrust = [f"{named} significantly {beats} the best method"] if best_beaten else []
    scored = float(board.scored[metric])
    said = f"only {scored:.0%} of the images could be scored"
    if scored < FEW:
        distrust.insert(0, said)
    floors = set(board.entries.attribution[board.entries.floor])
    count = len(board.methods)
    told = {
        control: f"{shown[control]} significantly beats {len(methods)} of {count} methods"
        for control, methods in beaten.items()
    }
    many = [c for c in told if c in floors.difference(best_beaten) and 2 * len(beaten[c]) >= count]
    distrust += [told[control] for control in many]
    inverted = [pair for pair in _inverted(board, metric) if pair[0] not in best_beaten]
    distrust += [f"{shown[floor]} significantly beats {shown[oracle]}" for floor, oracle in inverted]
    if np.nanmin(own) == np.nanmax(own):
        distrust.append("all scores are the same")
    care = [text for control, text in told.items() if control not in (*best_beaten, *many)]
    if random is not None and random < 1:
        care.append("random is not last" if random < 0.5 else "random is not last on every network")
    if FEW <= scored < MANY:
        care.append(said)
    if oracle is not None and oracle < 1:
        care.append("the oracle is not first, or not alone")
    recovery = board.recovered.get(str(board.metrics.label[metric]))
    if recovery is not None and recovery.fails:
        care.append(
            f"it does not recover the order of maps that get worse step by step (tau {recovery.tau:.2f}, 95% interval "
            f"{recovery.low:.2f} to {recovery.high:.2f})"
        )
    if reliability < RELIABLE:
        how, weight = ("as if by chance", ": its weight is noise") if reliability < NOISE else ("differently", "")
        care.append(f"two halves of the images rank the methods {how} (reliability {reliability:.2f}){weight}")
    untried = ["no oracle and no random map to try it on"] if oracle is None and random is None else []
    untried += ["too few methods or images for split halves"] if np.isnan(reliability) else []
    verdict = "distrust" if distrust else "care" if care else "untried" if untried else "trust"
    reasons = distrust + care + untried
    return Finding(verdict, reasons, beaten, _or_nan(oracle), _or_nan(random), reliability, alpha, recovery)


def _display_names(board: Board) -> dict[str, str]:
    return dict(zip(board.entries.attribution, board.entries.display, strict=True))


def _beaten(board: Board, metric: int) -> tuple[dict[str, list[str]], list[str]]:
    """Which methods each blind control beats significantly on their network, and which of them beat the best of one."""
    pairs, labels = board.pairs[metric], board.entries.label
    blind = (board.entries.control & ~board.entries.needs_truth).to_numpy(bool)
    real = ~board.entries.control.to_numpy(bool)
    same = board.run[:, None] == board.run[None, :]
    adjusted = holm(pairs.p, same & ((blind[:, None] & real[None, :]) | (real[:, None] & blind[None, :])))
    sure: Mask = (adjusted < ALPHA) & (pairs.difference > 0)
    best = [next((row for row in board.standings[metric].rows if row in run), None) for run in runs_of(board.entries)]
    named: dict[str, list[str]] = {}
    over_best = []
    for control in np.flatnonzero(blind):
        victims, name = np.flatnonzero(sure[control] & real), board.entries.attribution[control]
        if len(victims):
            named.setdefault(name, []).extend(labels[row] for row in victims)
            over_best += [name] if any(row in victims for row in best if row is not None) else []
    return named, list(dict.fromkeys(over_best))


def _inverted(board: Board, metric: int) -> list[tuple[str, str]]:
    """Floor and oracle where the metric puts the first above the second, significantly over all networks (Holm)."""
    pairs, names = board.pairs[metric], board.entries.attribution
    asked = np.zeros(pairs.p.shape, bool)
    for rows in runs_of(board.entries):
        floor, oracle = only(rows, board.entries.floor), only(rows, board.entries.control & board.entries.needs_truth)
        if floor is not None and oracle is not None:
            asked[floor, oracle] = asked[oracle, floor] = True
    sure = asked & (holm(pairs.p, asked) < ALPHA) & (pairs.difference > 0) & board.entries.floor.to_numpy(bool)[:, None]
    return list(dict.fromkeys((names[floor], names[oracle]) for floor, oracle in np.argwhere(sure)))


def _first_and_last(board: Board, metric: int) -> tuple[float | None, float | None]:
    """On which share of the networks the oracle's mean is first of all, and the floor's last; None without one.

    The floor has to stay behind methods and oracle, not behind controls that may look away from the evidence.
    """
    mean, apart = board.centres[:, metric], board.pairs[metric].difference
    first, last = [], []
    for rows in runs_of(board.entries):
        known = [row for row in rows if np.isfinite(mean[row])]
        oracle = only(known, board.entries.control & board.entries.needs_truth)
        floor = only(known, board.entries.floor)
        if oracle is not None:
            truths = board.entries.control & board.entries.needs_truth
            first.append(all(apart[oracle, row] > 0 for row in known if not truths[row]))
        if floor is not None:
            seeing = ~board.entries.control | board.entries.needs_truth
            last.append(not any(apart[floor, row] > 0 for row in known if seeing[row]))
    return (float(np.mean(first)) if first else None, float(np.mean(last)) if last else None)


def _or_nan(share: float | None) -> float:
    return np.nan if share is None else share


def _variants(board: Board) -> dict[str, dict[str, int]]:
    """For every text of settings that attributions carry, the entries by what they are without it."""
    variants: dict[str, dict[str, int]] = {}
    for row in board.methods:
        own = board.entries.loc[row]
        settings = own.attribution.removeprefix(own["name"]).strip("()")
        variants.setdefault(settings, {})[f"{own.network} / {own.recipe} / {own['name']}"] = row
    return variants


def _flip(one: Standing, ours: list[int], other: Standing, theirs: list[int]) -> dict[str, float]:
    here, there = ([standing.rows.index(row) for row in rows] for standing, rows in ((one, ours), (other, theirs)))
    first, second = one.pairs.difference[np.ix_(here, here)], other.pairs.difference[np.ix_(there, there)]
    upper = np.triu_indices(len(here), 1)
    flipped = (first * second < 0)[upper]
    sure = (one.adjusted[np.ix_(here, here)] < ALPHA)[upper] & (other.adjusted[np.ix_(there, there)] < ALPHA)[upper]
    agree = np.sign(first * second)[upper]
    return {
        "tau": float(agree.mean()) if len(agree) else np.nan,
        "pairs": len(agree),
        "flipped": int(flipped.sum()),
        "significantly": int((flipped & sure).sum()),
    }
