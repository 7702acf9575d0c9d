"""Viewings by themselves against a loop over the definition, and places between centre bias and other people."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from bench.errors import HeatmarkError
from bench.functional.truth_maps import gaze_map
from bench.metrics.agreement.cc import Cc
from bench.metrics.agreement.nss import Nss
from bench.results.result_set import SCHEMAS, Results
from bench.runner.gaze_ceiling import places
from bench.scoring.viewings import ceiling
from tests.support.maps import explained_by_maps

RNG = np.random.default_rng(0)


def viewings(*numbers: int) -> torch.Tensor:
    """Three fixations in each of these viewings, on 20 x 24 pixels."""
    rows = [[RNG.uniform(0, 24), RNG.uniform(0, 20), RNG.uniform(100, 400), v] for v in numbers for _ in range(3)]
    return torch.tensor(rows)


@pytest.fixture(scope="module")
def explained():
    maps = torch.from_numpy(RNG.standard_normal((3, 20, 24)))
    fixations = (viewings(1, 2, 3), viewings(2, 5), viewings(4))
    truth = torch.stack([gaze_map(own, 20, 24) for own in fixations])
    return explained_by_maps(maps, truth=truth, fixations=fixations)


def nss(heatmap: np.ndarray, points: np.ndarray) -> float:
    standard = (heatmap - heatmap.mean()) / heatmap.std()
    return float(np.mean([standard[int(y), int(x)] for x, y, *_ in points]))


def cc(heatmap: np.ndarray, points: np.ndarray) -> float:
    return float(
        np.corrcoef(heatmap.ravel(), gaze_map(torch.from_numpy(points), 20, 24).double().numpy().ravel())[0, 1]
    )


@pytest.mark.parametrize(("metric", "slow"), [(Nss(viewings="each"), nss), (Cc(viewings="each"), cc)])
def test_each_viewing_counts_alike(metric, slow, explained) -> None:
    got = metric.measure(explained).score
    own = metric.protocol if isinstance(metric, Nss) else None
    pooled = Nss(own, "pooled") if own else Cc()
    tops = ceiling(explained, lambda part: pooled.score(part).score)
    for row, points in enumerate(part.numpy() for part in explained.fixations):
        scores, others = [], []
        for viewing in np.unique(points[:, 3]):
            alone, rest = points[points[:, 3] == viewing], points[points[:, 3] != viewing]
            scores.append(slow(explained.heatmaps[row].numpy(), alone))
            if len(rest):
                others.append(slow(gaze_map(torch.from_numpy(rest), 20, 24).double().numpy(), alone))
        assert got[row].item() == pytest.approx(np.mean(scores), abs=1e-5)
        if others:
            assert tops[row].item() == pytest.approx(np.mean(others), abs=1e-4)
        else:
            assert tops[row].isnan()


def test_a_score_does_not_depend_on_who_looked_at_other_images(explained) -> None:
    for metric in (Nss(viewings="each"), Cc(viewings="each")):
        alone = metric.measure(explained.select([1])).score
        torch.testing.assert_close(alone, metric.measure(explained).score[1:2], rtol=0, atol=1e-12)
    blind = replace(explained, fixations=(explained.fixations[0], torch.empty(0, 4), explained.fixations[2]))
    assert Nss(viewings="each").measure(blind).status == ("ok", "no fixations", "ok")


def results(means: dict[str, float]) -> Results:
    noise = np.random.default_rng(1).normal(0, 0.2, 400)
    rows = [
        {"metric": "nss(viewings=each)", "attribution": name, "image": f"{i:03}", "score": mean + noise[i]}
        for name, mean in means.items()
        for i in range(400)
    ]
    empty = {name: pd.DataFrame(columns=SCHEMAS[name].names) for name in SCHEMAS}
    return Results(**{**empty, "scores": pd.DataFrame(rows)}, manifest={})


def test_places_lie_between_floor_and_ceiling() -> None:
    tops = pd.DataFrame({"nss(viewings=each)": 3.0 + np.random.default_rng(2).normal(0, 0.3, 400)})
    tops.index = [f"{i:03}" for i in range(400)]
    tops.iloc[7] = np.nan
    table = places(results({"centre": 1.0, "half": 2.0, "below": 0.5}), tops).set_index("attribution")
    assert table.place["half"] == pytest.approx(0.5, abs=0.03)
    assert table.place["centre"] == 0
    assert table.place["below"] == pytest.approx(-0.25, abs=0.03)
    assert (table.low <= table.place).all()
    assert (table.place <= table.high).all()
    assert table.low["half"] < 0.5 < table.high["half"]
    assert (table.images == 399).all()


def test_no_centre_no_place() -> None:
    with pytest.raises(HeatmarkError, match="no attribution 'centre'"):
        places(results({"half": 2.0}), pd.DataFrame({"nss(viewings=each)": [3.0]}, index=["000"]))
