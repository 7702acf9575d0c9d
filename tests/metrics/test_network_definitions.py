"""Metrics over several networks against slow versions, with networks that are not trained but made up."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from bench.api import Compared, Explained, Network, NetworkMetric, Removal
from bench.api.randomness import generator
from bench.checks import small_network, small_request
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.diff_roar import DiffRoar
from bench.metrics.faithfulness.roar import Roar
from bench.metrics.robustness.training_stability import TrainingStability
from bench.scoring.measure import explained_by

COUNT = 24


def made_up(*key: object) -> Network:
    """The tiny network with other weights, and so with other answers and other maps."""
    network, rng = small_network(), generator(*key)
    with torch.no_grad():
        for weights in network.module.parameters():
            weights.copy_(torch.from_numpy(rng.standard_normal(weights.shape)))
    return replace(network, module=nn.Sequential(network.module, nn.BatchNorm1d(5, affine=False).double()).eval())


@dataclass(frozen=True)
class MadeUp:
    """A retrainer whose networks are decided by what they would have been trained on."""

    def without(self, removal: Removal) -> Network:
        return made_up("without", removal.share, removal.first)

    def on_half(self, half: int) -> Network:
        return made_up("half", half)


def explained(network: Network) -> Explained:
    request = small_request(COUNT)
    return explained_by(SimpleGradient(), network, request, network.logits(request.images).detach())


@pytest.fixture(scope="module")
def compared() -> Compared:
    outputs = torch.from_numpy(generator("outputs").integers(0, 5, COUNT))
    return Compared(tuple(explained(made_up("seed", seed)) for seed in range(3)), outputs, MadeUp())


def right(compared: Compared, row: int, share: float, first: str) -> float:
    """Is the network right that has seen no image with these pixels, `share` of all, about this one without them."""
    of = compared.explained[0]
    order = np.argsort(of.heatmaps[row].numpy(), axis=None)
    gone = order[-round(share * 256) :] if first == "highest" else order[: round(share * 256)]
    shown = of.images[row].numpy().copy()
    shown.reshape(3, -1)[:, gone] = 0
    logits = MadeUp().without(Removal(share, first)).logits(torch.from_numpy(shown)[None])
    return float(logits.argmax() == compared.outputs[row])


def test_diff_roar_equals_the_definition(compared: Compared) -> None:
    got = DiffRoar((0.1, 0.4)).measure(compared)
    for row in range(COUNT):
        gaps = [right(compared, row, 1 - s, "lowest") - right(compared, row, 1 - s, "highest") for s in (0.1, 0.4)]
        assert got.curve[row].tolist() == gaps
        assert got.score[row].item() == pytest.approx(np.mean(gaps))
    assert got.curve.unique().tolist() == [-1, 0, 1]


def test_roar_equals_the_definition(compared: Compared) -> None:
    got = Roar((0.2, 0.7)).measure(compared)
    for row in range(COUNT):
        expected = [right(compared, row, share, "highest") for share in (0.2, 0.7)]
        assert got.curve[row].tolist() == expected
        assert got.score[row].item() == pytest.approx(np.mean(expected))
    assert got.curve.unique().tolist() == [0, 1]


def test_stability_across_seeds_and_halves_equals_the_definition(compared: Compared) -> None:
    seeds, halves = (TrainingStability(across).measure(compared) for across in ("seeds", "halves"))
    first, *others = (of.heatmaps for of in compared.explained)
    of_halves = [explained(made_up("half", half)).heatmaps for half in (0, 1)]
    for row in range(COUNT):
        expected = [spearmanr(first[row].flatten(), maps[row].flatten()).statistic for maps in others]
        np.testing.assert_allclose(seeds.curve[row].numpy(), expected, atol=1e-9)
        assert seeds.score[row].item() == pytest.approx(np.mean(expected))
        one, other = (maps[row].flatten() for maps in of_halves)
        assert halves.score[row].item() == pytest.approx(spearmanr(one, other).statistic, abs=1e-9)


@pytest.mark.parametrize("metric", [DiffRoar(), Roar(), TrainingStability(), TrainingStability("halves")], ids=str)
@pytest.mark.parametrize("level", [0.0, 0.1, -3.0])
def test_constant_maps_are_scored_as_what_they_are(metric: NetworkMetric, level: float, compared: Compared) -> None:
    flat = torch.full_like(compared.explained[0].heatmaps, level)
    maps = tuple(
        replace(of, heatmaps=flat, attributions=flat[:, None].expand(-1, 3, -1, -1)) for of in compared.explained
    )
    scored = metric.measure(replace(compared, explained=maps))
    low, high = metric.range
    assert scored.status == ("ok",) * COUNT
    assert ((scored.score >= low) & (scored.score <= high)).all()
    if metric == TrainingStability():
        assert not scored.score.any()  # a constant map correlates with nothing


@pytest.mark.parametrize("metric", [DiffRoar(), Roar(), TrainingStability(), TrainingStability("halves")], ids=str)
def test_company_and_order_change_nothing(metric: NetworkMetric, compared: Compared) -> None:
    whole = metric.measure(compared).score
    rows = [7, 0, 19, 3]
    torch.testing.assert_close(metric.measure(compared.select(rows)).score, whole[rows], rtol=0, atol=1e-12)
