"""From cells to a result set: the four tables, and the manifest that says how they came about."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from bench._version import version
from bench.api import OK, Attribution, ImageMetric, NetworkMetric
from bench.engine.compiled import libraries
from bench.results.result_set import SCHEMAS, Results
from bench.runner.identity import code_hash
from bench.runner.records import Run, Trained
from bench.suites.load import Suite


@dataclass(frozen=True)
class Part:
    """A finished cell and what it belongs to."""

    trained: Trained
    method: Attribution
    metric: ImageMetric | NetworkMetric
    cell: pa.Table


def collect(
    run: Run,
    parts: Sequence[Part],
    networks: Sequence[dict[str, object]],
    shown: Sequence[tuple[Trained, pd.DataFrame]],
    *,
    retrained: bool,
) -> Results:
    """The result set of a run; `retrained`: whether networks were trained where weights are at hand."""
    suite = run.suite
    rows = _rows(suite, parts)
    scores = _frame("scores", rows)
    pictures = [frame.assign(**_of(suite, trained), seed=trained.seed, target=_rule(suite)) for trained, frame in shown]
    own = pd.DataFrame(networks).assign(suite=suite.table.name, dataset=suite.dataset.label)
    return Results(
        scores=scores,
        curves=_frame("curves", [own[own.curve.notna() & own.status.eq(OK)] for own in rows]),
        networks=_frame("networks", [own]),
        heatmaps=_frame("heatmaps", pictures),
        manifest=_manifest(run, scores, shown, retrained=retrained),
    )


def scores_alone(suite: Suite, parts: Sequence[Part], manifest: dict[str, Any]) -> Results:
    """The scores of some cells with what a board needs to know of them, and nothing else; more for the manifest."""
    rest = {name: pd.DataFrame(columns=SCHEMAS[name].names) for name in SCHEMAS if name != "scores"}
    scores = _frame("scores", _rows(suite, parts))
    return Results(scores=scores, **rest, manifest=_described(suite) | manifest)


def _described(suite: Suite) -> dict[str, Any]:
    """What the suite asks, and the cards of its plug-ins."""
    return {
        "question": suite.table.question,
        "asks": suite.table.asks,
        "smallest": suite.table.smallest,
        "metrics": {metric.label: metric.card.written() for metric in suite.metrics},
        "attributions": {method.label: method.card.written() for method in suite.attributions},
        "recipes": {recipe.label: recipe.card.written() for recipe in suite.recipes},
    }


def _rows(suite: Suite, parts: Sequence[Part]) -> list[pd.DataFrame]:
    """The rows of all cells with what they belong to, in one frame; none where there is no cell."""
    if not parts:
        return []
    rule = _rule(suite)
    about = pd.DataFrame(
        [
            {
                **_of(suite, part.trained),
                "attribution": part.method.label,
                "metric": part.metric.label,
                "protocol": part.metric.stamp,
                "target": rule,
                "seed": part.trained.seed,
            }
            for part in parts
        ]
    )
    cells: pd.DataFrame = pa.concat_tables([part.cell for part in parts]).to_pandas()
    of_cell = np.repeat(np.arange(len(parts)), [part.cell.num_rows for part in parts])
    return [cells.join(about.iloc[of_cell].reset_index(drop=True))]


def _of(suite: Suite, trained: Trained) -> dict[str, str]:
    return {
        "suite": suite.table.name,
        "dataset": suite.dataset.label,
        "network": trained.network.name,
        "recipe": trained.recipe,
    }


def _rule(suite: Suite) -> str:
    return f"{suite.table.target}, correct only" if suite.table.only_correct else suite.table.target


def _frame(name: str, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    columns = SCHEMAS[name].names
    filled = [frame[columns] for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


def machine(device: torch.device) -> dict[str, Any]:
    """What decides how sums are rounded: the instructions of the processor, how many threads, and the GPU."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {"cpu": torch.backends.cpu.get_cpu_capability(), "threads": torch.get_num_threads(), "gpu": gpu}


def _untold(run: Run) -> list[dict[str, Any]]:
    """The networks whose accuracy and pictures could not be had, as failures of no attribution."""
    return [
        {
            "network": run.table.networks[number].label,
            "recipe": run.suite.recipes[number].label,
            "attribution": "",
            "metric": "",
            "status": reason,
            "images": 0,
        }
        for number, reason in run.untold.items()
    ]


def _manifest(
    run: Run, scores: pd.DataFrame, shown: Sequence[tuple[Trained, pd.DataFrame]], *, retrained: bool
) -> dict[str, Any]:
    suite, table = run.suite, run.table
    unscored = scores[~scores.status.eq(OK)]
    failures = (
        unscored.groupby(["network", "recipe", "attribution", "metric", "status"]).size().reset_index(name="images")
    )
    return {
        "suite": table.name,
        "command": suite.command,
        "versions": {
            "heatmark": version,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": metadata.version("torchvision"),
            **libraries(t.network.compiler for t, _ in shown),
        },
        "device": run.device.type,
        "machine": machine(run.device),
        "memory": run.memory,
        **_of_networks(shown),
        "retrained": retrained,
        "seed": table.seed,
        "attack": table.attack.model_dump(),
        "target": _rule(suite),
        "dataset": _of_dataset(run),
        "settings": suite.written,
        "code": code_hash(),
        **_described(suite),
        "failures": failures.to_dict("records") + _untold(run),
    }


def _of_networks(shown: Sequence[tuple[Trained, pd.DataFrame]]) -> dict[str, Any]:
    """How each network was made, checked and used."""

    def named(t: Trained) -> dict[str, Any]:
        return {"network": t.network.name, "recipe": t.recipe, "seed": t.seed}

    return {
        "audits": [{**named(t), **own} for t, _ in shown for own in t.audits],
        "looks": [{**named(t), "kept": list(t.look)} for t, _ in shown],
        "weights": [{**named(t), "source": t.source, "hash": t.weights} for t, _ in shown],
        "networks": [
            {
                **named(t),
                "weights": t.weights,
                "chunk": t.network.chunk,
                "precision": t.network.precision,
                "compiler": t.network.compiler,
                **({"tolerance": t.network.tolerance} if t.network.precision == "mixed" else {}),
            }
            for t, _ in shown
        ],
    }


def _of_dataset(run: Run) -> dict[str, Any]:
    """The images that were explained."""
    dataset = run.suite.dataset
    return {
        "label": dataset.label,
        "display": dataset.display,
        "summary": dataset.summary(),
        "reference": dataset.reference,
        "split": run.split,
        "images": run.table.dataset.images,
        "classes": list(dataset.classes),
        "fingerprint": dataset.fingerprint(),
        "redistributable": dataset.redistributable,
    }
