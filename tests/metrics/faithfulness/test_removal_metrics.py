from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.segmentation import slic

from bench.api import Explained
from bench.checks import small_network, small_request
from bench.functional.heatmaps import ranks
from bench.functional.imputation import linear_imputation
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.infidelity import Infidelity
from bench.metrics.faithfulness.irof import Irof
from bench.metrics.faithfulness.lerf import Lerf
from bench.metrics.faithfulness.morf import Morf
from bench.metrics.faithfulness.road import Road
from bench.metrics.faithfulness.sensitivity_n import SensitivityN
from bench.scoring.measure import curve_scores, explained_by, planned

DOUBLES = torch.empty(0, dtype=torch.float64)


@pytest.fixture
def explained() -> Explained:
    network, request = small_network(), small_request(height=16, width=14)
    clean = network.logits(request.images).detach()
    return explained_by(SimpleGradient(), network, replace(request, targets=clean.argmax(1)), clean)


def output(explained: Explained, row: int, image: np.ndarray, probability: bool = True) -> float:
    logits = explained.network.logits(torch.from_numpy(image)[None]).detach()
    return (logits.softmax(1) if probability else logits)[0, explained.targets[row]].item()


@pytest.mark.parametrize(("metric", "sign"), [(Morf(7), -1), (Lerf(7), 1)])
def test_removal_curves_equal_the_definition(metric, sign: int, explained: Explained) -> None:
    (got,) = curve_scores([planned(metric, explained, explained)])
    for row in range(3):
        order = np.argsort(sign * explained.heatmaps[row].numpy(), axis=None)
        image, clean, drops = explained.images[row].numpy().copy(), None, []
        clean = output(explained, row, image)
        for step in range(1, 8):
            image.reshape(3, -1)[:, order[: round(step * 224 / 7)]] = 0
            drops.append(clean - output(explained, row, image))
        assert got.score[row].item() == pytest.approx(np.mean(drops), abs=1e-12)


def test_road_equals_the_definition(explained: Explained) -> None:
    metric = Road(shares=(0.2, 0.6))
    got = metric.measure(explained)
    for row in range(3):
        alone, gaps = explained.select([row]), []
        order = ranks(alone.heatmaps)[0]
        for share in metric.shares:
            noise = 0.01 * alone.rng.of("imputation").normal((3, 16, 14), alone.images, share)
            shown = []
            for missing in (order > 223 - round(share * 224), order < round(share * 224)):
                filled = linear_imputation(alone.images, missing[None]) + noise
                shown.append(output(explained, row, torch.where(missing, filled, alone.images)[0].numpy()))
            gaps.append(shown[0] - shown[1])
        np.testing.assert_allclose(got.curve[row].numpy(), gaps, atol=1e-9)
        assert got.score[row].item() == pytest.approx(np.mean(gaps))


def test_sensitivity_n_equals_the_definition(explained: Explained) -> None:
    metric = SensitivityN(shares=(0.1, 0.4), samples=9)
    got = metric.measure(explained)
    for row in range(3):
        pixels = explained.attributions[row].sum(0).numpy()
        for point, share in enumerate(metric.shares):
            pairs = []
            for sample in range(9):
                own = explained.select([row]).rng.of("sets").uniform((16, 14), DOUBLES, sample)[0].numpy()
                inside = own >= np.sort(own, axis=None)[-round(share * 224)]
                drop = output(explained, row, explained.images[row].numpy(), False)
                drop -= output(explained, row, explained.images[row].numpy() * ~inside, False)
                pairs.append((pixels[inside].sum(), drop))
            assert got.curve[row, point].item() == pytest.approx(np.corrcoef(np.array(pairs).T)[0, 1], abs=1e-9)


def test_attributions_of_a_linear_network_are_sensitive_to_every_n_and_faithful(explained: Explained) -> None:
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 14, 5)).double()
    network = replace(explained.network, module=linear)
    clean = network.logits(explained.images).detach()
    weights = linear[1].weight[explained.targets].reshape(explained.images.shape).detach()
    exact = replace(explained, network=network, clean=clean, attributions=weights * explained.images)
    np.testing.assert_allclose(SensitivityN().measure(exact).score.numpy(), 1, atol=1e-9)
    for protocol in ("scaled", "yeh2019"):
        np.testing.assert_allclose(Infidelity(protocol).measure(exact).score.numpy(), 0, atol=1e-9)


def test_infidelity_equals_the_definition(explained: Explained) -> None:
    plain = Infidelity("yeh2019", side=0.3, samples=12).measure(explained).score
    scaled = Infidelity("scaled", side=0.3, samples=12).measure(explained).score
    for row in range(3):
        pixels, image = explained.attributions[row].sum(0).numpy(), explained.images[row].numpy()
        sums, drops = [], []
        for sample in range(12):
            draw = explained.select([row]).rng.of("squares").uniform((2,), DOUBLES, sample)[0].numpy()
            top, left = (draw * [16 - 5 + 1, 14 - 4 + 1]).astype(int)
            inside = np.zeros((16, 14), bool)
            inside[top : top + 5, left : left + 4] = True
            sums.append(pixels[inside].sum())
            drops.append(output(explained, row, image, False) - output(explained, row, image * ~inside, False))
        sums, drops = np.array(sums), np.array(drops)
        assert plain[row].item() == pytest.approx(((sums - drops) ** 2).mean())
        best = (sums * drops).sum() / (sums**2).sum()
        assert scaled[row].item() == pytest.approx(((best * sums - drops) ** 2).mean() / (drops**2).mean())


def test_irof_equals_the_definition(explained: Explained) -> None:
    got = Irof(segments=20).measure(explained)
    assert got.curve.shape == (3, 51)
    for row in range(3):
        image, heat = explained.images[row].numpy(), explained.heatmaps[row].numpy()
        regions = np.unique(slic(image.clip(0, 1).transpose(1, 2, 0), n_segments=20), return_inverse=True)[1].reshape(
            16, 14
        )
        means = [heat[regions == region].mean() for region in range(regions.max() + 1)]
        shown, clean = image.copy(), output(explained, row, image)
        curve = [1.0]
        for region in np.argsort(means)[::-1]:
            shown[:, regions == region] = image.mean((1, 2))[:, None]
            curve.append(output(explained, row, shown) / clean)
        area = np.convolve(curve, [0.5, 0.5], mode="valid").mean()
        assert got.score[row].item() == pytest.approx(1 - area, abs=1e-12)
        expected = np.interp(np.linspace(0, len(curve) - 1, 51), np.arange(len(curve)), curve)
        np.testing.assert_allclose(got.curve[row].numpy(), expected, atol=1e-12)
