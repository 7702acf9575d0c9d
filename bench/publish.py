"""Result sets for others to see: what may be handed on."""

from dataclasses import replace

from bench.store import Results


def redistributable(results: Results) -> Results:
    """The results without pictures that are not ours to hand on.

    All of them where the data set's images may be handed on. Elsewhere images and truths go, and the heatmaps of
    controls, since those may be drawn from the image alone; the methods' heatmaps and every number stay.
    """
    manifest, heatmaps = results.manifest, results.heatmaps
    if manifest["dataset"]["redistributable"]:
        return results
    controls = [label for label, card in manifest["attributions"].items() if card["control"]]
    kept = heatmaps.kind.eq("heatmap") & ~heatmaps.attribution.isin(controls)
    return replace(results, heatmaps=heatmaps[kept].reset_index(drop=True))
