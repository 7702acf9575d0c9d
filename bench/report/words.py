"""What a board says, in sentences: who is best, is it sure, which metrics to distrust."""

import math
from dataclasses import dataclass

import numpy as np

from bench.audit import Finding
from bench.board import Board
from bench.pairs import ALPHA, images_needed


@dataclass(frozen=True)
class Step:
    """Two neighbours in the order over all metrics, and what it would take to tell them apart.

    `sure` says whether the first is surely ahead; `effect` is the share of images on which it beats the second, by
    weight over metrics; `more` how many more images would tell them apart, infinite where none would, 0 where they
    are apart.
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
        effects = board.superiority[:, ahead, behind]
        known = np.isfinite(effects) & (board.weights > 0)
        effect = float(effects[known] @ board.weights[known] / board.weights[known].sum()) if known.any() else math.nan
        more = float(np.ceil(needed[place, place + 1] - standing.pairs.images[place, place + 1]))
        found.append(Step(ahead, behind, p < ALPHA, p, effect, 0.0 if p < ALPHA else max(more, 1.0)))
    return found


@dataclass(frozen=True)
class Answer:
    """What a reader came for: the best entry, whether it really beats the second, which metrics to distrust.

    `best` is None where no method has a score under every metric, `sure` None where nothing can be tested; `without`
    says what is left of the order when metrics to be distrusted do not count.
    """

    best: str | None
    first: str
    without: str
    sure: bool | None
    second: str
    alike: list[str]
    distrust: list[tuple[str, str]]
    care: list[tuple[str, str]]

    @property
    def sentences(self) -> list[str]:
        """The answer as text."""
        said = [self.first, self.second, self.without]
        if len(self.alike) > 1:
            said.append(f"{len(self.alike)} methods cannot be told from the best: {listed(self.alike)}.")
        named = [f"{metric} ({reason})" for metric, reason in self.distrust]
        said.append(f"Distrust: {listed(named)}." if named else "No metric has to be distrusted outright.")
        said.append(f"Read with care: {listed([metric for metric, _ in self.care])}." if self.care else "")
        return [sentence for sentence in said if sentence]


def answer(board: Board, audit: list[Finding]) -> Answer:
    """The answer of a board."""
    standing, labels, share = board.overall, board.entries.label, board.overall_means
    flagged = {
        verdict: [
            (label, finding.reasons[0])
            for label, finding in zip(board.metrics.label, audit, strict=True)
            if finding.verdict == verdict
        ]
        for verdict in ("distrust", "care")
    }
    if not standing.rows:
        return Answer(None, "No method has a score under every metric that counts.", "", None, "", [], **flagged)
    best = standing.rows[0]
    if len(standing.rows) == 1:
        said = f"{labels[best]} is the only method with a score under every metric that counts."
        return Answer(labels[best], said, "", None, "", [], **flagged)
    wins = _interval(share.mean[best], share.low[best], share.high[best])
    said = f"{labels[best]} wins {wins} of its comparisons with the other methods, over all metrics and images."
    step = steps(board)[0]
    alike = [labels[row] for row in standing.leaders if row != best]
    sure = None if math.isnan(step.p) else step.sure
    return Answer(labels[best], said, _without(board, audit), sure, _second(board, step), alike, **flagged)


def listed(names: list[str], most: int = 6) -> str:
    """Names in a sentence; the last ones only counted where there are many."""
    shown = names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "none"


def chance(p: float) -> str:
    """A p-value as a person writes it."""
    return "p < 0.001" if p < 0.001 else "p = 1" if p > 0.999 else f"p = {p:.3f}"


def _second(board: Board, step: Step) -> str:
    name = board.entries.label[step.behind]
    effect = f"it is ahead on {step.effect:.0%} of the images"
    if math.isnan(step.p):
        return f"With so few images it cannot be tested whether it beats the second, {name}."
    if step.sure:
        return f"It surely beats the second, {name}: {effect} (paired test, Holm, {chance(step.p)})."
    more = f"about {step.more:,.0f} more images would show a difference of this size"
    if math.isinf(step.more):
        more = "more images alone would not show it"
    return f"It is not sure that it beats the second, {name}: {effect} ({chance(step.p)}); {more}."


def _without(board: Board, audit: list[Finding]) -> str:
    """What the metrics say that are not to be distrusted, where some that count are."""
    trusted = board.weights * np.array([finding.verdict != "distrust" for finding in audit])
    if np.array_equal(trusted, board.weights):
        return ""
    if not trusted.any():
        return "Every metric that counts is to be distrusted, so this order is too."
    standing = board.standing_by(trusted / trusted.sum())
    first, second = (board.entries.label[row] for row in standing.rows[:2])
    also = "also " if standing.rows[0] == board.overall.rows[0] else ""
    sure = "surely" if standing.adjusted[0, 1] < ALPHA else "not surely"
    return f"By the metrics that are not to be distrusted {first} is {also}first, {sure} ahead of {second}."


def _interval(mean: float, low: float, high: float) -> str:
    return f"{mean:.0%}" if math.isnan(low) else f"{mean:.0%} (95% interval {low:.0%} to {high:.0%})"
