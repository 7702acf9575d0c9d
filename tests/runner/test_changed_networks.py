"""A network that was changed between two evaluations is another network, however it was changed."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

import bench
from bench.api import Compiler, Network
from bench.metrics.faithfulness.deletion import Deletion


def convolutional() -> nn.Sequential:
    torch.manual_seed(0)
    parts = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*parts, nn.Linear(8, 5)).eval()


def replace_layer(module: nn.Sequential) -> None:
    module[5] = nn.Linear(8, 5)


def replace_weights(module: nn.Sequential) -> None:
    module[0].weight = nn.Parameter(torch.randn(8, 3, 3, 3))


def write_past_autograd(module: nn.Sequential) -> None:
    module[0].weight.data.mul_(-3)


def set_settings(module: nn.Sequential) -> None:
    module[0].padding, module[1].eps = (0, 0), 1.0


def scores(network: Network, images: torch.Tensor) -> np.ndarray:
    return bench.evaluate(network, images, attributions=["random_map"], metrics=[Deletion(step=16)]).score.to_numpy()


@pytest.mark.parametrize("change", [replace_layer, replace_weights, write_past_autograd, set_settings])
@pytest.mark.parametrize("compiler", ["none", "aot_eager"])
def test_a_changed_network_is_scored_as_it_is_now(change: Callable[..., None], compiler: Compiler) -> None:
    module, images = convolutional(), torch.rand(4, 3, 8, 8)
    before = scores(Network(module, compiler=compiler), images)
    change(module)
    after, expected = (scores(Network(own, compiler=compiler), images) for own in (module, deepcopy(module)))
    assert not np.allclose(before, expected, atol=1e-4)
    np.testing.assert_array_equal(after, expected)
