"""Result sets with simulated scores, for tests of statistics and reports."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.store import SCHEMAS, Results

METHODS = ("integrated_gradients", "simple_gradient", "smooth_grad")
CONTROLS = ("random_map", "edges", "centre", "oracle")
METRICS = {"deletion": "lower", "insertion": "higher", "pointing_game": "higher"}
GOOD = {"oracle": 0.9, "integrated_gradients": 0.6, "simple_gradient": 0.4, "smooth_grad": 0.4, "random_map": 0.1}


def result_set(
    images: int = 40,
    methods: Sequence[str] = METHODS,
    controls: Sequence[str] = CONTROLS,
    metrics: dict[str, str] = METRICS,
    recipes: Sequence[str] = ("standard",),
    seeds: int = 1,
    rng_seed: int = 0,
) -> Results:
    """A result set in which `integrated_gradients` is best and `simple_gradient` and `smooth_grad` are alike."""
    rng = np.random.default_rng(rng_seed)
    rows = []
    names = [f"image-{number:04d}" for number in range(images)]
    for recipe in recipes:
        for seed in range(seeds):
            difficulty = rng.normal(0, 0.1, images)
            for method in (*methods, *controls):
                for metric, way in metrics.items():
                    score = GOOD.get(method, 0.3) + difficulty + rng.normal(0, 0.1, images)
                    score = (rng.random(images) < score).astype(float) if metric == "pointing_game" else score
                    score = 1 - score if way == "lower" else score
                    rows.append(
                        pd.DataFrame({"image": names, "score": score}).assign(
                            network="small_resnet", recipe=recipe, attribution=method, metric=metric, seed=seed
                        )
                    )
    scores = pd.concat(rows).assign(
        suite="simulated", dataset="planted", protocol="heatmark", target="predicted", status="ok"
    )
    return Results(
        scores=scores[SCHEMAS["scores"].names].reset_index(drop=True),
        curves=pd.DataFrame(columns=SCHEMAS["curves"].names),
        networks=pd.DataFrame(columns=SCHEMAS["networks"].names),
        heatmaps=pd.DataFrame(columns=SCHEMAS["heatmaps"].names),
        manifest=manifest_of(methods, controls, metrics),
    )


def manifest_of(methods: Sequence[str], controls: Sequence[str], metrics: dict[str, str]) -> dict:
    """What a run writes beside such scores."""
    return {
        "suite": "simulated",
        "command": "heatmark run simulated",
        "versions": {"heatmark": "0"},
        "device": "cpu",
        "seed": 0,
        "target": "predicted",
        "dataset": {"label": "planted", "summary": "Simulated scores.", "split": "test", "images": None},
        "metrics": {
            name: {
                "name": name,
                "summary": f"What {name} measures.",
                "question": f"Does {name} hold?",
                "direction": way,
                "range": [0.0, 1.0],
                "chance": None,
                "reference": "",
                "protocol": "heatmark",
                "blind_spot": "",
            }
            for name, way in metrics.items()
        },
        "attributions": {
            name: {
                "name": name,
                "summary": f"What {name} does.",
                "reference": "",
                "control": name in controls,
                "needs_truth": name == "oracle",
            }
            for name in (*methods, *controls)
        },
        "recipes": {},
        "failures": [],
    }
