"""Metrics that take parts of an image away against slow versions of the papers' formulas, in numpy, image by image."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr

from bench.api import Explained, ImageMetric
from bench.checks import small_network, small_request
from bench.methods.attributions.input_x_gradient import InputXGradient
from bench.metrics.faithfulness.adcc import Adcc
from bench.metrics.faithfulness.average_drop import AverageDrop
from bench.metrics.faithfulness.average_gain import AverageGain
from bench.metrics.faithfulness.average_increase import AverageIncrease
from bench.metrics.faithfulness.faithfulness_correlation import FaithfulnessCorrelation
from bench.metrics.faithfulness.faithfulness_estimate import FaithfulnessEstimate
from bench.metrics.faithfulness.monotonicity import Monotonicity
from bench.metrics.faithfulness.monotonicity_correlation import MonotonicityCorrelation
from bench.metrics.faithfulness.mu_fidelity import MuFidelity
from bench.metrics.faithfulness.region_perturbation import RegionPerturbation
from bench.metrics.faithfulness.saco import Saco
from bench.metrics.faithfulness.selectivity import Selectivity
from bench.metrics.faithfulness.single_deletion import SingleDeletion
from bench.metrics.faithfulness.srg import Srg
from bench.scoring.measure import explained_by, measure

HEIGHT, WIDTH = 16, 14
PIXELS = HEIGHT * WIDTH
DOUBLES = torch.empty(0, dtype=torch.float64)


@pytest.fixture(scope="module")
def explained() -> Explained:
    network, request = small_network(), small_request(height=HEIGHT, width=WIDTH)
    # Surer, and so with larger changes.
    network.module[-1].weight.data *= 8
    clean = network.logits(request.images).detach()
    # The last is asked about the class that it speaks against most, whose probability rises without it.
    blank = network.logits(torch.zeros_like(request.images)).detach()
    targets = torch.cat([clean.argmax(1)[:2], (blank.softmax(1) - clean.softmax(1)).argmax(1)[2:]])
    return explained_by(InputXGradient(), network, replace(request, targets=targets), clean)


def output(of: Explained, image: np.ndarray, probability: bool = True) -> float:
    logits = of.network.logits(torch.from_numpy(image)[None]).detach().numpy()[0]
    chances = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    return float((chances if probability else logits)[of.targets[0]])


def parts(of: Explained) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return of.images[0].numpy(), of.heatmaps[0].numpy(), of.attributions[0].numpy().sum(0)


def filled(image: np.ndarray, flat: np.ndarray, value: np.ndarray | float = 0.0) -> np.ndarray:
    """The image with these flat positions put to a value, or to those of another image."""
    shown = image.copy().reshape(3, -1)
    shown[:, flat] = value.reshape(3, -1)[:, flat] if isinstance(value, np.ndarray) else value
    return shown.reshape(image.shape)


def groups(heat: np.ndarray, count: int) -> list[np.ndarray]:
    """Flat positions of groups by rank, the highest first."""
    order, edges = np.argsort(-heat, axis=None), [int(np.ceil(k * PIXELS / count)) for k in range(count + 1)]
    return [order[low:high] for low, high in pairwise(edges)]


def cells(rows: int) -> list[np.ndarray]:
    """Flat positions of the cells of a grid, line by line."""
    down, across = (np.arange(size) * rows // size for size in (HEIGHT, WIDTH))
    places = np.arange(PIXELS).reshape(HEIGHT, WIDTH)
    return [places[np.ix_(down == row, across == column)].ravel() for row in range(rows) for column in range(rows)]


def draws(of: Explained, purpose: str, shape: tuple[int, ...], count: int) -> list[np.ndarray]:
    return [of.rng.of(purpose).uniform(shape, DOUBLES, sample)[0].numpy() for sample in range(count)]


def noise(of: Explained, draw: np.ndarray) -> np.ndarray:
    image = of.images[0].numpy()
    return image.min() + (image.max() - image.min()) * draw


def saco(of: Explained) -> float:
    image, heat, _ = parts(of)
    own, clean = groups(heat, 10), output(of, image)
    mean = np.broadcast_to(image.mean((1, 2), keepdims=True), image.shape)
    falls = [clean - output(of, filled(image, flat, mean)) for flat in own]
    salience = [heat.ravel()[flat].sum() for flat in own]
    kept, total = 0.0, 0.0
    for i in range(10):
        for j in range(i + 1, 10):
            weight = (salience[i] - salience[j]) * (1 if falls[i] >= falls[j] else -1)
            kept, total = kept + weight, total + abs(weight)
    return kept / total


def single_deletion(of: Explained) -> float:
    image, _, signed = parts(of)
    falls = [output(of, image, False) - output(of, filled(image, flat), False) for flat in cells(4)]
    return float(spearmanr([signed.ravel()[flat].sum() for flat in cells(4)], falls).statistic)


def seen(of: Explained) -> np.ndarray:
    image, heat, _ = parts(of)
    return image * (heat - heat.min()) / (heat.max() - heat.min())


def drop(of: Explained) -> float:
    clean = output(of, parts(of)[0])
    return max(0.0, clean - output(of, seen(of))) / clean


def gain(of: Explained) -> float:
    clean = output(of, parts(of)[0])
    return max(0.0, output(of, seen(of)) - clean) / (1 - clean)


def increase(of: Explained) -> float:
    return float(output(of, seen(of)) > output(of, parts(of)[0]))


def adcc(of: Explained) -> float:
    heat = parts(of)[1]
    again = of.explain_again(torch.from_numpy(seen(of))[None])[0].numpy()
    coherency = (pearsonr(heat.ravel(), again.ravel()).statistic + 1) / 2
    complexity = ((heat - heat.min()) / (heat.max() - heat.min())).mean()
    return float(3 / (1 / coherency + 1 / (1 - complexity) + 1 / (1 - drop(of))))


def mu_fidelity(of: Explained) -> float:
    image, _, signed = parts(of)
    grid, sums, falls = cells(5), [], []
    for draw in draws(of, "sets", (1, 25), 30):
        chosen = np.concatenate([grid[cell] for cell in np.argsort(-draw, axis=None)[:5]])
        sums.append(signed.ravel()[chosen].sum())
        falls.append(output(of, image, False) - output(of, filled(image, chosen), False))
    return float(spearmanr(sums, falls).statistic)


def correlation(of: Explained) -> float:
    image, _, signed = parts(of)
    sums, falls = [], []
    for draw in draws(of, "sets", (HEIGHT, WIDTH), 30):
        chosen = np.argsort(-draw, axis=None)[:40]
        sums.append(signed.ravel()[chosen].sum())
        falls.append(output(of, image, False) - output(of, filled(image, chosen), False))
    return float(pearsonr(sums, falls).statistic)


def estimate(of: Explained) -> float:
    image, heat, _ = parts(of)
    own = groups(heat, 12)
    falls = [output(of, image, False) - output(of, filled(image, flat), False) for flat in own]
    return float(pearsonr([heat.ravel()[flat].sum() for flat in own], falls).statistic)


def monotonicity(of: Explained) -> float:
    image, heat, _ = parts(of)
    order = np.argsort(heat, axis=None)
    curve = [output(of, filled(image, order[round(k * PIXELS / 9) :])) for k in range(10)]
    return float(np.mean(np.diff(curve) >= 0))


def monotonicity_correlation(of: Explained) -> float:
    image, heat, _ = parts(of)
    own, clean = groups(heat, 8), output(of, image)
    fills = [noise(of, draw) for draw in draws(of, "fill", image.shape, 3)]
    unsure = [np.mean([(output(of, filled(image, flat, fill)) - clean) ** 2 for fill in fills]) for flat in own]
    return float(spearmanr([np.abs(heat).ravel()[flat].sum() for flat in own], unsure).statistic)


def ordered_cells(heat: np.ndarray, rows: int) -> list[np.ndarray]:
    return sorted(cells(rows), key=lambda flat: -heat.ravel()[flat].mean())


def selectivity(of: Explained) -> float:
    image, heat, _ = parts(of)
    shown, curve = image, [output(of, image)]
    for flat in ordered_cells(heat, 4):
        shown = filled(shown, flat)
        curve.append(output(of, shown))
    return float(np.trapezoid(curve) / 16)


def region_perturbation(of: Explained) -> float:
    image, heat, _ = parts(of)
    (draw,) = draws(of, "fill", image.shape, 1)
    shown, clean, falls = image, output(of, image), [0.0]
    for flat in ordered_cells(heat, 4)[:6]:
        shown = filled(shown, flat, noise(of, draw))
        falls.append(clean - output(of, shown))
    return float(np.mean(falls))


def srg(of: Explained) -> float:
    image, heat, _ = parts(of)
    order = np.argsort(heat, axis=None)
    gaps = []
    for k in range(8):
        count = round(k * PIXELS / 7)
        lowest = output(of, filled(image, order[:count], image.min()))
        gaps.append(lowest - output(of, filled(image, order[PIXELS - count :], image.min())))
    return float(np.trapezoid(gaps) / 7)


CASES: list[tuple[ImageMetric, Callable[[Explained], float]]] = [
    (Saco(), saco),
    (SingleDeletion(), single_deletion),
    (AverageDrop(), drop),
    (AverageGain(), gain),
    (AverageIncrease(), increase),
    (Adcc(), adcc),
    (MuFidelity(rows=5, samples=30), mu_fidelity),
    (FaithfulnessCorrelation(size=40, samples=30), correlation),
    (FaithfulnessEstimate(groups=12), estimate),
    (Monotonicity(steps=9), monotonicity),
    (MonotonicityCorrelation(groups=8, samples=3), monotonicity_correlation),
    (Selectivity(rows=4), selectivity),
    (RegionPerturbation(rows=4, steps=6), region_perturbation),
    (Srg(steps=7, substrate="darkest"), srg),
]


@pytest.mark.parametrize(("metric", "slow"), CASES, ids=lambda part: getattr(part, "name", ""))
def test_it_equals_the_definition(
    metric: ImageMetric, slow: Callable[[Explained], float], explained: Explained
) -> None:
    (scored,) = measure([(metric, explained)])
    assert scored.status == ("ok",) * 3
    expected = [slow(explained.select([row])) for row in range(3)]
    np.testing.assert_allclose(scored.score.numpy(), expected, rtol=0, atol=1e-6)


def test_the_images_tell_all_of_them_something(explained: Explained) -> None:
    found = np.array([[slow(explained.select([row])) for row in range(3)] for _, slow in CASES])
    assert np.abs(found).max(1).all()


def test_two_orders_cost_twice_the_points_and_share_their_ends(explained: Explained) -> None:
    metric = Srg(steps=10)
    lerf, morf = (replace(metric.plan(HEIGHT, WIDTH), order=order) for order in ("ascending", "descending"))
    assert lerf.counts == morf.counts
    (both,) = measure([(metric, explained)])
    assert both.curve is not None
    assert both.curve[:, [0, -1]].abs().max() == 0
    assert metric.cost(explained.network, explained.request, None).forward == 2 * 9
