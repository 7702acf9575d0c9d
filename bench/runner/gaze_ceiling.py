"""Where heatmaps stand between centre bias and other people: `python -m bench.runner.gaze_ceiling SUITE FOLDER`.

For the metrics of a result set that score each viewing by itself (`viewings = "each"`). The floor is what a Gaussian at
the centre of the image scores, the ceiling what the gaze of the other viewings scores against each viewing.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from bench.api import Explained, ImageRandom, Metric, Network, Request
from bench.data.batches import batches
from bench.errors import HeatmarkError
from bench.files import write_whole
from bench.progress import progress
from bench.results.result_set import Results, read_results
from bench.runner.networks import NetworkLoader
from bench.scoring.viewings import ceiling
from bench.statistics.means import resampled
from bench.suites.load import Suite, load_suite

FLOOR = "centre"
RESAMPLES = 10_000
CPU = torch.device("cpu")


def ceilings(suite: Suite, network: Network, split: str, images: list[str]) -> pd.DataFrame:
    """The inter-observer ceiling of each metric with `viewings`, a row per image and a column per metric."""
    metrics: list[Any] = [metric for metric in suite.metrics if metric.settings.get("viewings") == "each"]
    position = {image: number for number, image in enumerate(suite.dataset.ids(split))}
    rows = []
    for batch in batches(suite.dataset, split, [position[image] for image in images], 16, network, CPU):
        rng = ImageRandom(0, "ceiling", batch.ids)
        request = Request(batch.images, batch.outputs, rng, batch.truth)
        blank = batch.images[:, 0] * 0
        own = Explained(network, request, suite.attributions[0], blank[:, None], blank, blank, rng, batch.fixations)
        columns = {metric.label: _ceiling(replace(metric, viewings="pooled"), own) for metric in metrics}
        rows.append(pd.DataFrame(columns, index=list(batch.ids)))
    return pd.concat(rows)


def places(results: Results, tops: pd.DataFrame) -> pd.DataFrame:
    """A row per attribution and metric: mean, floor, ceiling, and the place between them with its 95% interval.

    The place is that of the means, 0 at the floor and 1 at the ceiling; images are resampled (percentiles of the
    bootstrap). Images without a ceiling or a score are left out; `images` says how many are left.
    """
    rows = []
    for metric in tops:
        own = results.scores[results.scores.metric == metric]
        table = own.pivot_table("score", "image", "attribution", observed=True).assign(ceiling=tops[metric]).dropna()
        if FLOOR not in table:
            raise HeatmarkError(f"the result set has no attribution {FLOOR!r}, which is the floor of gaze")
        draws = resampled(np.random.default_rng(0), RESAMPLES, len(table)) / len(table)
        for name in table.columns.drop("ceiling"):
            three = table[[name, FLOOR, "ceiling"]].to_numpy()
            low, high = np.quantile(_place(draws @ three), (0.025, 0.975))
            mean, floor, top = three.mean(0)
            rows.append((metric, name, mean, floor, top, _place(three.mean(0)[None])[0], low, high, len(table)))
    names = ["metric", "attribution", "mean", "floor", "ceiling", "place", "low", "high", "images"]
    return pd.DataFrame(rows, columns=names).sort_values(["metric", "place"], ascending=[True, False])


def _ceiling(metric: Metric, explained: Explained) -> NDArray[np.float64]:
    values: NDArray[np.float64] = ceiling(explained, lambda own: metric.score(own).score).double().numpy()
    return values


def _place(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return (means[:, 0] - means[:, 1]) / (means[:, 2] - means[:, 1])


def main(suite_name: str, folder: Path) -> None:
    """Write places.csv into a result set."""
    suite, results = load_suite(suite_name, allow_code=True), read_results(folder)  # whose networks it never loads
    split = suite.table.dataset.split or suite.dataset.splits[-1]
    with progress() as bars:
        network = NetworkLoader.of(suite, 0, folder, CPU, bars).load()[0].network
        tops = ceilings(suite, network, split, sorted(results.scores.image.unique()))
    write_whole(folder / "places.csv", places(results, tops).to_csv(index=False, float_format="%.4f").encode())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
