"""DeepLIFT against Captum where that is right, and against its definition where that is not."""

import itertools
import warnings
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api import Network
from bench.attribution.rescale_rule import rescaled
from bench.checks.fixtures import small_network, small_request, small_transformer
from bench.errors import UnsupportedError
from bench.methods.attributions.deep_lift import DeepLift

REQUEST = small_request()


def without_pool() -> Network:
    layers = small_network().module
    return replace(small_network(), module=nn.Sequential(*layers[:3], *layers[4:]))


def pool_first() -> Network:
    layers = small_network().module
    return replace(small_network(), module=nn.Sequential(nn.MaxPool2d(2), *layers[:3], *layers[4:]))


@pytest.mark.parametrize("network", [without_pool(), pool_first()], ids=["units", "pool"])
def test_equals_captum_where_modules_are_used_once_and_windows_do_not_overlap(network):
    captum = pytest.importorskip("captum.attr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = captum.DeepLift(network.module).attribute(REQUEST.images, target=REQUEST.targets).detach()
    torch.testing.assert_close(DeepLift().explain(network, REQUEST), theirs, rtol=1e-9, atol=1e-15)


class Reused(nn.Module):
    """The layers of the tiny network without its pool, with one activation for both places."""

    def __init__(self, activation):
        super().__init__()
        layers = small_network().module
        self.first, self.second, self.head = layers[:2], layers[4:5], layers[6:]
        self.activation = activation

    def forward(self, images):
        return self.head(self.activation(self.second(self.activation(self.first(images)))))


WAYS = {
    "reused": nn.ReLU(),
    "reused_in_place": nn.ReLU(inplace=True),
    "functional": F.relu,
    "functional_in_place": lambda x: F.relu(x, inplace=True),
    "torch_in_place": torch.relu_,
    "method": Tensor.relu,
    "in_place_and_forgotten": lambda x: (x.relu_(), x)[1],
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_call_a_relu_is_the_same(way):
    network = replace(small_network(), module=Reused(WAYS[way]))
    expected = DeepLift().explain(without_pool(), REQUEST)
    torch.testing.assert_close(DeepLift().explain(network, REQUEST), expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize(
    "activation", [F.relu6, F.silu, F.gelu, F.hardswish, F.elu, torch.tanh, Tensor.sigmoid, nn.Softplus()]
)
def test_attributions_sum_to_the_difference_of_the_logit(activation):
    network = replace(small_network(), module=Reused(activation))
    attributions = DeepLift().explain(network, REQUEST)
    with torch.no_grad():
        blank = torch.zeros_like(REQUEST.images)
        change = network.logits_of(REQUEST.images, REQUEST.targets) - network.logits_of(blank, REQUEST.targets)
    torch.testing.assert_close(attributions.sum((1, 2, 3)), change, rtol=1e-9, atol=1e-12)


POOLS = {"2": nn.MaxPool2d(2), "3 stride 2": nn.MaxPool2d(3, 2), "ceil": nn.MaxPool2d(3, 2, ceil_mode=True)}


@pytest.mark.parametrize("name", POOLS)
def test_max_pools_share_out_their_difference_window_by_window(name):
    draws = torch.Generator().manual_seed(0)
    images, baselines = torch.randn(2, 1, 1, 7, 5, generator=draws, dtype=torch.float64)
    both = torch.cat([images, baselines]).requires_grad_()
    with rescaled():
        pooled = POOLS[name](both)
        weights = torch.randn(pooled.shape[1:], generator=draws, dtype=torch.float64)
        (multipliers,) = torch.autograd.grad((pooled * weights).sum(), both)
    expected = torch.zeros(7, 5, dtype=torch.float64)
    image, baseline, width = images[0, 0], baselines[0, 0], 2 if name == "2" else 3
    for row, column in itertools.product(range(pooled.shape[2]), range(pooled.shape[3])):
        window = list(itertools.product(range(2 * row, 2 * row + width), range(2 * column, 2 * column + width)))
        window = [place for place in window if place[0] < 7 and place[1] < 5]
        own, base = max(window, key=lambda place: image[place]), max(window, key=lambda place: baseline[place])
        weight = weights[0, row, column]
        expected[own] += weight * max(image[own] - baseline[base], 0) / (image[own] - baseline[own])
        expected[base] += weight * min(image[own] - baseline[base], 0) / (image[base] - baseline[base])
    torch.testing.assert_close(multipliers[0, 0], expected)
    assert not multipliers[1].any()


def gated(features: Tensor) -> Tensor:
    return features * features.mean((2, 3), keepdim=True).sigmoid()


def gated_in_place(features: Tensor) -> Tensor:
    return (features + 0).mul_(features.mean((2, 3), keepdim=True).sigmoid())


@pytest.mark.parametrize("gate", [gated, gated_in_place, lambda features: torch.mul(features, features)])
def test_products_share_out_their_difference(gate):
    network = replace(small_network(), module=Reused(gate))
    attributions = DeepLift().explain(network, REQUEST)
    with torch.no_grad():
        blank = torch.zeros_like(REQUEST.images)
        change = network.logits_of(REQUEST.images, REQUEST.targets) - network.logits_of(blank, REQUEST.targets)
    torch.testing.assert_close(attributions.sum((1, 2, 3)), change, rtol=1e-9, atol=1e-12)


def test_a_factor_gets_its_difference_times_the_mean_of_the_other():
    both = torch.tensor([[3.0, 5.0], [1.0, 2.0]], requires_grad=True)  # an image and its baseline, two features
    with rescaled():
        (multipliers,) = torch.autograd.grad((both[:, 0] * both[:, 1]).sum(), both)
    assert multipliers.tolist() == [[3.5, 2.0], [0.0, 0.0]]


def test_a_network_that_attends_and_normalises_is_named():
    with pytest.raises(UnsupportedError, match="'small_transformer'"):
        DeepLift().explain(small_transformer(), REQUEST)


def test_a_nearly_blank_image_is_explained_in_single_precision_and_its_neighbours_too():
    network = replace(small_network(), module=small_network().module.float())
    images = REQUEST.images.float()
    images[1] *= 1e-6
    own = DeepLift().explain(network, REQUEST.with_images(images))
    ordinary = DeepLift().explain(network, REQUEST.with_images(REQUEST.images.float()))
    torch.testing.assert_close(own[[0, 2]], ordinary[[0, 2]])
    assert own[1].abs().max() > 0


class _Biased(nn.Module):
    """A network whose places carry what a unit makes of numbers of its own, as relative positions of SwinV2 do."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.inner, self.table = small_network().module, nn.Parameter(torch.linspace(-1, 1, rows).double()[:, None])

    def forward(self, images: Tensor) -> Tensor:
        pooled = F.max_pool2d(F.relu(self.table)[None, None], (len(self.table), 1))
        return self.inner(images + pooled)


@pytest.mark.parametrize("rows", [1, 6, 7])
def test_what_a_unit_makes_of_weights_alone_is_no_feature(rows: int) -> None:
    def shifted(images: Tensor) -> Tensor:
        return images + F.relu(torch.linspace(-1, 1, rows)).max()

    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = small_network().module

        def forward(self, images: Tensor) -> Tensor:
            return self.inner(shifted(images))

    found, expected = (
        DeepLift().explain(replace(small_network(), module=module), REQUEST) for module in (_Biased(rows), Shifted())
    )
    torch.testing.assert_close(found, expected)
