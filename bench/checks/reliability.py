"""Whether a metric is reliable: what it says when a network is disturbed a little, and when it is ruined."""

import copy
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from bench.api import Attribution, ImageMetric, Network, Request
from bench.api.module_state import unwrapped
from bench.engine import clean_logits
from bench.errors import HeatmarkError
from bench.scoring.measure import explained_by, measure

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """A metric's resilience to noise and reactivity to an adversary, each within and between methods, from 0 to 1.

    `resilience` within methods: the p-value of Wilcoxon's signed-rank test between the scores of the images on the
    network and on a slightly disturbed one; between them: how often a method keeps its place among the methods of an
    image. `reactivity` within methods: one minus that p-value where the network is ruined; between: how often the
    score is then worse. Means over disturbances, methods and images. Hedstroem et al., 2023, arXiv:2302.07265.
    """

    resilience_within: float
    resilience_between: float
    reactivity_within: float
    reactivity_between: float

    @property
    def score(self) -> float:
        """Their mean, the meta-consistency of the paper: 1 for a metric that is reliable by all of them."""
        return float(np.mean(astuple(self)))


def reliability(
    metric: ImageMetric,
    methods: Sequence[Attribution],
    network: Network,
    request: Request,
    disturbances: int = 5,
    slight: float = 0.001,
    strong: float = 2.0,
) -> Reliability:
    """How reliable a metric is on these images, explained by at least two methods.

    Every weight is multiplied by a normal number around 1 with a standard deviation of `slight`, and of `strong`, so
    many `disturbances` of each; network and explanations are those of the disturbed network. Only images count that
    have a score everywhere; HeatmarkError where they, or the methods, are fewer than two.
    """
    plain = _scores(metric, methods, network, request)
    little, much = (
        np.stack(
            [
                _scores(metric, methods, _disturbed(network, request, spread, draw), request)
                for draw in range(disturbances)
            ]
        )
        for spread in (slight, strong)
    )
    known = np.isfinite(plain).all(0) & np.isfinite(little).all((0, 1)) & np.isfinite(much).all((0, 1))
    if len(methods) < 2 or known.sum() < 2:
        raise HeatmarkError(
            f"reliability of {metric.name!r}: {len(methods)} methods and {known.sum()} images with a score on every "
            "disturbed network: expected two of each at least"
        )
    plain, little, much = plain[:, known], little[..., known], much[..., known]
    worse = much.mean(0) < plain if metric.direction == "higher" else much.mean(0) > plain
    return Reliability(
        resilience_within=_same(plain, little),
        resilience_between=float((plain.argsort(0) == little.mean(0).argsort(0)).mean()),
        reactivity_within=1 - _same(plain, much),
        reactivity_between=float(worse.mean()),
    )


def _scores(metric: ImageMetric, methods: Sequence[Attribution], network: Network, request: Request) -> Array:
    """Scores (method, image)."""
    clean = clean_logits(network, request.images)
    pairs = [(metric, explained_by(method, network, request, clean)) for method in methods]
    return np.stack([scored.score.double().cpu().numpy() for scored in measure(pairs)])


def _disturbed(network: Network, request: Request, spread: float, draw: int) -> Network:
    """A copy of the network whose weights are multiplied by normal numbers around 1."""
    module = copy.deepcopy(unwrapped(network.module))
    rng = request.rng.of("disturbed weights").shared((spread, draw))
    with torch.no_grad():
        for weights in module.parameters():
            factors = torch.from_numpy(rng.normal(1.0, spread, tuple(weights.shape)))
            weights.mul_(factors.to(weights))
    return replace(network, module=module, compiler="none")


def _same(plain: Array, disturbed: Array) -> float:
    """The mean p-value of there being no difference, of scores (method, image) and (disturbance, method, image)."""
    values = [
        1.0 if (one == own).all() else float(stats.wilcoxon(one, own, zero_method="zsplit").pvalue)
        for drawn in disturbed
        for one, own in zip(plain, drawn, strict=True)
    ]
    return float(np.mean(values))
