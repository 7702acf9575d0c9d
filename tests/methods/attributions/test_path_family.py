"""GNL-IG, Guided IG, Blur IG, IDGI and expected gradients."""

import numpy as np
import pytest
import torch
from torch import nn

from bench.api import ImageRandom, Network, Request
from bench.attribution.gradients import target_gradients
from bench.errors import UnsupportedError
from bench.methods.attributions.blur_ig import BlurIg
from bench.methods.attributions.expected_gradients import ExpectedGradients
from bench.methods.attributions.gnl_integrated_gradients import GnlIntegratedGradients
from bench.methods.attributions.guided_ig import GuidedIg
from bench.methods.attributions.idgi import Idgi
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from tests.support.maps import as_tensor, golden
from tests.support.networks import relu_network


@pytest.mark.parametrize(("pool", "protocol"), [("", "exact"), ("", "published"), ("k3_", "published")])
def test_gnl_ig_equals_the_published_numbers(pool, protocol):
    arrays = golden("gnl_ig", pool)
    module = relu_network(arrays)
    if pool:
        module[2] = nn.MaxPool2d(3, stride=2, padding=1)
    images = as_tensor(arrays["img"]).double()
    request = Request(images, as_tensor(arrays["target"]), ImageRandom(0, "test", ("a", "b")))
    method = GnlIntegratedGradients(protocol=protocol)
    attributions = method.explain(Network(module), request)
    np.testing.assert_allclose(attributions[..., ::3, ::3], arrays["gnl_attr"], rtol=1e-9, atol=1e-14)
    heatmaps = method.heatmaps(attributions)
    scaled = heatmaps / heatmaps.amax((1, 2), keepdim=True)
    np.testing.assert_allclose(scaled[..., ::3, ::3], arrays["gnl_heatmap"], rtol=1e-9, atol=1e-12)


def test_protocols_of_gnl_ig_differ_where_windows_overlap(network, request_of):
    network.module[2] = nn.MaxPool2d(3, stride=2, padding=1)
    request = request_of(2)
    exact, published = (GnlIntegratedGradients(protocol=p).explain(network, request) for p in ("exact", "published"))
    assert (exact - published).abs().max() > 1e-3 * exact.abs().max()


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize(
    ("which", "settings"),
    [
        ("default", {}),
        ("sqrt_bs1", {"spacing": "sigma_squared"}),
        ("small", {"max_sigma": 5.0, "steps": 20, "difference": 0.02}),
    ],
)
def test_blur_ig_equals_the_published_numbers(output, which, settings):
    arrays = golden("guided_ig")
    module = relu_network({key.removeprefix("tiny_"): arrays[key] for key in arrays if key.startswith("tiny_")})
    images = as_tensor(arrays["img"]).double()
    request = Request(images, as_tensor(arrays["tiny_target"]), ImageRandom(0, "test", ("a", "b")))
    expected = arrays[f"blur_tiny_{'logit' if output == 'logit' else 'prob'}_{which}"]
    found = BlurIg(output=output, **settings).explain(Network(module), request)
    np.testing.assert_allclose(found[..., ::3, ::3], expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_guided_ig_without_room_beside_the_line_is_ig_by_the_left_rule(network, request_of):
    request = request_of(3)
    guided = GuidedIg(steps=20, max_distance=0.0).explain(network, request)
    straight = IntegratedGradients(nodes=20, quadrature="left").explain(network, request)
    torch.testing.assert_close(guided, straight, rtol=1e-9, atol=1e-12)


def test_guided_ig_sums_to_the_difference_of_the_logit(network, request_of):
    request = request_of(3)
    attributions = GuidedIg(steps=400, max_distance=0.05).explain(network, request)
    with torch.no_grad():
        blank = torch.zeros_like(request.images)
        change = network.logits_of(request.images, request.targets) - network.logits_of(blank, request.targets)
    torch.testing.assert_close(attributions.sum((1, 2, 3)), change, rtol=0.05, atol=0.01)


@pytest.mark.parametrize("path", ["straight", "guided", "blur"])
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_idgi_shares_out_exactly_the_change_along_its_path(network, request_of, path, output):
    request = request_of(3)
    attributions = Idgi(path=path, steps=12, output=output).explain(network, request)
    values = network.logits_of if output == "logit" else network.probabilities_of
    with torch.no_grad():
        start = torch.zeros_like(request.images)
        if path == "blur":
            from bench.attribution.blur_path import BlurPath

            start = BlurPath().blurred(request.images, torch.full((3,), 50.0, dtype=torch.float64))
        change = values(request.images, request.targets) - values(start, request.targets)
    torch.testing.assert_close(attributions.sum((1, 2, 3)), change, rtol=1e-9, atol=1e-12)


def test_idgi_follows_its_definition_step_by_step(network, request_of):
    request = request_of(2)
    images, targets = request.images, request.targets
    expected = torch.zeros_like(images)
    for step in range(5):
        here, there = images * (step / 5), images * ((step + 1) / 5)
        with torch.no_grad():
            change = network.logits_of(there, targets) - network.logits_of(here, targets)
        squares = target_gradients(network, here, targets) ** 2
        expected += squares * (change / squares.sum((1, 2, 3)))[:, None, None, None]
    torch.testing.assert_close(Idgi(steps=5).explain(network, request), expected)


def test_expected_gradients_of_a_linear_network_average_over_the_references(request_of):
    torch.manual_seed(0)
    linear = nn.Linear(3 * 12 * 10, 5).double()
    request = request_of(2)
    found = ExpectedGradients(samples=4000).explain(Network(nn.Sequential(nn.Flatten(), linear)), request)
    weights = linear.weight.detach()[request.targets].reshape(request.images.shape)
    expected = weights * (request.images - request.references.mean(0))
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()


def test_expected_gradients_without_references_says_so(network, request_of):
    from dataclasses import replace

    with pytest.raises(UnsupportedError, match="reference images"):
        ExpectedGradients().explain(network, replace(request_of(1), references=None))
