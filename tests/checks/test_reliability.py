"""Resilience and reactivity of metrics against a slow version of the paper's definition, and of metrics made for it."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from scipy.stats import wilcoxon
from torch import nn

from bench.api import Explained, HeatmarkError, Metric, Scored
from bench.checks import reliability, small_network, small_request
from bench.methods.attributions.input_x_gradient import InputXGradient
from bench.methods.attributions.random_map import RandomMap
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.faithfulness.faithfulness_estimate import FaithfulnessEstimate
from bench.scoring.measure import explained_by, measure

METHODS = [SimpleGradient(), InputXGradient(), RandomMap()]
IMAGES = 8


@dataclass(frozen=True)
class OutputSize(Metric):
    """How far the outputs are from each other, whatever the map, and a little for the map's own sake."""

    direction: ClassVar[Literal["higher", "lower"]] = "lower"

    def score(self, explained: Explained) -> Scored:
        own = explained.heatmaps.flatten(1)
        return Scored(explained.clean.double().std(1) + (own.amax(1) - own.amin(1)).tanh())


@dataclass(frozen=True)
class Coin(Metric):
    """A number for each image that hangs on nothing else."""

    def score(self, explained: Explained) -> Scored:
        return Scored(explained.rng.of("coin").uniform((), explained.images))


def disturbed(network, request, spread: float, draw: int):
    """Weights in the order of their definition, each times its own normal number."""
    rng = request.rng.of("disturbed weights").shared((spread, draw))
    small = small_network()
    values = {
        name: own * torch.from_numpy(rng.normal(1.0, spread, own.shape))
        for name, own in small.module.named_parameters()
    }
    small.module.load_state_dict(values, strict=False)
    return small


def scores(metric, network, request) -> np.ndarray:
    clean = network.logits(request.images).detach()
    return np.array([measure([(metric, explained_by(m, network, request, clean))])[0].score.tolist() for m in METHODS])


@pytest.mark.parametrize(
    "metric", [Deletion(step=64), FaithfulnessEstimate(groups=8), OutputSize()], ids=lambda own: own.name
)
def test_it_equals_the_definition(metric) -> None:
    network, request = small_network(), small_request(IMAGES)
    found = reliability(metric, METHODS, network, request, disturbances=2, slight=0.01)
    plain = scores(metric, network, request)
    parts = {}
    for spread in (0.01, 2.0):
        drawn = [scores(metric, disturbed(network, request, spread, draw), request) for draw in range(2)]
        p = [
            wilcoxon(one, own, zero_method="zsplit").pvalue if (one != own).any() else 1.0
            for hat in drawn
            for one, own in zip(plain, hat, strict=True)
        ]
        mean = np.mean(drawn, axis=0)
        ranked = [np.argsort(plain[:, i]) == np.argsort(mean[:, i]) for i in range(IMAGES)]
        worse = [
            (mean[m, i] < plain[m, i]) if metric.direction == "higher" else (mean[m, i] > plain[m, i])
            for m in range(len(METHODS))
            for i in range(IMAGES)
        ]
        parts[spread] = np.mean(p), np.mean(ranked), np.mean(worse)
    assert found.resilience_within == pytest.approx(parts[0.01][0], abs=1e-6)
    assert found.resilience_between == pytest.approx(parts[0.01][1], abs=1e-6)
    assert found.reactivity_within == pytest.approx(1 - parts[2.0][0], abs=1e-6)
    assert found.reactivity_between == pytest.approx(parts[2.0][2], abs=1e-6)
    assert found.score == pytest.approx((parts[0.01][0] + parts[0.01][1] + 1 - parts[2.0][0] + parts[2.0][2]) / 4)


def test_what_hangs_on_nothing_is_resilient_and_never_reacts() -> None:
    found = reliability(Coin(), METHODS, small_network(), small_request(IMAGES), disturbances=2)
    assert (found.resilience_within, found.resilience_between) == (1, 1)
    assert (found.reactivity_within, found.reactivity_between) == (0, 0)
    assert found.score == 0.5


def test_the_network_is_left_as_it_was() -> None:
    network = small_network()
    before = {name: own.clone() for name, own in network.module.state_dict().items()}
    reliability(Coin(), METHODS, network, small_request(2), disturbances=1)
    assert all(torch.equal(own, before[name]) for name, own in network.module.state_dict().items())


def test_one_method_or_one_scored_image_are_too_few() -> None:
    network = small_network()
    with pytest.raises(HeatmarkError, match="expected two of each at least"):
        reliability(Coin(), METHODS[:1], network, small_request(4), disturbances=1)
    broken = replace(network, module=nn.Sequential(network.module, Broken()))
    with pytest.raises(HeatmarkError, match="3 methods and 0 images"):
        reliability(Coin(), METHODS, broken, small_request(4), disturbances=1)


class Broken(nn.Module):
    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits * torch.nan
