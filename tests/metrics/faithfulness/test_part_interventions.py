"""Metrics over planted parts against slow versions, and what is known of methods on networks of known effects."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from bench.api import Attribution, Explained, ImageRandom, Network, Request, UnsupportedError
from bench.checks import small_network, small_request
from bench.checks.fixtures import TargetGradient
from bench.data.batches import load
from bench.data.part_kinds import CLASSES, EFFECTS, kinds_of
from bench.engine import clean_logits
from bench.errors import HeatmarkError
from bench.metrics.faithfulness.part_completeness import PartCompleteness
from bench.metrics.faithfulness.part_contrastivity import PartContrastivity
from bench.metrics.faithfulness.part_correctness import PartCorrectness
from bench.scoring.measure import explained_by, measure
from bench.scoring.parts import part_effects, parts_of
from bench.suites.load import load_suite
from bench.training.architectures import build
from bench.training.part_networks import PARTS

SUITE = load_suite("planted_parts")
METHODS = {method.label: method for method in SUITE.attributions}
PATHS = "integrated_gradients(nodes=64, quadrature=middle)"
COUNT = 4
WRONG = re.compile("undefined|failed")


@cache
def network_and_request(name: str) -> tuple[Network, Request, Tensor]:
    table = next(own for own in SUITE.table.networks if own.architecture == name)
    preprocess = replace(Network(torch.nn.Identity()).preprocess, **table.preprocess.model_dump())
    network = Network(build(name, CLASSES).eval(), name=name, preprocess=preprocess, chunk=64)
    batch = load(SUITE.dataset, "test", list(range(COUNT)), network, torch.device("cpu"))
    request = Request(batch.images, batch.outputs, ImageRandom(0, "run", batch.ids), batch.truth)
    return network, request, clean_logits(network, request.images)


def explained(name: str, method: Attribution) -> Explained:
    network, request, clean = network_and_request(name)
    return explained_by(method, network, request, clean)


def scores(of: Explained) -> list[list[float]]:
    metrics = (PartCorrectness(), PartCompleteness(), PartContrastivity())
    found = measure([(metric, of) for metric in metrics])
    assert all(not bad for own in found for bad in map(WRONG.match, own.status))
    return [own.score.tolist() for own in found]


@pytest.mark.parametrize("name", PARTS)
def test_a_part_does_what_it_is_made_to_do_and_nothing_else_does_anything(name: str) -> None:
    of = explained(name, METHODS["oracle"])
    effects = part_effects(of, parts_of(of.truth))
    for row, label in enumerate(of.targets.tolist()):
        expected = np.zeros((5, CLASSES))
        for part, effect in enumerate(sorted(EFFECTS), start=1):
            slot = EFFECTS.index(effect)
            kind = kinds_of(label)[slot]
            expected[part] = [effect * (kind in kinds_of(other)) for other in range(CLASSES)]
        np.testing.assert_allclose(effects[row].numpy(), expected, atol=1e-4)
        np.testing.assert_allclose(of.clean[row].numpy(), expected.sum(0), atol=1e-4)


ALL, NOTHING = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
KNOWN = {
    ("exact_parts", "input_x_gradient"): ALL,
    ("exact_parts", PATHS): ALL,
    ("exact_parts", "deep_lift"): ALL,
    ("exact_parts", "grad_cam"): ALL,
    ("exact_parts", "layer_cam"): ALL,
    # Every gradient is zero where parts are whole.
    ("exact_saturated_parts", "simple_gradient"): NOTHING,
    ("exact_saturated_parts", "input_x_gradient"): NOTHING,
    ("exact_saturated_parts", "guided_backprop"): NOTHING,
    ("exact_saturated_parts", "grad_cam"): NOTHING,
    ("exact_saturated_parts", "layer_cam"): NOTHING,
    ("exact_saturated_parts", PATHS): ALL,
    ("exact_saturated_parts", "deep_lift"): ALL,
}


@pytest.mark.parametrize(("name", "label"), KNOWN)
def test_methods_name_the_parts_or_not_as_they_are_known_to(name: str, label: str) -> None:
    found = scores(explained(name, METHODS[label]))
    assert found == [pytest.approx([own] * COUNT, abs=1e-9) for own in KNOWN[name, label]]


@pytest.mark.parametrize("name", PARTS)
def test_the_truth_names_all_parts_in_order_and_is_asked_about_no_other_class(name: str) -> None:
    correctness, completeness, contrastivity = scores(explained(name, METHODS["oracle"]))
    assert correctness == completeness == pytest.approx([1.0] * COUNT)
    assert np.isnan(contrastivity).all()


@pytest.mark.parametrize("name", ["random_map", "edges"])
def test_a_map_that_follows_no_class_has_no_contrast(name: str) -> None:
    assert scores(explained("exact_parts", METHODS[name]))[2] == [0.0] * COUNT


@pytest.fixture(scope="module")
def of_parts() -> Explained:
    """A random network on images with four parts of another level each, and maps that are no better than chance."""
    network, request = small_network(), small_request(12)
    truth = torch.zeros_like(request.truth)
    truth[:, 2:6, 2:7], truth[:, 8:14, 3:6], truth[:, 9:12, 9:15], truth[:, 2:7, 9:13] = 0.5, 1.0, 0.25, 0.75
    network.module[-1].weight.data *= 8
    clean = network.logits(request.images).detach()
    return explained_by(TargetGradient(), network, replace(request, targets=clean.argmax(1), truth=truth), clean)


def without(of: Explained, row: int, gone: np.ndarray) -> np.ndarray:
    image = of.images[row].numpy().copy()
    image[:, gone] = 0
    return of.network.logits(torch.from_numpy(image)[None]).detach().numpy()[0]


def slow(of: Explained, row: int) -> tuple[float, float, float]:
    """The three scores of an image, from their descriptions."""
    truth, target = of.truth[row].numpy(), int(of.targets[row])
    masks = [truth == level for level in np.unique(truth)]
    clean = of.clean[row].numpy()
    effects = np.array([clean - without(of, row, mask) for mask in masks])
    shares = given(of.attributions[row], masks)
    correctness = spearmanr(shares[1:], effects[1:, target]).statistic
    named = shares.clip(0) > 0.05 * shares.clip(0).sum()
    inside = np.any([mask for mask, own in zip(masks, named, strict=True) if own], axis=0)
    enough, needed = without(of, row, ~inside).argmax() == target, without(of, row, inside).argmax() != target
    best = (-np.inf, 0, 0, 0, 0)
    for p in range(5):
        for q in range(5):
            a, b = (max((c for c in range(5) if c != target), key=lambda c: effects[part, c]) for part in (p, q))
            gaps = (effects[p, a] - effects[p, b], effects[q, b] - effects[q, a])
            best = max(best, (gaps[0] * gaps[1] if min(gaps) > 0 else 0.0, p, q, a, b))
    gap, p, q, a, b = best
    of_a, of_b = (given(again(of, row, output), masks) for output in (a, b))
    right = (float(of_a[p] > of_b[p]) + float(of_b[q] > of_a[q])) / 2
    return correctness, (float(enough) + float(needed)) / 2, right if gap > 0 else np.nan


def given(attributions: Tensor, masks: list[np.ndarray]) -> np.ndarray:
    sums = np.array([attributions.numpy().sum(0)[mask].sum() for mask in masks])
    return sums / np.abs(sums).sum()


def again(of: Explained, row: int, output: int) -> Tensor:
    request = replace(of.request.select([row]), targets=torch.tensor([output]))
    return of.method.explain(of.network, request)[0]


def test_they_equal_their_definitions(of_parts: Explained) -> None:
    found = np.array(scores(of_parts)).T
    np.testing.assert_allclose(found, [slow(of_parts, row) for row in range(12)], atol=1e-6)
    assert all(len(np.unique(own[~np.isnan(own)])) > 1 for own in found.T)


def test_images_with_fewer_parts_score_alone_as_in_company(of_parts: Explained) -> None:
    truth = of_parts.truth.clone()
    truth[1, truth[1] == 1.0] = 0
    truth[2, truth[2] < 1.0] = 0
    truth[3, :3] = 1.0
    of = replace(of_parts, request=replace(of_parts.request, truth=truth))
    together = np.array(scores(of))
    alone = np.array([[own[0] for own in scores(of.select([row]))] for row in range(12)]).T
    np.testing.assert_allclose(together, alone, atol=1e-9)
    assert np.flatnonzero(np.isnan(together[0])).tolist() == [2]


def test_a_map_that_names_nothing_earns_nothing_for_what_it_spares() -> None:
    of = explained("exact_parts", METHODS["oracle"])
    blank = replace(of, attributions=torch.zeros_like(of.attributions))
    assert measure([(PartCompleteness(), blank)])[0].score.tolist() == [0.0] * COUNT
    everything = replace(of, attributions=torch.ones_like(of.attributions))
    # All parts but the rest, which nothing needs, would have been right.
    (scored,) = measure([(PartCompleteness(threshold=0.0), everything)])
    assert scored.score.tolist() == [0.5] * COUNT


def test_maps_that_are_none_of_parts_and_networks_of_two_outputs_are_refused(of_parts: Explained) -> None:
    soft = torch.linspace(0, 1, 256).reshape(1, 16, 16).expand(4, 16, 16)
    with pytest.raises(HeatmarkError, match="one for each part, 31 at most"):
        parts_of(soft)
    with pytest.raises(UnsupportedError, match="three outputs"):
        PartContrastivity().score(replace(of_parts, clean=of_parts.clean[:, :2]))
    with pytest.raises(HeatmarkError, match="9 outputs, expected 5"):
        build("exact_parts", 5)
