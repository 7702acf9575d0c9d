"""Which method finds the known map of which network whose weights are set by hand, and which is known to miss it."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from bench.api import Attribution, Explained, ImageMetric, ImageRandom, Network, Request, UnsupportedError
from bench.api.registry import find
from bench.data.batches import load
from bench.engine import clean_logits
from bench.metrics.agreement.exact_map import ExactMap
from bench.scoring.measure import explained_by, measure
from bench.suites.load import load_suite
from bench.training.architectures import build
from bench.training.exact_networks import EXACT

SLOW = {"rise", "kernel_shap", "xrai", "expected_gradients", "guided_ig", "blur_ig", "var_grad", "square_grad"}
SUITE = load_suite("exact")
METHODS = {method.label: method for method in SUITE.attributions}
PIXELWISE, MIDDLE = "occlusion(window=1, stride=1)", "integrated_gradients(nodes=64, quadrature=middle)"
GRADIENT, DECONVOLVED = {"input_x_gradient"}, {"guided_backprop"}
PATHS = {MIDDLE, "guided_ig(steps=64)"}
CAMS = {"grad_cam", "grad_cam_plus_plus", "layer_cam", "score_cam"}
RULES = {"deep_lift", "lrp"}
# A gradient is a slope, so that none is right; paths and rules take zero for nothing, which it is not to `exact_shift`;
# where two pixels are needed and alike, all that follow the gradient give one of them everything.
PASSES = {
    "exact_linear": {*GRADIENT, *PATHS, *CAMS, *RULES, PIXELWISE, "integrated_gradients"},
    "exact_counter_weight": {*GRADIENT, *PATHS, *RULES, PIXELWISE, "integrated_gradients"},
    "exact_saturated": {*PATHS, *RULES, *DECONVOLVED, PIXELWISE, "grad_cam"},
    "exact_and": {PIXELWISE},
    "exact_shattered": {MIDDLE, *RULES, PIXELWISE, "grad_cam"},
    "exact_shift": {*CAMS, "lrp"},
}
# On some images only.
SOMETIMES = {("exact_counter_weight", "score_cam")}


@cache
def network_and_request(name: str) -> tuple[Network, Request]:
    table = next(own for own in SUITE.table.networks if own.architecture == name)
    preprocess = replace(Network(torch.nn.Identity()).preprocess, **table.preprocess.model_dump())
    network = Network(build(name, 2).double().eval(), name=name, preprocess=preprocess, chunk=256)
    batch = load(SUITE.dataset, "test", [0, 1, 2], network, torch.device("cpu"))
    assert batch.truth is not None
    images, rng = batch.images.double(), ImageRandom(0, "run", batch.ids)
    return network, Request(images, batch.outputs, rng, batch.truth.double(), references=images.flip(0))


def explained(name: str, method: Attribution) -> Explained:
    network, request = network_and_request(name)
    return explained_by(method, network, request, clean_logits(network, request.images))


def scores(metric: ImageMetric, of: Explained) -> Tensor:
    (scored,) = measure([(metric, of)])
    assert set(scored.status) == {"ok"}
    return scored.score


def finds_it(name: str, label: str) -> bool:
    """Whether a method gives the exact map on every image; one that does not take the network does not."""
    try:
        return bool(scores(ExactMap(), explained(name, METHODS[label])).all())
    except UnsupportedError:
        return False


def test_every_network_of_the_suite_is_expected_something_of() -> None:
    assert set(PASSES) == set(EXACT) == {table.architecture for table in SUITE.table.networks}


@pytest.mark.parametrize("name", PASSES)
def test_methods_pass_and_fail_as_they_are_known_to(name: str) -> None:
    tried = {label for label in METHODS if METHODS[label].name not in SLOW and (name, label) not in SOMETIMES}
    assert {label for label in tried if finds_it(name, label)} == (PASSES[name] & tried) | {"oracle"}


@pytest.mark.long
@pytest.mark.parametrize("name", PASSES)
def test_slow_methods_pass_and_fail_as_they_are_known_to(name: str) -> None:
    tried = {label for label in METHODS if METHODS[label].name in SLOW}
    assert {label for label in tried if finds_it(name, label)} == PASSES[name] & tried


@pytest.mark.parametrize("name", sorted(set(PASSES) - {"exact_and"}))
def test_contributions_are_what_the_weights_say(name: str) -> None:
    """What the output loses with each pixel painted black, by the definition: its value, or its negative."""
    network, request = network_and_request(name)
    black = -2.0 if name == "exact_shift" else 0.0
    whole = network.logits_of(request.images, request.targets)
    height, width = request.images.shape[2:]
    expected = request.truth / (height * width)
    if name == "exact_counter_weight":
        expected = torch.where(request.images[:, 1] > 0, -expected, expected)
    lost = torch.zeros_like(expected)
    for row in range(height):
        for column in range(width):
            shown = request.images.clone()
            shown[:, :, row, column] = black
            lost[:, row, column] = whole - network.logits_of(shown, request.targets)
    torch.testing.assert_close(lost.detach(), expected, rtol=0, atol=1e-6)


def test_both_pixels_of_a_pair_are_needed_and_share_what_they_give() -> None:
    """Shapley's value of the two, by the definition, over all orders of taking them away."""
    network, request = network_and_request("exact_and")
    whole = network.logits_of(request.images, request.targets)
    _, top, left = (request.images[0, :1] > 0).nonzero()[0].tolist()
    value = {}
    for gone in ("", "r", "g", "rg"):
        shown = request.images.clone()
        shown[0, :, top, left] *= "r" not in gone
        shown[0, :, top, left + 4] *= "g" not in gone
        value[gone] = network.logits_of(shown, request.targets)[0].item()
    red = (value[""] - value["r"] + value["g"] - value["rg"]) / 2
    green = (value[""] - value["g"] + value["r"] - value["rg"]) / 2
    assert whole[0].item() == value[""]
    assert [red, green] == pytest.approx([request.truth[0, top, left].item() / 256] * 2, abs=1e-6)


AGREEMENT = [
    name
    for name, metric in find("metrics").items()
    if issubclass(metric, ImageMetric) and metric.family == "agreement" and not metric().needs[1]
]


def test_the_truth_scores_best_on_every_metric_of_agreement() -> None:
    for name in PASSES:
        others = [explained(name, METHODS[label]) for label in ("input_x_gradient", "grad_cam", PIXELWISE, "edges")]
        oracle = explained(name, METHODS["oracle"])
        for metric in (find("metrics")[own]() for own in AGREEMENT):
            sign = 1 if metric.direction == "higher" else -1
            best = scores(metric, oracle)
            for other in others:
                assert (sign * scores(metric, other) <= sign * best + 1e-9).all(), (name, metric.name, other.method)
