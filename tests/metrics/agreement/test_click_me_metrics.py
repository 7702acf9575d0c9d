"""Rank correlation and Dice against slow versions of what the authors of ClickMe's benchmark compute."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from bench.api import Explained
from bench.checks import small_network, small_request
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.agreement.dice import Dice
from bench.metrics.agreement.rank_correlation import RankCorrelation
from bench.scoring.measure import explained_by, measure


@pytest.fixture(scope="module")
def explained() -> Explained:
    network, request = small_network(), small_request(4, 17, 13)
    truth = torch.rand(4, 17, 13, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    request = replace(request, truth=truth)
    return explained_by(SimpleGradient(), network, request, network.logits(request.images).detach())


def scores(metric, explained: Explained) -> np.ndarray:
    (scored,) = measure([(metric, explained)])
    return scored.score.numpy()


def test_rank_correlation_is_spearmans_over_the_ceiling(explained: Explained) -> None:
    pairs = zip(explained.heatmaps.flatten(1).numpy(), explained.truth.flatten(1).numpy(), strict=True)
    slow = np.array([spearmanr(own, truth).statistic for own, truth in pairs])
    np.testing.assert_allclose(scores(RankCorrelation(), explained), slow, atol=1e-9)
    np.testing.assert_allclose(scores(RankCorrelation(ceiling=0.65753), explained), slow / 0.65753, atol=1e-9)
    own = replace(explained, heatmaps=explained.truth)
    np.testing.assert_allclose(scores(RankCorrelation(ceiling=0.5), own), 2)
    assert RankCorrelation(ceiling=0.5).bounds == (-2, 2)


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_dice_is_that_of_the_maps_above_their_percentiles(explained: Explained, share: float) -> None:
    slow = []
    for own, truth in zip(explained.heatmaps.numpy(), explained.truth.numpy(), strict=True):
        above = [values > np.percentile(values, 100 - 100 * share) for values in (own, truth)]
        slow.append(2 * (above[0] & above[1]).sum() / (above[0].sum() + above[1].sum()))
    np.testing.assert_allclose(scores(Dice(share=share), explained), slow, atol=1e-12)
    np.testing.assert_allclose(scores(Dice(share=share), replace(explained, heatmaps=explained.truth)), 1)


def test_a_constant_map_scores_chance(explained: Explained) -> None:
    flat = replace(explained, heatmaps=torch.ones_like(explained.heatmaps))
    np.testing.assert_allclose(scores(RankCorrelation(), flat), 0)
    np.testing.assert_allclose(scores(Dice(), flat), 0.1, atol=0.01)


@pytest.mark.parametrize("make", [lambda: RankCorrelation(ceiling=0), lambda: Dice(share=1.5)])
def test_settings_out_of_range_are_refused(make) -> None:
    with pytest.raises(ValueError, match="expected a"):
        make()
