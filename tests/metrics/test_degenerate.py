"""Every metric on maps and images at the edge of what is legal: a score inside its range, or a declared status."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench.api import Explained, ImageMetric, Network
from bench.api.registry import find
from bench.checks.fixtures import small_network, small_request
from bench.scoring.measure import explained_by, measure

STATUSES = {
    "ok",
    "non-finite heatmap",
    "prediction changed",
    "no fixations",
    "no fixation pool",
    "no gradient to attack",
    "memory is measured on a GPU only",
    "output below 0.8",
    "the blurred image does as well",
    "the blurred image is no smaller",
    "fewer than two parts",
    "the target is not the prediction",
    "no two parts speak for two classes",
    "no other image is explained alike",
}
MAPS = {
    "constant": lambda maps: torch.full_like(maps, 0.1),
    "zero": torch.zeros_like,
    "two levels": lambda maps: (maps > maps.flatten(1).median(1).values[:, None, None]).to(maps.dtype),
    "one pixel": lambda maps: torch.zeros_like(maps).index_fill(2, torch.tensor([3]), 1) * _row(maps, 5),
    "all negative": lambda maps: -1 - maps.abs(),
    "huge": lambda maps: maps * 1e150,
    "tiny": lambda maps: maps * 1e-150,
}
METRICS = [name for name, plugin in find("metrics").items() if issubclass(plugin, ImageMetric)]


def _row(maps: Tensor, row: int) -> Tensor:
    return torch.zeros_like(maps).index_fill(1, torch.tensor([row]), 1)


def explained(channels: int = 3, height: int = 16, width: int = 16) -> Explained:
    network, request = small_network(), small_request(height=height, width=width)
    if channels == 1:
        network = Network(nn.Sequential(nn.Conv2d(1, 3, 1), *network.module).double().eval(), chunk=4)
        request = replace(request, images=request.images[:, :1], references=request.references[:, :1])
    method = find("attributions")["simple_gradient"]()
    own = explained_by(method, network, request, network.logits(request.images).detach())
    fixations = tuple(torch.tensor([[4.0, 5.0, 200.0, 1.0], [7.5, 6.2, 150.0, 2.0]]).double() for _ in range(3))
    return replace(own, fixations=fixations, fixation_pool=torch.tensor([[1.0, 2.0, 100.0, 1.0]]).double())


def assert_declared(name: str, of: Explained) -> None:
    metric = find("metrics")[name]()
    (scored,) = measure([(metric, of)])
    low, high = metric.range
    for score, status in zip(scored.score.tolist(), scored.status, strict=True):
        assert status in STATUSES, status
        assert (status == "ok") == (score == score), (status, score)
        assert status != "ok" or low - 1e-9 <= score <= high + 1e-9, score


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("name", METRICS)
def test_maps(name: str, kind: str) -> None:
    of = explained()
    maps = MAPS[kind](of.heatmaps)
    assert_declared(name, replace(of, heatmaps=maps, attributions=maps[:, None].expand(-1, 3, -1, -1)))


@pytest.mark.parametrize("kind", ["one channel", "wide", "tall"])
@pytest.mark.parametrize("name", METRICS)
def test_images(name: str, kind: str) -> None:
    shapes = {"one channel": (1, 16, 16), "wide": (3, 12, 21), "tall": (3, 19, 13)}
    assert_declared(name, explained(*shapes[kind]))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", METRICS)
def test_maps_that_are_not_finite(name: str, value: float) -> None:
    of = explained()
    maps = of.heatmaps.clone()
    maps[1, 2, 3] = value
    (scored,) = measure([(find("metrics")[name](), replace(of, heatmaps=maps))])
    assert scored.status[1] == "non-finite heatmap"
    assert scored.score[1].isnan()
