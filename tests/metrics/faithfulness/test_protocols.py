"""Each protocol against a slow numpy version of what its library does, and on a curve whose area is known."""

import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from torch import nn

from bench.api import Explained, Network
from bench.checks import small_network, small_request
from bench.errors import HeatmarkError
from bench.functional.curve_areas import area_of
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.faithfulness.insertion import Insertion
from bench.protocol_versions import VERSIONS, versioned, versioned_label
from bench.scoring.measure import explained_by, measure
from bench.scoring.protocols import (
    DeletionProtocol,
    InsertionProtocol,
    as_stamped,
    deletion_plan,
    insertion_plan,
)


@pytest.fixture(scope="module")
def explained() -> Explained:
    network, request = small_network(), small_request(height=16, width=14)
    clean = network.logits(request.images).detach()
    return explained_by(SimpleGradient(), network, replace(request, targets=clean.argmax(1)), clean)


def output(explained: Explained, row: int, image: np.ndarray, softmax: bool = True) -> float:
    logits = explained.network.logits(torch.from_numpy(image)[None]).detach()
    return (logits.softmax(1) if softmax else logits)[0, explained.targets[row]].item()


def quantus_deletion(explained: Explained, row: int) -> float:
    image, signed = explained.images[row].numpy(), explained.attributions[row].numpy()
    shown, order, curve = image.copy(), np.argsort(-signed, axis=None), []
    for start in range(0, order.size, 14):
        shown.reshape(-1)[order[start : start + 14]] = image.min()
        curve.append(output(explained, row, shown))
    return trapezoid(curve)


