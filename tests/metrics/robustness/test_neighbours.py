from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.api import Attribution, Explained, Network, Preprocess, Request
from bench.metrics.robustness.avg_sensitivity import AvgSensitivity
from bench.metrics.robustness.local_lipschitz import LocalLipschitz
from bench.metrics.robustness.max_sensitivity import MaxSensitivity
from tests.support.maps import explained_by_maps

STD = (1.0, 2.0, 0.5)


@dataclass(frozen=True)
class Squares(Attribution):
    """Each value times its size."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        return request.images * request.images.abs()


def explained(network: Network) -> Explained:
    images = torch.randn(3, 3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    network = Network(network.module, preprocess=Preprocess(mean=(0.0,) * 3, std=STD))
    of = explained_by_maps(images.abs().sum(1), method=Squares(), network=network, images=images)
    return replace(of, attributions=images * images.abs())


def slow(of: Explained, radius: float, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Relative changes and lengths of the steps, (batch, samples), one neighbour at a time."""
    changes, lengths = np.empty((3, samples)), np.empty((3, samples))
    for row in range(3):
        rng, image = of.select([row]).rng.of("neighbours"), of.images[row].numpy()
        for sample in range(samples):
            step = (2 * rng.uniform((3, 5, 6), of.images, sample)[0].numpy() - 1) * radius
            moved = image + step / np.array(STD)[:, None, None]
            own, other = image * np.abs(image), moved * np.abs(moved)
            changes[row, sample] = np.linalg.norm(other - own) / np.linalg.norm(own)
            lengths[row, sample] = np.linalg.norm(step)
    return changes, lengths


def test_equal_the_definitions(network: Network) -> None:
    of = explained(network)
    changes, lengths = slow(of, 0.1, 4)
    for metric, expected in (
        (MaxSensitivity(0.1, 4), changes.max(1)),
        (AvgSensitivity(0.1, 4), changes.mean(1)),
        (LocalLipschitz(0.1, 4), (changes / lengths).max(1)),
    ):
        np.testing.assert_allclose(metric.measure(of).score.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("metric", [MaxSensitivity(), AvgSensitivity(), LocalLipschitz()], ids=str)
def test_attributions_of_nothing_that_stay_nothing_are_insensitive(metric, network: Network) -> None:
    of = explained_by_maps(torch.zeros(1, 5, 6, dtype=torch.float64), method=Blank(), network=network)
    assert metric.measure(of).score.item() == 0


@dataclass(frozen=True)
class Blank(Attribution):
    """Nothing at all."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        return torch.zeros_like(request.images[:, :1])
