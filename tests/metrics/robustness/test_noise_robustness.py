from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.api import Attribution, Explained, Network, Preprocess, Request
from bench.metrics.robustness.noise_robustness import NoiseRobustness
from tests.support.maps import explained_by_maps


@dataclass(frozen=True)
class Blend(Attribution):
    """The image itself: a method whose map moves exactly as the image does."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        return request.images


@dataclass(frozen=True)
class Still(Attribution):
    """A method that looks at nothing."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        column = torch.arange(request.images.shape[-1], dtype=request.images.dtype)
        return column.expand(len(request), 1, request.images.shape[-2], -1)


def explained(method: Attribution, module: nn.Module | None = None, shift: float = 0) -> Explained:
    images = torch.rand(3, 3, 8, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) - 0.4
    images[1] += shift
    module = module or nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Favour())
    network = Network(module, preprocess=Preprocess(mean=(0.4,) * 3, std=(1.0, 2.0, 1.0)), chunk=2)
    attributions = images if isinstance(method, Blend) else method.attribute(network, Request(images, None, None))
    return explained_by_maps(method.heatmaps(attributions), method=method, network=network, images=images)


class Favour(nn.Module):
    """Always the same prediction."""

    def forward(self, means: Tensor) -> Tensor:
        return torch.tensor([0.0, 1.0]).expand(len(means), 2)


class Touchy(nn.Module):
    """Another prediction for every bright image whose first pixel it does not know."""

    def __init__(self, known: Tensor) -> None:
        super().__init__()
        self.known = known

    def forward(self, images: Tensor) -> Tensor:
        first = images[:, 0, 0, 0]
        turned = (first > 5) & ~torch.isin(first, self.known)
        return torch.stack([turned, ~turned], 1).double()


@pytest.mark.parametrize("noise", ["normal", "uniform"])
@pytest.mark.parametrize("similarity", ["spearman", "ssim", "top_k", "relative_l2"])
def test_a_method_that_looks_at_nothing_is_perfectly_robust(similarity: str, noise: str) -> None:
    scored = NoiseRobustness(similarity, noise).measure(explained(Still()))
    torch.testing.assert_close(scored.score, torch.ones(3, dtype=torch.float64))
    assert scored.curve.shape == (3, 3)


def test_equals_the_definition() -> None:
    of = explained(Blend())
    metric = NoiseRobustness("relative_l2", levels=(0.05, 0.2), draws=2)
    got = metric.measure(of)
    std = np.array([1.0, 2.0, 1.0])[:, None, None]
    for row, image_id in enumerate(of.rng.image_ids):
        own = replace(of.rng.of("noise"), image_ids=(image_id,))
        image = of.images[row].numpy()
        pixels = image * std + 0.4
        before = np.abs(image).sum(0)
        for point, level in enumerate(metric.levels):
            left = []
            for draw in range(2):
                sigma = level * (pixels.max() - pixels.min())
                noise = sigma * own.normal((3, 8, 10), of.images, draw)[0].numpy()
                after = np.abs((pixels + noise - 0.4) / std).sum(0)
                left.append(1 - np.linalg.norm(after - before) / np.linalg.norm(before))
            assert got.curve[row, point].item() == pytest.approx(np.mean(left), abs=1e-12)
    torch.testing.assert_close(got.score, got.curve.mean(1))


def test_more_noise_changes_more() -> None:
    curve = NoiseRobustness(levels=(0.0, 0.1, 0.4)).measure(explained(Blend())).curve
    torch.testing.assert_close(curve[:, 0], torch.ones(3, dtype=torch.float64))
    assert (curve[:, 1:] < curve[:, :-1]).all()


def test_an_image_whose_prediction_changes_gets_a_status() -> None:
    of = explained(Blend(), Touchy(explained(Blend(), shift=10).images[:, 0, 0, 0]), shift=10)
    scored = NoiseRobustness().measure(of)
    assert scored.status == ("ok", "prediction changed", "ok")
    assert scored.score.isnan().tolist() == [False, True, False]


def test_score_does_not_depend_on_company_or_order() -> None:
    of = explained(Blend())
    whole = NoiseRobustness().measure(of).score
    torch.testing.assert_close(NoiseRobustness().measure(of.select([2, 0])).score, whole[[2, 0]], rtol=0, atol=1e-12)
