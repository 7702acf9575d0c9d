"""Result sets with simulated scores, for tests of statistics and reports."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from PIL import Image

from bench.results.result_set import SCHEMAS, Results

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
    scores = scores[SCHEMAS["scores"].names].reset_index(drop=True)
    return Results(
        scores=scores,
        curves=_curves(scores),
        networks=_networks(recipes, seeds),
        heatmaps=_heatmaps(scores, names[:4]),
        manifest=manifest_of(methods, controls, metrics),
    )


SCRIPT = "<script>alert(1)</script>"


def hostile(images: int) -> Results:
    """Everything that may go wrong at once: names that are scripts, an entry all of whose cells failed, a metric
    without variance, another without scores, no truth and no floor.
    """
    methods, metrics = ("integrated_gradients", "failing", SCRIPT), {"deletion": "lower", SCRIPT: "higher"}
    results = result_set(images, methods, ("edges",), metrics | {"constant": "higher", "silent": "higher"})
    scores = results.scores
    scores.loc[scores.metric.eq("constant"), "score"] = 0.5
    failed = scores.attribution.eq("failing") | scores.metric.eq("silent")
    scores.loc[failed, ["score", "status"]] = [np.nan, f"failed: {SCRIPT}"]
    names = scores.image + SCRIPT
    curves = results.curves[~results.curves.attribution.eq("failing")]
    heatmaps = results.heatmaps[results.heatmaps.kind.ne("truth")]
    results.manifest["suite"] = results.manifest["command"] = SCRIPT
    return replace(
        results,
        scores=scores.assign(image=names, network=SCRIPT),
        curves=curves.assign(image=curves.image + SCRIPT, network=SCRIPT),
        networks=results.networks.assign(network=SCRIPT),
        heatmaps=heatmaps.assign(image=heatmaps.image + SCRIPT, network=SCRIPT),
    )


def large(entries: int, metrics: int, images: int, recipes: int = 1) -> Results:
    """Scores alone, as many as of a large board; every method, metric and image has an effect of its own.

    With several `recipes`, as many networks share the entries out among them.
    """
    rng = np.random.default_rng(0)
    each = entries // recipes
    methods = [f"method_{number:02d}" for number in range(each - len(CONTROLS))]
    ways = {f"metric_{number:02d}": "lower" if number % 2 else "higher" for number in range(metrics)}
    shape = (entries, metrics, images)
    effects = rng.normal(0, 0.1, (entries, metrics, 1)) + rng.normal(0, 0.5, (1, metrics, images))
    entry, metric, image = np.unravel_index(np.arange(entries * metrics * images), shape)
    trained = [f"recipe_{number}" for number in range(recipes)]
    named = {
        "recipe": (entry // each, trained),
        "attribution": (entry % each, [*methods, *CONTROLS]),
        "metric": (metric, list(ways)),
        "image": (image, [f"image-{number:05d}" for number in range(images)]),
    }
    columns = {name: pd.Categorical.from_codes(codes, names) for name, (codes, names) in named.items()}
    said = {"suite": "large", "dataset": "planted", "network": "small_resnet"}
    said |= {"protocol": "heatmark", "target": "predicted", "status": "ok"}
    once = {name: pd.Categorical.from_codes(np.zeros(len(entry), np.int8), [value]) for name, value in said.items()}
    score = (effects + rng.normal(0, 0.5, shape)).ravel()
    scores = pd.DataFrame({**columns, **once, "seed": np.zeros(len(entry), np.int64), "score": score})
    empty = {name: pd.DataFrame(columns=SCHEMAS[name].names) for name in ("curves", "heatmaps")}
    networks = _networks(trained, 1)
    return Results(
        scores[SCHEMAS["scores"].names], **empty, networks=networks, manifest=manifest_of(methods, CONTROLS, ways)
    )


def without(results: Results, *tables: str) -> Results:
    """The same results with some tables empty."""
    return replace(results, **{name: pd.DataFrame(columns=SCHEMAS[name].names) for name in tables})


def _curves(scores: pd.DataFrame) -> pd.DataFrame:
    own = scores[scores.metric.isin(["deletion", "insertion"])]
    fall = np.linspace(1, 0, 9, dtype=np.float32)
    curves = [
        score + (1 - score) * (fall if metric == "deletion" else fall[::-1])
        for score, metric in zip(own.score, own.metric, strict=True)
    ]
    return own.assign(curve=[curve.astype(np.float32) for curve in curves])[SCHEMAS["curves"].names].reset_index(
        drop=True
    )


def _networks(recipes: Sequence[str], seeds: int) -> pd.DataFrame:
    log = json.dumps([{"epoch": epoch, "loss": 1 / epoch, "accuracy": 1 - 0.8 / epoch} for epoch in range(1, 9)])
    rows = [
        (
            "simulated",
            "planted",
            "small_resnet",
            recipe,
            seed,
            "small_resnet",
            500,
            0.97,
            0.97,
            0.31,
            76_000,
            f"{seed:064x}",
            log,
        )
        for recipe in recipes
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows, columns=SCHEMAS["networks"].names)


def _heatmaps(scores: pd.DataFrame, images: Sequence[str]) -> pd.DataFrame:
    first = scores[scores.image.isin(images) & scores.seed.eq(0)].drop_duplicates(["recipe", "attribution", "image"])
    heatmaps = first.assign(kind="heatmap", png=[_picture(row) for row in range(len(first))])
    others = [
        first.drop_duplicates(["recipe", "image"]).assign(attribution="", kind=kind, png=_picture(-1, kind))
        for kind in ("image", "truth")
    ]
    return pd.concat([heatmaps, *others]).assign(zero=np.nan)[SCHEMAS["heatmaps"].names].reset_index(drop=True)


def _picture(number: int, kind: str = "heatmap") -> bytes:
    y, x = np.mgrid[:32, :32] / 31
    levels = {
        "heatmap": np.sin(3 * x + number) ** 2 * y,
        "image": np.stack([x, y, x * y], 2),
        "truth": (x > 0.4) & (y > 0.5),
    }[kind]
    file = io.BytesIO()
    Image.fromarray((levels * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def manifest_of(methods: Sequence[str], controls: Sequence[str], metrics: dict[str, str]) -> dict:
    """What a run writes beside such scores."""
    return {
        "suite": "simulated",
        "command": "heatmark run simulated",
        "versions": {"heatmark": "0"},
        "device": "cpu",
        "seed": 0,
        "target": "predicted",
        "dataset": {
            "label": "planted",
            "summary": "Simulated scores.",
            "split": "test",
            "images": None,
            "redistributable": True,
        },
        "metrics": {
            name: {
                "name": name.partition("(")[0],
                "summary": f"What {name} measures.",
                "question": f"Does {name} hold?",
                "direction": way,
                "family": "agreement" if name == "pointing_game" else "faithfulness",
                "settings": {},
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
                "name": name.partition("(")[0],
                "summary": f"What {name} does.",
                "reference": "",
                "control": name in controls,
                "needs_truth": name == "oracle",
                "floor": name == "random_map",
            }
            for name in (*methods, *controls)
        },
        "recipes": {},
        "failures": [],
    }
