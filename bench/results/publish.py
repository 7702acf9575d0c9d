"""Result sets for others to see: what may be passed on, and as small as it is."""

from dataclasses import replace

import numpy as np

from bench.results.result_set import Results

DECIMALS = 3


def publishable(results: Results) -> Results:
    """The results without pictures that are not free to pass on, the points of curves to three decimals.

    All pictures stay where the manifest says that the data set's images may be passed on. Elsewhere images and
    truths go, and the heatmaps of controls, since those may be drawn from the image alone; the methods' heatmaps and
    every score stay.
    """
    manifest, heatmaps, curves = results.manifest, results.heatmaps, results.curves
    curves = curves.assign(curve=curves.curve.map(lambda points: np.round(points, DECIMALS)))
    if not manifest["dataset"].get("redistributable", False):
        controls = [label for label, card in manifest["attributions"].items() if card["control"]]
        kept = heatmaps.kind.isin(["heatmap", "ranks"]) & ~heatmaps.attribution.isin(controls)
        heatmaps = heatmaps[kept].reset_index(drop=True)
    return replace(results, curves=curves, heatmaps=heatmaps)
