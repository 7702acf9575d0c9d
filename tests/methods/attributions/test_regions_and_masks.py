"""Occlusion, RISE, KernelSHAP and XRAI."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.api import Network
from bench.attribution.paths import integrated_gradients, quadrature
from bench.attribution.superpixels import superpixels
from bench.checks.fixtures import small_network, small_request
from bench.methods.attributions import kernel_shap, xrai
from bench.methods.attributions.kernel_shap import KernelShap
from bench.methods.attributions.occlusion import Occlusion
from bench.methods.attributions.rise import Rise
from bench.methods.attributions.xrai import Xrai

REQUEST = small_request()


@pytest.mark.parametrize(("window", "stride"), [(4, 4), (5, 3), (50, 8)])
def test_occlusion_is_the_mean_fall_over_the_windows_of_a_pixel(window, stride):
    network = small_network()
    images, targets = REQUEST.images, REQUEST.targets
    falls, covered = torch.zeros(3, 16, 16, dtype=torch.float64), torch.zeros(16, 16)
    size, step = min(window, 16), min(stride, 16)
    places = range(1 + -(-(16 - size) // step))
    with torch.no_grad():
        for top in (place * step for place in places):
            for left in (place * step for place in places):
                hidden = images.clone()
                hidden[:, :, top : top + size, left : left + size] = 0
                fall = network.logits_of(images, targets) - network.logits_of(hidden, targets)
                falls[:, top : top + size, left : left + size] += fall[:, None, None]
                covered[top : top + size, left : left + size] += 1
    found = Occlusion(window=window, stride=stride).explain(network, REQUEST)
    torch.testing.assert_close(found, (falls / covered)[:, None])


def test_occlusion_equals_captum():
    captum = pytest.importorskip("captum.attr")
    theirs = captum.Occlusion(small_network().logits).attribute(
        REQUEST.images, sliding_window_shapes=(3, 5, 5), strides=(3, 3, 3), target=REQUEST.targets
    )
    found = Occlusion(window=5, stride=3).explain(small_network(), REQUEST).expand(-1, 3, -1, -1)
    torch.testing.assert_close(found.float(), theirs)


def test_rise_averages_masks_by_the_probability_behind_them():
    network = small_network()
    rng = REQUEST.rng.shared()
    grids, shifts = rng.random((40, 7, 7)) < 0.5, rng.random((40, 2))
    expected = torch.zeros(3, 16, 16, dtype=torch.float64)
    for grid, shift in zip(grids, shifts, strict=True):
        big = F.interpolate(torch.from_numpy(grid).double()[None, None], (24, 24), mode="bilinear")[0, 0]
        top, left = (int(value * 3) for value in shift)
        mask = big[top : top + 16, left : left + 16]
        with torch.no_grad():
            behind = network.probabilities_of(REQUEST.images * mask, REQUEST.targets)
        expected += behind[:, None, None] * mask
    found = Rise(masks=40).explain(network, REQUEST)
    torch.testing.assert_close(found[:, 0], expected / (40 * 0.5))


def test_the_masks_of_rise_are_open_as_often_as_asked():
    blind = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2)).double()
    nn.init.zeros_(blind[1].weight)
    nn.init.zeros_(blind[1].bias)
    found = Rise(masks=4000, open_share=0.3).explain(Network(blind, chunk=500), REQUEST.select([0]))
    assert (found - 0.5).abs().max() < 0.08
    assert abs(float(found.mean()) - 0.5) < 0.01


def additive(weights: torch.Tensor) -> Network:
    linear = nn.Linear(weights.numel(), 2).double()
    with torch.no_grad():
        linear.weight.copy_(torch.stack([weights.flatten(), -weights.flatten()]))
    return Network(nn.Sequential(nn.Flatten(), linear))


def test_kernel_shap_of_an_additive_network_gives_each_region_its_own_sum():
    weights = torch.randn(3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    network = additive(weights)
    images = F.interpolate(REQUEST.images[:, :, ::8, ::8], (16, 16), mode="bilinear")
    request = replace(REQUEST, images=images, targets=torch.zeros(3, dtype=torch.int64))
    found = KernelShap(samples=60, segments=8).explain(network, request)[:, 0]
    parts = superpixels(network, images, 8)
    exact = (weights * images).sum(1)
    assert (parts.flatten(1).amax(1) >= 3).all()
    for image in range(3):
        for part in range(int(parts[image].max()) + 1):
            inside = parts[image] == part
            expected = exact[image][inside].sum().expand(int(inside.sum())) / inside.sum()
            torch.testing.assert_close(found[image][inside], expected, rtol=1e-7, atol=1e-9)


def test_the_regression_on_all_coalitions_gives_the_shapley_values():
    game = np.random.default_rng(0).random(16)
    players = range(4)
    subsets = [set(own) for size in range(5) for own in itertools.combinations(players, size)]

    def value(subset: set[int]) -> float:
        return float(game[sum(1 << player for player in subset)])

    expected = [
        sum(
            math.factorial(len(s)) * math.factorial(3 - len(s)) / 24 * (value(s | {player}) - value(s))
            for s in subsets
            if player not in s
        )
        for player in players
    ]
    rows, values = [set(), set(players)], []
    for subset in subsets:
        if 0 < len(subset) < 4:
            kernel = 3 / (math.comb(4, len(subset)) * len(subset) * (4 - len(subset)))
            rows += [subset] * round(kernel * 48)
    values = np.array([value(row) for row in rows])
    coalitions = np.array([[float(player in row) for player in players] for row in rows])
    np.testing.assert_allclose(kernel_shap._shapley(coalitions, values), expected, rtol=1e-9)


def test_coalitions_come_in_pairs_of_complements_with_sizes_from_the_kernel():
    uniform = torch.rand(20000, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    coalitions = kernel_shap._coalitions(uniform, 5)
    assert coalitions[0].sum() == 0
    assert coalitions[1].sum() == 5
    assert (coalitions[2::2] + coalitions[3::2] == 1).all()
    sizes = np.bincount(coalitions[2:].sum(1).astype(int), minlength=6)[1:5] / 20000
    chances = np.array([1 / (k * (5 - k)) for k in range(1, 5)])
    np.testing.assert_allclose(sizes, chances / chances.sum(), atol=0.01)
    np.testing.assert_allclose(coalitions[2:].mean(0), 0.5, atol=0.01)


def test_one_superpixel_gets_everything():
    weights = torch.randn(3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = KernelShap(samples=4, segments=1).explain(additive(weights), replace(REQUEST, targets=REQUEST.targets * 0))
    expected = (weights * REQUEST.images).sum((1, 2, 3))
    torch.testing.assert_close(found.sum((1, 2, 3)), expected)


def test_xrai_ranks_regions_greedily():
    relevance = np.array([[5.0, 1.0, 0.0], [5.0, 1.0, -2.0]])
    left = np.array([[1, 0, 0], [1, 0, 0]], dtype=bool)
    most = np.array([[1, 1, 0], [1, 1, 0]], dtype=bool)
    found = xrai._ranked(relevance, np.stack([most, left]))
    assert found.tolist() == [[5, 1, -1], [5, 1, -1]]


def test_xrai_keeps_the_sum_of_the_attributions_of_black_and_white_baselines():
    network = small_network()
    sums = []
    for level in (0.0, 1.0):
        baselines = torch.full_like(REQUEST.images, level)
        nodes = quadrature("gauss_legendre", 6)
        sums.append(integrated_gradients(network, REQUEST.images, REQUEST.targets, baselines, nodes).sum((1, 2, 3)))
    found = Xrai(nodes=6).explain(network, REQUEST)
    torch.testing.assert_close(found.sum((1, 2, 3)), (sums[0] + sums[1]) / 2)
    assert len(found[0].unique()) < 16 * 16


def test_superpixels_are_numbered_without_gaps():
    parts = superpixels(small_network(), REQUEST.images, 10)
    for own in parts:
        assert own.unique().tolist() == list(range(int(own.max()) + 1))


@pytest.mark.parametrize("value", [0.0, 1.5])
def test_a_constant_image_gives_finite_maps(value):
    request = REQUEST.with_images(torch.full_like(REQUEST.images, value))
    for method in (Xrai(nodes=2), KernelShap(samples=5), Rise(masks=5)):
        assert method.explain(small_network(), request).isfinite().all()