def replaced(start: np.ndarray, end: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    shown = start.copy()
    shown.reshape(3, -1)[:, order[:count]] = end.reshape(3, -1)[:, order[:count]]
    return shown


def torchcam(explained: Explained, row: int, insertion: bool, softmax: bool) -> float:
    image = explained.images[row].numpy()
    ends = (np.zeros_like(image), image) if insertion else (image, np.zeros_like(image))
    order = np.argsort(-explained.heatmaps[row].numpy(), axis=None)
    counts = [*range(0, 224, 12), 224]
    curve = [output(explained, row, replaced(*ends, order, count), softmax) for count in counts]
    return trapezoid(curve, np.array(counts) / 224)


def attribench(explained: Explained, row: int, insertion: bool) -> float:
    image = explained.images[row].numpy()
    order = np.argsort(explained.heatmaps[row].numpy(), axis=None)
    curve = []
    for share in np.linspace(1, 0, 100) if insertion else np.linspace(0, 1, 100):
        masked = order[: int(share * 224)] if insertion else order[224 - int(share * 224) :]
        curve.append(output(explained, row, replaced(image, np.zeros_like(image), masked, 224), softmax=False))
    return float(np.mean(curve))


def latec(explained: Explained, row: int, insertion: bool) -> float:
    image = explained.images[row].numpy()
    weights = np.exp(-(np.arange(-4, 5) ** 2) / 50)
    padded = np.pad(image, ((0, 0), (4, 4), (4, 4)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9), axis=(1, 2))
    blurred = np.einsum("chwij,i,j->chw", windows, weights, weights) / weights.sum() ** 2
    ends = (blurred, image) if insertion else (image, np.zeros_like(image))
    order = np.argsort(-explained.heatmaps[row].numpy(), axis=None)
    curve = [output(explained, row, replaced(*ends, order, count)) for count in (50, 100, 150, 200)]
    return trapezoid(curve, dx=1 / len(curve))


def golden() -> Explained:
    """Images, maps and weights of a network by formula: the same for every version of torch."""
    pixels = torch.arange(3 * 3 * 9 * 7, dtype=torch.float64).reshape(3, 3, 9, 7)
    linear = nn.Linear(27, 4).double()
    linear.weight.data = torch.cos(torch.arange(4 * 27, dtype=torch.float64)).reshape(4, 27)
    linear.bias.data = torch.linspace(-1, 1, 4, dtype=torch.float64)
    network = Network(nn.Sequential(nn.AvgPool2d((3, 2)), nn.Tanh(), nn.Flatten(), linear).eval())
    maps = torch.sin(pixels[:, 0] * 7) + 1
    request = replace(small_request(3, 9, 7), images=torch.sin(pixels), targets=torch.tensor([0, 1, 3]))
    clean = network.logits(request.images).detach()
    return replace(explained_by(SimpleGradient(), network, request, clean), heatmaps=maps)


@pytest.mark.parametrize(
    ("metric", "slow"),
    [
        (Deletion("quantus"), quantus_deletion),
        (Deletion("torchcam-0.4"), lambda *of: torchcam(*of, insertion=False, softmax=True)),
        (Insertion("torchcam-0.4"), lambda *of: torchcam(*of, insertion=True, softmax=True)),
        (Deletion("torchcam-0.5"), lambda *of: torchcam(*of, insertion=False, softmax=False)),
        (Insertion("torchcam-0.5"), lambda *of: torchcam(*of, insertion=True, softmax=False)),
        (Deletion("attribench"), lambda *of: attribench(*of, insertion=False)),
        (Insertion("attribench"), lambda *of: attribench(*of, insertion=True)),
        (Deletion("latec"), lambda *of: latec(*of, insertion=False)),
        (Insertion("latec"), lambda *of: latec(*of, insertion=True)),
    ],
    ids=lambda value: value.label if isinstance(value, Deletion | Insertion) else "",
)
def test_equals_a_slow_version_of_what_the_library_does(metric, slow, explained: Explained) -> None:
    (scored,) = measure([(metric, explained)])
    np.testing.assert_allclose(scored.score.numpy(), [slow(explained, row) for row in range(3)], rtol=0, atol=1e-9)
    assert scored.status == ("ok",) * 3


def test_all_protocols_go_through_the_engine_together(explained: Explained) -> None:
    names = ("quantus", "rise2018", "torchcam", "attribench", "latec")
    together = measure([(Deletion(name), explained) for name in names])
    for name, scored in zip(names, together, strict=True):
        (alone,) = measure([(Deletion(name), explained.select([2]))])
        torch.testing.assert_close(scored.score[2:], alone.score, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("protocol", "reported"),
    [("rise2018", 0.0842), ("latec", 0.0833), ("torchcam", 0.0864), ("attribench", 0.0880), ("quantus", 55.7)],
)
def test_one_curve_is_as_many_numbers_as_libraries(protocol, reported: float) -> None:
    values = 3 * 224 if protocol == "quantus" else 224
    plan = deletion_plan(protocol, values, 224, None)
    curve = 0.01 + 0.89 * np.exp(-12 * np.array(plan.counts) / (values * 224))
    (area,) = area_of(torch.from_numpy(curve)[None], plan.area, plan.counts).tolist()
    assert area == pytest.approx(reported, abs=0.05 if reported > 1 else 5e-5)


def test_a_score_carries_its_protocol_and_its_range() -> None:
    assert Deletion("torchcam-0.4", step=7).stamp == "torchcam-0.4, step 7"
    assert Deletion("torchcam-0.4").bounds == (0, 1)
    assert Deletion("torchcam-0.5").bounds == (-math.inf, math.inf)
    assert Deletion("torchcam-0.5").card.unit == "logit of the class"
    assert Deletion("torchcam-0.4").card.unit == Deletion().card.unit == Deletion.unit
    assert Deletion("quantus").bounds == (0, math.inf)
    assert Insertion("attribench").bounds == (-math.inf, math.inf)
    assert Insertion().bounds == Insertion.range == (0, 1)


def test_a_step_as_large_as_the_image_leaves_latec_nothing(explained: Explained) -> None:
    with pytest.raises(HeatmarkError, match="224 pixels leave no point between steps of 224"):
        measure([(Deletion("latec", step=224), explained)])


@pytest.mark.parametrize("library", VERSIONS)
def test_a_name_without_a_version_is_the_newest_and_its_stamp_says_which(library, explained: Explained) -> None:
    newest = f"{library}-{VERSIONS[library][-1]}"
    assert Deletion(library).stamp == Deletion(newest).stamp == newest
    assert Deletion(library).plan(16, 14) == Deletion(newest).plan(16, 14)
    for version in VERSIONS[library]:
        assert f"{library}-{version}" in get_args(DeletionProtocol)


def test_every_metric_has_all_versions_of_its_protocols() -> None:
    for names in (get_args(InsertionProtocol), get_args(DeletionProtocol)):
        libraries = {name.partition("-")[0] for name in names} - {"rise2018"}
        assert set(names) == {"rise2018", *libraries, *(f"{own}-{v}" for own in libraries for v in VERSIONS[own])}


@pytest.mark.parametrize("plan", [deletion_plan, insertion_plan])
def test_an_unknown_version_is_refused_with_the_nearest(plan) -> None:
    with pytest.raises(HeatmarkError, match=r"^no protocol 'torchcam-0.6'; did you mean 'torchcam-0.[45]'\?$"):
        plan("torchcam-0.6", 16, 14, None)


# What torch-cam 0.5.0 says of the maps of `golden`: as it comes, and handed a softmax.
GOLDEN = {
    ("deletion", "torchcam-0.5"): [-0.552257167, 0.248733745, 0.768805027],
    ("insertion", "torchcam-0.5"): [-0.640487377, 0.209274939, 0.737758429],
    ("deletion", "torchcam-0.4"): [0.111790418, 0.280637232, 0.44535134],
    ("insertion", "torchcam-0.4"): [0.104537456, 0.265539821, 0.434752616],
}


@pytest.mark.parametrize(("metric", "protocol"), GOLDEN)
def test_equals_what_torch_cam_itself_says(metric: str, protocol) -> None:
    (scored,) = measure([((Deletion if metric == "deletion" else Insertion)(protocol), golden())])
    np.testing.assert_allclose(scored.score.numpy(), GOLDEN[metric, protocol], rtol=0, atol=1e-6)


def test_a_set_stamped_before_versions_is_scored_as_it_was() -> None:
    old = as_stamped(Deletion("torchcam", step=7), "torchcam, step 7")
    assert old == Deletion("torchcam-0.4", step=7)
    assert as_stamped(Deletion("torchcam"), "torchcam-0.5") == Deletion("torchcam-0.5")
    assert as_stamped(Deletion(), "rise2018") == Deletion()
    assert as_stamped(Deletion("quantus"), "heatmark") == Deletion("quantus")
    assert versioned("torchcam, step 7") == old.stamp
    label = Deletion("torchcam", step=7).label
    assert versioned_label(label, "torchcam, step 7") == old.label
    assert versioned_label(label, "torchcam-0.5, step 7") == Deletion("torchcam-0.5", step=7).label
    assert versioned_label("auc_judd(protocol=mit)", "heatmark") == "auc_judd(protocol=mit)"
