"""What a board says, in sentences: who is best, is it sure, which metrics to distrust."""

import math
from dataclasses import dataclass, field

import numpy as np

from bench.leaderboard.board import Board
from bench.leaderboard.means import Array
from bench.leaderboard.metric_audit import Finding
from bench.leaderboard.paired_tests import ALPHA, images_needed, superiority
from bench.leaderboard.place_stability import beside_the_truth, by_metric, by_network, chance, hangs_on
from bench.leaderboard.wording import listed

PROTOCOLS = {
    "rise2018": "as published: a row of pixels a step, towards zero or from a blur, of the probability",
    "quantus": "as Quantus: single channels by signed attributions, summed over the steps, so not between 0 and 1",
    "torchcam": "as torch-cam: 20 steps, towards or from zero, of the probability",
    "attribench": "as attribench: 100 points, towards or from zero, of the logit, which has no bounds",
    "latec": "as LATEC: 50 pixels a step, towards zero or from a blur, without the ends of the curve",
}
# So many images are not to be had.
MANY = 1e6
TEST = "paired t-test corrected for skewness, Holm over all pairs"


@dataclass(frozen=True)
class Step:
    """Two neighbours in the order over all metrics, and what it would take to tell them apart.

    `sure` says whether the first is surely ahead; `effect` is the share of images on which it wins more of its
    comparisons than the second, ties counting half; `more` how many more images would tell them apart, infinite where
    none would, 0 where they are apart.
    """

    ahead: int
    behind: int
    sure: bool
    p: float
    effect: float
    more: float


