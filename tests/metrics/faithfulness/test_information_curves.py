"""SIC and AIC against a slow version written from the authors' description, one channel and threshold at a time."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.interpolate import griddata
from torch import nn

from bench.api import Explained, ImageRandom, Preprocess
from bench.checks import small_network, small_request
from bench.functional.heatmaps import ranks
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.aic import Aic
from bench.metrics.faithfulness.sic import Sic
from bench.scoring.information_curves import SHARES, information_curve
from bench.scoring.measure import explained_by


@pytest.fixture(scope="module")
@torch.no_grad()
def explained() -> Explained:
    preprocess = Preprocess((24, 20), None, (0.5, 0.4, 0.6), (0.25, 0.2, 0.25))
    network, request = small_network(), small_request(count=6, height=24, width=20)
    noise = ImageRandom(0, "noise", request.rng.image_ids).normal((3, 24, 20), request.images)
    request = request.with_images(noise)
    torch.manual_seed(3)
    spread = nn.Linear(5, 5).double().requires_grad_(False)
    nn.init.normal_(spread.weight, std=200)
    spread.bias.copy_(-(network.logits(noise) @ spread.weight.T).mean(0))  # no class is every image's
    network = replace(network, module=nn.Sequential(*network.module, spread), preprocess=preprocess)
    clean = network.logits(request.images)
    return explained_by(SimpleGradient(), network, replace(request, targets=clean.argmax(1)), clean)


def size(levels: np.ndarray) -> int:
    file = io.BytesIO()
    Image.fromarray(levels).save(file, format="webp", lossless=True, quality=100)
    return len(file.getvalue())


def interpolated(levels: np.ndarray, known: np.ndarray) -> np.ndarray:
    known = known.copy()
    for row in (0, 23):
        for column in (0, 19):
            known[row, column] = True
    result = levels.astype(np.float32)
    for channel in range(3):
        values = griddata(np.argwhere(known), result[..., channel][known], np.argwhere(~known), method="linear")
        result[..., channel][~known] = values
    return result.round().astype(np.uint8)


def slow(explained: Explained, row: int, accuracy: bool) -> float | None:
    mean, std = np.array(explained.network.preprocess.mean), np.array(explained.network.preprocess.std)
    image = explained.images[row].numpy().transpose(1, 2, 0) * std + mean
    levels = (image.clip(0, 1) * 255).round().astype(np.uint8)
    target = int(explained.targets[row])

    def output(version: np.ndarray) -> float:
        normalised = torch.from_numpy(((version / 255 - mean) / std).transpose(2, 0, 1)[None])
        logits = explained.network.logits(normalised)[0]
        return float(logits.argmax() == target) if accuracy else logits.softmax(0)[target].item()

    draw = explained.select([row]).rng.of("seen").uniform((24, 20), torch.empty(0, dtype=torch.float64))
    seen = (ranks(draw)[0] < 4).numpy()
    whole, blurred = output(levels), interpolated(levels, seen)
    if whole < 0.5 or output(blurred) >= whole or size(blurred) >= size(levels):
        return None
    heat, points, best = explained.heatmaps[row].numpy(), [(0.0, 0.0), (1.0, 1.0)], 0.0
    for share in SHARES:
        shown = interpolated(levels, seen | (heat >= np.quantile(heat, 1 - share)))
        information = (size(shown) - size(blurred)) / (size(levels) - size(blurred))
        best = max(best, min(1.0, (output(shown) - output(blurred)) / (whole - output(blurred))))
        points.append((min(max(information, 0.0), 1.0), best))
    points.sort()
    at, height = np.array(points).T
    curve = [np.interp(place / 1000, at, height) for place in range(1000)] + [1.0]
    return float((np.sum(curve) - curve[0] / 2 - curve[-1] / 2) / 1000)


@pytest.mark.parametrize("metric", [Sic(least=0.5), Aic(least=0.5)], ids=["SIC", "AIC"])
def test_equals_the_slow_version(metric, explained: Explained) -> None:
    got = metric.measure(explained)
    expected = [slow(explained, row, isinstance(metric, Aic)) for row in range(6)]
    assert any(value is not None for value in expected)
    for score, status, curve, value in zip(got.score.tolist(), got.status, got.curve, expected, strict=True):
        assert (status == "ok") == (value is not None), status
        if value is not None:
            assert score == pytest.approx(value, abs=1e-9)
            assert curve[-1] == 1


def test_what_is_not_scored_says_why() -> None:
    sizes = np.array([100, 150, 200])
    cases = {
        "output below 0.8": (np.array([0.1, 0.2, 0.7]), sizes),
        "the blurred image does as well": (np.array([0.9, 0.2, 0.9]), sizes),
        "the blurred image is no smaller": (np.array([0.1, 0.2, 0.9]), sizes[::-1]),
    }
    for status, (outputs, own) in cases.items():
        area, curve, said = information_curve(outputs, own, 0.8)
        assert said == status
        assert np.isnan(area)
        assert np.isnan(curve).all()


def test_a_known_curve() -> None:
    """All of the output at half of the information: a line up to 1, then flat, whatever comes later."""
    area, curve, status = information_curve(np.array([0.0, 1.0, 0.2, 1.0]), np.array([0, 50, 80, 100]), 0.8)
    assert status == "ok"
    assert area == pytest.approx(0.75)
    np.testing.assert_allclose(curve[[0, 25, 50, 75, 100]], [0, 0.5, 1, 1, 1])
