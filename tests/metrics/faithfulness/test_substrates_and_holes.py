"""R-OMS, ARCC, F-Fidelity and sufficiency against slow versions of the papers' formulas, in numpy, image by image."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from bench.api import Explained, ImageMetric, UnsupportedError
from bench.checks import small_network, small_request
from bench.methods.attributions.input_x_gradient import InputXGradient
from bench.methods.attributions.oracle import Oracle
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.arcc import Arcc
from bench.metrics.faithfulness.f_fidelity import FFidelity
from bench.metrics.faithfulness.r_oms import ROms
from bench.metrics.faithfulness.sufficiency import Sufficiency
from bench.scoring.measure import explained_by, measure
from tests.support.direct_imputation import solved

SIDE = 16
PIXELS = SIDE**2
DOUBLES = torch.empty(0, dtype=torch.float64)


@pytest.fixture(scope="module")
def explained() -> Explained:
    network, request = small_network(), small_request()
    # Surer, and so with larger changes.
    network.module[-1].weight.data *= 8
    clean = network.logits(request.images).detach()
    return explained_by(InputXGradient(), network, replace(request, targets=clean.argmax(1)), clean)


def logits(of: Explained, image: np.ndarray) -> np.ndarray:
    return of.network.logits(torch.from_numpy(image)[None]).detach().numpy()[0]


def probability(of: Explained, image: np.ndarray) -> float:
    own = np.exp(logits(of, image) - logits(of, image).max())
    return float((own / own.sum())[of.targets[0]])


def draws(of: Explained, purpose: str, shape: tuple[int, ...], draw: object = 0) -> np.ndarray:
    return of.rng.of(purpose).uniform(shape, DOUBLES, draw)[0].numpy()


def cells(rows: int) -> np.ndarray:
    """The number of each pixel's cell."""
    down = np.arange(SIDE) * rows // SIDE
    return down[:, None] * rows + down


def r_oms(of: Explained) -> float:
    image = of.images[0].numpy()
    turns = np.argsort(np.argsort(-draws(of, "cells", (16,))))[cells(4)]
    order = np.argsort(turns, axis=None, kind="stable")
    curve = []
    for step in range(6):
        shown = image.copy().reshape(3, -1)
        shown[:, order[: round(step * PIXELS / 5)]] = image.min()
        curve.append(probability(of, shown.reshape(image.shape)))
    return float(np.trapezoid(curve) / 5)


def arcc(of: Explained) -> float:
    image, heat = of.images[0].numpy(), of.heatmaps[0].numpy()
    scaled = (heat - heat.min()) / (heat.max() - heat.min())
    again = of.explain_again(torch.from_numpy(image * scaled)[None])[0].numpy()
    coherency = (pearsonr(heat.ravel(), again.ravel()).statistic + 1) / 2
    rank, gaps = np.argsort(np.argsort(heat, axis=None)).reshape(heat.shape), []
    for share in (0.2, 0.4, 0.6, 0.8):
        count = round(share * PIXELS)
        lowest, highest = (solved(image, missing) for missing in (rank < count, rank >= PIXELS - count))
        gaps.append(probability(of, lowest) - probability(of, highest))
    parts = [coherency, 1 - scaled.mean(), max(0.0, np.mean(gaps))]
    return 3 / sum(1 / part for part in parts) if min(parts) > 0 else 0.0


def f_fidelity(of: Explained) -> float:
    image, heat, grid = of.images[0].numpy(), of.heatmaps[0].numpy(), cells(5)
    ranked = sorted(range(25), key=lambda cell: -heat[grid == cell].mean())
    gaps = []
    for size in (0.2, 0.6):
        explanation, rest = ranked[: round(size * 25)], ranked[round(size * 25) :]
        plus, minus = [], []
        for part, falls in ((explanation, plus), (rest, minus)):
            # .5 of the part, .2 of all 25 cells at most.
            count = min(round(0.5 * len(part)), 5)
            for sample in range(4):
                drawn = draws(of, "holes", (1, 25), sample)[0]
                gone = sorted(part, key=lambda cell, drawn=drawn: -drawn[cell])[:count]
                shown = np.where(np.isin(grid, gone), 0.0, image)
                falls.append(probability(of, image) - probability(of, shown))
        gaps.append(np.mean(plus) - np.mean(minus))
    return float(np.mean(gaps))