def steps(board: Board) -> list[Step]:
    """Every two neighbours in the order over all metrics, best first."""
    standing = board.overall
    count = len(standing.rows)
    needed = images_needed(standing.pairs, count * (count - 1) // 2)
    found = []
    for place in range(count - 1):
        ahead, behind = standing.rows[place], standing.rows[place + 1]
        p = float(standing.adjusted[place, place + 1])
        effect = float(superiority(board.overall_scores[[ahead, behind]])[0, 1])
        more = float(np.ceil(needed[place, place + 1] - standing.pairs.images[place, place + 1]))
        found.append(Step(ahead, behind, p < ALPHA, p, effect, 0.0 if p < ALPHA else max(more, 1.0)))
    return found


@dataclass(frozen=True)
class Answer:
    """What a reader came for: the best entry, whether it really beats the second, which metrics to distrust.

    `best` is None where no method has a score under every metric; `beside` says what else there is to know of it;
    `sure` is None where nothing can be tested; `by_metric` under which metrics it beats the second; `hangs_on` which
    metric left out would change the first place or make it unsure; `care_share` is the weight of what asks for care.
    """

    best: str | None
    first: str
    distrust: list[tuple[str, str]]
    care: list[tuple[str, str]]
    care_share: float
    uncounted: str
    beside: list[str] = field(default_factory=list)
    sure: bool | None = None
    second: str = ""
    by_metric: str = ""
    hangs_on: list[str] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """The answer as text."""
        said = [self.first, *self.beside, self.second, self.by_metric, *self.hangs_on]
        if len(self.alike) > 1:
            said.append(f"{len(self.alike)} methods cannot be told from the best: {listed(self.alike)}.")
        named = [f"{metric} ({reason})" for metric, reason in self.distrust]
        said.append(f"Distrust: {listed(named)}." if named else "No metric has to be distrusted outright.")
        said.append(self.uncounted)
        named = [metric for metric, _ in self.care]
        said.append(f"Read with care ({self.care_share:.0%} of the weight): {listed(named)}." if named else "")
        return [sentence for sentence in said if sentence]


def answer(board: Board, audit: list[Finding]) -> Answer:
    """The answer of a board."""
    standing, labels, share = board.overall, board.entries.label, board.overall_means
    distrust, care = (
        [(label, own.reasons[0]) for label, own in zip(board.metrics.label, audit, strict=True) if own.verdict == said]
        for said in ("distrust", "care")
    )
    with_care = board.metrics.label.isin([metric for metric, _ in care]).to_numpy(bool)
    share_with_care = float(board.weights[with_care].sum())
    told = (distrust, care, share_with_care, _uncounted(board, [metric for metric, _ in distrust]))
    if len(board.methods) == 1:
        said = f"{labels[board.methods[0]]} is the only method: there is no other to win against."
        return Answer(None, said, *told)
    if not standing.rows:
        return Answer(None, "No method has a score under every metric that counts.", *told)
    best = standing.rows[0]
    if len(standing.rows) == 1:
        said = f"{labels[best]} is the only method with a score under every metric that counts."
        return Answer(labels[best], said, *told)
    wins = _interval(share.mean[best], share.low[best], share.high[best])
    step = steps(board)[0]
    return Answer(
        labels[best],
        f"{labels[best]} wins {wins} of its comparisons with the other methods, over the metrics that count.",
        *told,
        beside=[said for said in (by_network(board), beside_the_truth(board), _blind(board)) if said],
        sure=None if math.isnan(step.p) else step.sure,
        second=_second(board, step),
        by_metric=by_metric(board) if not math.isnan(step.p) else "",
        hangs_on=hangs_on(board),
        alike=[labels[row] for row in standing.leaders if row != best],
    )


def _second(board: Board, step: Step) -> str:
    name = board.entries.label[step.behind]
    if math.isnan(step.p):
        return f"With so few images it cannot be tested whether it beats the second, {name}."
    effect = f"on {step.effect:.0%} of the images it wins more"
    if step.sure:
        return f"It surely beats the second, {name}: {effect} ({TEST}: {chance(step.p)})."
    more = f"about {step.more:,.0f} more images would show a difference of this size"
    if step.more > MANY:
        more = "more images alone would not show it"
    return f"It is not sure that it beats the second, {name}: {effect} ({TEST}: {chance(step.p)}); {more}."


def _first_by(board: Board, weights: Array) -> int:
    """The method that is first by these weights, of those in the order."""
    own = board.wins[board.overall.rows]
    known = np.isfinite(own)
    shares = np.where(known, own, 0).sum((2, 3)) / np.maximum(known.sum((2, 3)), 1)
    return board.overall.rows[int((shares @ weights).argmax())]


def _blind(board: Board) -> str:
    """Controls that know nothing of network or truth and win as much as the best method."""
    share, controls = board.overall_means.mean, board.entries.control & ~board.entries.needs_truth
    ahead = [row for row in np.flatnonzero(controls) if share[row] >= share[board.overall.rows[0]]]
    named = listed([f"{board.entries.label[row]} ({share[row]:.0%})" for row in ahead])
    return f"Against the same methods, controls that never saw the network win as much: {named}." if ahead else ""


def _uncounted(board: Board, distrust: list[str]) -> str:
    if not distrust:
        return ""
    weights = dict(zip(board.metrics.label, board.weights, strict=True))
    if not any(weights[metric] for metric in distrust):
        return f"What is to be distrusted does not count in the order{_if_it_did(board)}."
    if all(metric in distrust for metric, weight in weights.items() if weight):
        return "Every metric that counts is to be distrusted, so the order is too."
    return "The weights that were asked for let metrics count that are to be distrusted."


def _if_it_did(board: Board) -> str:
    if not board.overall.rows:
        return ""
    first = _first_by(board, board.distrusting(frozenset()).weights)
    return (
        "; nor would it change who is first"
        if first == board.overall.rows[0]
        else (f"; if it did, {board.entries.label[first]} would be first")
    )


def _interval(mean: float, low: float, high: float) -> str:
    return f"{mean:.0%}" if math.isnan(low) else f"{mean:.0%} (95% interval {low:.0%} to {high:.0%})"
