"""NaN and infinity are never a score, whatever a metric makes of them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench.api import OK, ImageMetric, Network, Request
from bench.api.registry import find
from bench.checks.common import explained_on
from bench.checks.fixtures import TargetGradient, small_network, small_request
from bench.functional.map_similarity import relative_distance
from bench.metrics.agreement.relevance_mass import RelevanceMass
from bench.metrics.sparsity.gini import Gini
from bench.runner.accuracy import accuracy_of
from bench.scoring.explanation_images import share_lost
from bench.scoring.measure import measure
from tests.support.networks import FailsForSome, batch_of_images


class _OnlyKnows(nn.Module):
    """A network that returns NaN for every image but those it knows."""

    def __init__(self, inner: nn.Module, known: Tensor) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("known", known)

    def forward(self, images: Tensor) -> Tensor:
        outputs = self.inner(images)
        if images.shape[1:] != self.known.shape[1:]:
            return outputs * torch.nan
        same = (images[:, None] == self.known).flatten(2).all(2).any(1)
        return outputs * torch.where(same[:, None], 1.0, torch.nan)


SINGLE = sorted(name for name, own in find("metrics").items() if issubclass(own, ImageMetric))


@pytest.mark.parametrize("name", SINGLE)
def test_outputs_that_are_no_numbers_make_no_score(name: str) -> None:
    """What a metric scores as OK is what it scores when the network answers (weight_randomisation asks another one)."""
    metric = find("metrics")[name]()
    assert isinstance(metric, ImageMetric)
    if metric.machine_bound or metric.needs[1] or name == "weight_randomisation":
        return
    honest, request = small_network(), small_request()
    blind = replace(honest, module=_OnlyKnows(honest.module, request.images))
    (expected,) = measure([(metric, explained_on(honest, request, TargetGradient()))])
    (found,) = measure([(metric, explained_on(blind, request, TargetGradient()))])
    for row, text in enumerate(found.status or (OK,) * len(request)):
        if text == OK:
            torch.testing.assert_close(found.score[row], expected.score[row], rtol=1e-9, atol=1e-12)


PARTS = ("part_completeness", "part_correctness", "part_contrastivity")


def _of_parts(network: Network) -> Request:
    request = small_request()
    truth = torch.zeros(3, 16, 16).double()
    truth[:, 2:6, 2:6], truth[:, 8:12, 8:12], truth[:, 2:6, 9:14] = 0.25, 0.5, 1.0
    return replace(request, truth=truth, targets=network.logits(request.images).argmax(1))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", PARTS)
def test_images_without_parts_of_which_the_network_says_nothing_make_no_score(name: str, value: float) -> None:
    honest, metric = small_network(), find("metrics")[name]()
    request = _of_parts(honest)
    explained = explained_on(honest, request, TargetGradient())
    (expected,) = measure([(metric, explained)])
    fails = replace(honest, module=FailsForSome(honest.module, request.images, value, every=1, outputs=slice(1, 2)))
    (found,) = measure([(metric, replace(explained, network=fails))])
    assert expected.status == (OK,) * 3
    assert found.status == ("undefined",) * 3
    assert found.score.isnan().all()


OF_PROBABILITIES = ("adcc", "average_drop", "average_gain", "average_increase", "deletion", "f_fidelity", "insertion")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", [*OF_PROBABILITIES, "irof", "morf", "road", "saco", "selectivity", "srg"])
def test_the_probability_of_an_infinite_logit_is_no_number(name: str, value: float) -> None:
    """Of a clean image it is a status too, although the softmax of minus infinity is 0."""
    honest, request = small_network(), small_request()
    explained = explained_on(honest, request, TargetGradient())
    fails = replace(honest, module=FailsForSome(honest.module, request.images, value, every=1, outputs=slice(1, 2)))
    (found,) = measure([(find("metrics")[name](), replace(explained, network=fails))])
    assert found.status == ("undefined",) * 3
    assert found.score.isnan().all()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", ["adversarial_robustness", "relative_stability"])
def test_an_image_nearby_without_an_answer_is_not_left_out(name: str, value: float) -> None:
    honest = small_network()
    request = _of_parts(honest)
    explained = explained_on(honest, request, TargetGradient())
    fails = replace(honest, module=FailsForSome(honest.module, request.images, value, outputs=slice(1, 2)))
    metric = find("metrics")[name]()
    (expected,) = measure([(metric, explained)])
    (found,) = measure([(metric, replace(explained, network=fails))])
    assert expected.score.isfinite().all()
    assert found.score.isnan().all()
    assert OK not in found.status


def test_a_lost_share_of_a_probability_of_zero_is_no_number_where_the_rest_is_none() -> None:
    clean, seen = torch.tensor([0.0, 0.0, 0.5]), torch.tensor([torch.nan, 0.5, torch.nan])
    assert share_lost(clean, seen).isnan().tolist() == [True, False, True]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_grows_from_nothing_to_what_is_no_number_has_no_distance(value: float) -> None:
    nothing, full = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])
    for before in (nothing, full):
        assert not relative_distance(before, torch.tensor([[value, 0.0]])).isfinite().any()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_one_value_of_a_truth_map_that_is_no_number_is_a_status(value: float) -> None:
    request = small_request()
    assert request.truth is not None
    truth = request.truth.clone()
    truth[1, 3, 3] = value
    explained = explained_on(small_network(), replace(request, truth=truth), TargetGradient())
    (scored,) = measure([(RelevanceMass(), explained)])
    assert scored.status == (OK, "non-finite truth map", OK)
    assert scored.score.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("part", ["images", "clean"])
def test_an_image_or_an_output_that_is_no_number_is_a_status(part: str) -> None:
    explained = explained_on(small_network(), small_request(), TargetGradient())
    values = getattr(explained, part).clone()
    values[2].flatten()[0] = torch.nan
    broken = (
        replace(explained, clean=values)
        if part == "clean"
        else replace(explained, request=explained.request.with_images(values))
    )
    (scored,) = measure([(Gini(), broken)])
    assert scored.status[2] == ("non-finite output" if part == "clean" else "non-finite image")
    assert scored.score.isnan().tolist() == [False, False, True]


def test_an_infinite_score_is_undefined() -> None:
    class _Infinite(Gini):
        def score(self, explained):
            scored = super().score(explained)
            return replace(scored, score=torch.full_like(scored.score, torch.inf))

    (scored,) = measure([(_Infinite(), explained_on(small_network(), small_request(), TargetGradient()))])
    assert scored.status == ("undefined",) * 3
    assert scored.score.isnan().all()


def test_outputs_that_are_no_numbers_are_right_about_nothing() -> None:
    network = Network(_OnlyKnows(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), torch.zeros(1, 3, 8, 8)))
    batch = batch_of_images(torch.rand(8, 3, 8, 8), torch.zeros(8, dtype=torch.long))
    assert not accuracy_of(network, batch)[["correct", "correct_among_classes"]].any().any()