def sufficiency(of: Explained) -> float:
    image, heat, pool = of.images[0].numpy(), of.heatmaps[0].numpy(), of.request.references.numpy()
    kept = heat >= np.sort(heat, axis=None)[-round(0.1 * PIXELS)]
    shown = [np.where(kept, image, pool[int(draw * len(pool))]) for draw in draws(of, "references", (12,))]
    same = [logits(of, own).argmax() == logits(of, image).argmax() for own in shown]
    return float(np.mean(same))


CASES: list[tuple[ImageMetric, Callable[[Explained], float]]] = [
    (ROms(rows=4, steps=5, substrate="darkest"), r_oms),
    (Arcc(noise=0.0), arcc),
    (FFidelity(rows=5, sizes=(0.2, 0.6), most=0.2, samples=4), f_fidelity),
    (Sufficiency(share=0.1, samples=12), sufficiency),
]


@pytest.mark.parametrize(("metric", "slow"), CASES, ids=lambda part: getattr(part, "name", ""))
def test_it_equals_the_definition(
    metric: ImageMetric, slow: Callable[[Explained], float], explained: Explained
) -> None:
    (scored,) = measure([(metric, explained)])
    assert scored.status == ("ok",) * 3
    expected = [slow(explained.select([row])) for row in range(3)]
    np.testing.assert_allclose(scored.score.numpy(), expected, rtol=0, atol=1e-6)
    assert any(expected)


def test_how_reliable_a_substrate_is_does_not_hang_on_the_map(explained: Explained) -> None:
    other = explained_by(SimpleGradient(), explained.network, explained.request, explained.clean)
    one, same = measure([(ROms(), explained), (ROms(), other)])
    torch.testing.assert_close(one.score, same.score, rtol=0, atol=0)
    assert ROms().is_property
    scores = [measure([(ROms(substrate=name), explained)])[0].score for name in ("zeros", "rise_blur")]
    assert (scores[0] != scores[1]).all()


def test_a_map_of_reversed_order_has_no_road_and_so_no_arcc(explained: Explained) -> None:
    (own,) = measure([(Arcc(), explained)])
    (reversed_,) = measure([(Arcc(), replace(explained, heatmaps=-explained.heatmaps))])
    assert ((own.curve[:, 2] == 0) | (reversed_.curve[:, 2] == 0)).all()
    assert (reversed_.score[own.curve[:, 2] > 0] == 0).all()


def test_holes_tell_the_cell_that_decides_from_all_others(explained: Explained) -> None:
    """A network that reads one cell alone, a map that shows it, and one that shows everything but it."""
    truth = torch.zeros(3, SIDE, SIDE, dtype=torch.float64)
    truth[:, 4:8, 4:8] = 1

    class Reading(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen = images[:, :, 4:8, 4:8].abs().mean((1, 2, 3))
            return torch.stack([20 * seen, torch.ones_like(seen)], 1)

    network = replace(explained.network, module=Reading())
    request = replace(explained.request, targets=torch.zeros(3, dtype=torch.int64), truth=truth)
    right = explained_by(Oracle(), network, request, network.logits(request.images))
    wrong = replace(right, heatmaps=-right.heatmaps)
    good, bad = (measure([(FFidelity(), own)])[0].score for own in (right, wrong))
    assert (good > 0.05).all()
    assert (bad < -0.05).all()


def test_without_other_images_nothing_is_pasted(explained: Explained) -> None:
    alone = replace(explained, request=replace(explained.request, references=None))
    with pytest.raises(UnsupportedError, match="needs reference images"):
        Sufficiency().measure(alone)
