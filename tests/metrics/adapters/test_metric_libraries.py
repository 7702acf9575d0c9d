"""Metrics of Quantus by name are Quantus called by hand, image by image."""

import contextlib
import io
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from bench.api import Explained, HeatmarkError, Network, UnsupportedError
from bench.api.adapter import seeded
from bench.api.registry import plugin_class
from bench.checks.fixtures import small_network, small_request
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.scoring.measure import explained_by, measure
from tests.support.networks import FailsForSome

library = pytest.importorskip("quantus")
pytestmark = pytest.mark.filterwarnings("ignore")
SMALL = {
    "subset_size": 16,
    "nr_runs": 10,
    "features_in_step": 16,
    "nr_samples": 5,
    "patch_size": 4,
    "num_classes": 5,
    "k": 20,
    "nr_steps": 4,
    "n_perturb_samples": 3,
}
PLAIN = [
    *("AttributionLocalisation", "Complexity", "Completeness", "EffectiveComplexity", "FaithfulnessCorrelation"),
    *("FaithfulnessEstimate", "Infidelity", "Monotonicity", "MonotonicityCorrelation", "PixelFlipping", "PointingGame"),
    *("RegionPerturbation", "RelevanceMassAccuracy", "RelevanceRankAccuracy", "Selectivity", "Sparseness"),
    "TopKIntersection",
]
EXPLAINING = [
    "AvgSensitivity",
    "Continuity",
    "InputInvariance",
    "LocalLipschitzEstimate",
    "MaxSensitivity",
    "RandomLogit",
]


@pytest.fixture
def explained() -> Explained:
    request = small_request()
    request = replace(request, images=request.images.float())
    network = replace(small_network(), module=small_network().module.float())
    return explained_by(SimpleGradient(), network, request, network.logits(request.images).detach())


def settings(name: str) -> dict[str, Any]:
    known = {field.name for field in fields(plugin_class("metrics", f"quantus:{name}"))}
    return {key: value for key, value in SMALL.items() if key in known}


def by_hand(name: str, explained: Explained) -> list[float]:
    """What Quantus says of each image by itself, its draws decided by the image."""
    scores = []
    for row, seed in enumerate(explained.rng.seeds()):
        one = explained.select([row])

        def explain(model: Any, inputs: Any, targets: Any, one: Explained = one, **_: Any) -> np.ndarray:
            images = torch.as_tensor(np.asarray(inputs)).to(one.images)
            wanted = torch.as_tensor(np.asarray(targets)).reshape(-1).expand(len(images))
            request = replace(one.request.select([0] * len(images)), images=images, targets=wanted)
            return one.method.heatmaps(one.method.explain(Network(model), request))[:, None].numpy()

        with seeded(seed), contextlib.redirect_stderr(io.StringIO()):
            found = getattr(library, name)(**settings(name), disable_warnings=True, display_progressbar=False)(
                model=one.network.module,
                x_batch=one.images.numpy(),
                y_batch=one.targets.numpy(),
                a_batch=one.heatmaps[:, None].numpy().copy(),
                s_batch=(one.truth[:, None] >= 0.5).numpy(),
                explain_func=explain,
                device="cpu",
                channel_first=True,
                batch_size=1,
            )
        scores.append(float(np.mean(found[0])))
    return scores


@pytest.mark.parametrize("name", PLAIN + EXPLAINING)
def test_quantus_by_name_is_quantus_by_hand(name: str, explained: Explained) -> None:
    metric = plugin_class("metrics", f"quantus:{name}")(**settings(name))
    np.testing.assert_allclose(metric.measure(explained).score.numpy(), by_hand(name, explained), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["FaithfulnessCorrelation", "MaxSensitivity", "Sparseness"])
def test_a_score_does_not_depend_on_its_neighbours(name: str, explained: Explained) -> None:
    metric = plugin_class("metrics", f"quantus:{name}")(**settings(name))
    whole = metric.measure(explained).score
    torch.testing.assert_close(metric.measure(explained.select([1])).score[0], whole[1], rtol=0, atol=0)


def works(name: str, explained: Explained) -> bool:
    return bool(plugin_class("metrics", f"quantus:{name}")(**settings(name)).measure(explained).score.isfinite().all())


def test_what_is_offered_works_or_says_why_not(explained: Explained) -> None:
    from bench.metrics.adapters.quantus import names

    refused = []
    for name in names():
        try:
            assert works(name, explained), name
        except UnsupportedError as error:
            refused.append(str(error))
    assert all(text.startswith("quantus:") and "\n" not in text for text in refused)
    assert len(names()) - len(refused) >= 25


def test_what_depends_on_neighbours_is_refused() -> None:
    with pytest.raises(HeatmarkError, match="quantus:Consistency is not offered: its score of an image depends"):
        plugin_class("metrics", "quantus:Consistency")


def test_a_constant_map_takes_no_score_from_its_neighbours(explained: Explained) -> None:
    metric = plugin_class("metrics", "quantus:FaithfulnessEstimate")(**settings("FaithfulnessEstimate"))
    expected = metric.measure(explained).score
    heatmaps = explained.heatmaps.clone()
    heatmaps[1] = 0
    found = metric.measure(replace(explained, heatmaps=heatmaps))
    assert found.score.isnan().tolist() == [False, True, False]
    assert found.score[[0, 2]].equal(expected[[0, 2]])
    assert found.status[1].startswith("unsupported: quantus:FaithfulnessEstimate: AssertionError: The elements")
    with pytest.raises(UnsupportedError, match="all equal to zero"):
        metric.measure(replace(explained, heatmaps=heatmaps * 0))


@pytest.mark.parametrize("name", ["PointingGame", "RelevanceRankAccuracy"])
def test_a_truth_map_that_is_below_one_half_everywhere_is_empty(name: str, explained: Explained) -> None:
    truth = explained.truth.clone()
    truth[1] *= 0.3
    metric = plugin_class("metrics", f"quantus:{name}")(**settings(name))
    found = metric.measure(replace(explained, request=replace(explained.request, truth=truth)))
    assert found.status == ("ok", "empty truth map", "ok")
    assert found.score.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", ["Monotonicity", "MonotonicityCorrelation", "Completeness", "PixelFlipping"])
def test_images_without_an_answer_make_no_score(name: str, value: float, explained: Explained) -> None:
    fails = FailsForSome(explained.network.module, explained.images, value, every=1).eval()
    metric = plugin_class("metrics", f"quantus:{name}")(**settings(name))
    found = metric.measure(replace(explained, network=replace(explained.network, module=fails)))
    assert found.score.isnan().all()
    assert found.status == ("undefined",) * 3


def test_a_network_in_training_mode_is_scored_as_in_evaluation(explained: Explained) -> None:
    metric = plugin_class("metrics", "quantus:PixelFlipping")(**settings("PixelFlipping"))
    (expected,) = measure([(metric, explained)])
    explained.network.module.train()
    (found,) = measure([(metric, explained)])
    assert found.score.equal(expected.score)
    assert explained.network.module.training
