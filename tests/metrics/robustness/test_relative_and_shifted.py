"""Relative stability, input invariance, efficient MPRT, EMD and top-K against slow versions of the papers' formulas."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import nn

from bench.api import Explained, Network
from bench.attribution.randomised_weights import layers_of, randomised
from bench.checks import small_network, small_request
from bench.methods.attributions.input_x_gradient import InputXGradient
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.agreement.emd import Emd
from bench.metrics.agreement.top_k_intersection import TopKIntersection
from bench.metrics.robustness.input_invariance import InputInvariance
from bench.metrics.robustness.relative_stability import RelativeStability
from bench.metrics.sanity.efficient_mprt import EfficientMprt
from bench.scoring.measure import explained_by

DOUBLES = torch.empty(0, dtype=torch.float64)


@pytest.fixture
def explained() -> Explained:
    network, request = small_network(), small_request()
    network = replace(network, preprocess=replace(network.preprocess, mean=(0.5,) * 3, std=(0.25,) * 3))
    clean = network.logits(request.images).detach()
    return explained_by(SimpleGradient(), network, replace(request, targets=clean.argmax(1)), clean)


@pytest.mark.parametrize("of", ["input", "output", "representation"])
def test_relative_stability_equals_the_definition(of: str, explained: Explained) -> None:
    got = RelativeStability(of=of, radius=0.05, samples=6).measure(explained)
    for row in range(3):
        alone, ratios = explained.select([row]), []
        image, before = alone.images.numpy(), alone.attributions.numpy()
        for sample in range(6):
            step = 0.05 * (2 * alone.rng.of("neighbours").uniform((3, 16, 16), DOUBLES, sample).numpy() - 1)
            near = torch.from_numpy(image + step / 0.25)
            logits = alone.network.logits(near).detach().numpy()
            if logits.argmax() != alone.clean.numpy().argmax():
                continue
            after = alone.attribute_again(near).numpy()
            pixels = image * 0.25 + 0.5
            moved = np.linalg.norm((step / pixels).ravel())
            if of == "output":
                moved = np.linalg.norm(logits - alone.clean.numpy())
            if of == "representation":
                # Up to the second ReLU, the last that gives a map.
                one, other = (alone.network.module[:6](own).detach().numpy() for own in (alone.images, near))
                moved = np.linalg.norm(((one - other) / np.where(one != 0, one, 1e-6)).ravel())
            ratios.append(np.linalg.norm(((before - after) / before).ravel()) / max(moved, 1e-6))
        if ratios:
            assert got.score[row].item() == pytest.approx(max(ratios), rel=1e-6)
        else:
            assert got.status[row] == "prediction changed"
    assert got.score.isfinite().any()


def test_a_gradient_is_invariant_to_a_shift_and_its_product_with_the_input_is_not(explained: Explained) -> None:
    assert InputInvariance().measure(explained).score.numpy() == pytest.approx(1, abs=1e-6)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * 256, 5)).double()
    network = Network(linear, chunk=4)
    clean = network.logits(explained.images).detach()
    product = explained_by(InputXGradient(), network, explained.request, clean)
    scores = InputInvariance(similarity="relative_l2").measure(product).score
    for row in range(3):
        weights = linear[1].weight[explained.targets[row]].detach().reshape(3, 256)
        maps = [(weights * (explained.images[row].flatten(1) + shift)).sum(0).abs() for shift in (0.0, 1.0)]
        if product.method.reduction == "absolute_sum":
            maps = [(weights * (explained.images[row].flatten(1) + shift)).abs().sum(0) for shift in (0.0, 1.0)]
        assert scores[row].item() == pytest.approx(1 - ((maps[1] - maps[0]).norm() / maps[0].norm()).item(), abs=1e-6)


def test_efficient_mprt_equals_the_definition(explained: Explained) -> None:
    got = EfficientMprt(bins=20).measure(explained).score
    stranger = randomised(explained.network, layers_of(explained.network.module), explained.rng)
    maps = explained.method.heatmaps(explained.method.explain(stranger, explained.request))

    def entropy(values: torch.Tensor) -> float:
        counts = np.histogram(values.numpy(), bins=20)[0] / values.numel()
        return float(-(counts[counts > 0] * np.log(counts[counts > 0])).sum())

    for row in range(3):
        before, after = entropy(explained.heatmaps[row]), entropy(maps[row])
        assert got[row].item() == pytest.approx((after - before) / before, abs=1e-6)


def test_emd_is_the_cost_of_the_best_transport(explained: Explained) -> None:
    got = Emd(rows=4).measure(explained).score
    places = np.array([(row / 4, column / 4) for row in range(4) for column in range(4)])
    far = np.linalg.norm(places[:, None] - places[None], axis=2)
    rows, columns = (np.kron(*pair) for pair in ((np.eye(16), np.ones(16)), (np.ones(16), np.eye(16))))
    for row in range(3):
        maps = [explained.heatmaps[row].numpy(), explained.truth[row].numpy()]
        shares = [(own / own.sum()).reshape(4, 4, 4, 4).sum((1, 3)).ravel() for own in maps]
        best = linprog(far.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate(shares))
        assert got[row].item() == pytest.approx(best.fun, abs=1e-6)
    truth = replace(explained, heatmaps=explained.truth)
    assert Emd().measure(truth).score.numpy() == pytest.approx(0, abs=1e-9)


def test_top_k_counts_the_highest_pixels_on_the_object(explained: Explained) -> None:
    got = TopKIntersection(k=30).measure(explained).score
    for row in range(3):
        highest = np.argsort(-explained.heatmaps[row].numpy(), axis=None)[:30]
        assert got[row].item() == pytest.approx((explained.truth[row].numpy().ravel()[highest] > 0).mean(), abs=1e-9)
