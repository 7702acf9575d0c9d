"""Score a batch of images by many (attribution, metric) pairs; what fails says so and leaves the rest alone."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
import torch
from torch import Tensor

from bench.api import (
    OK,
    Attribution,
    Compared,
    Explained,
    ImageMetric,
    NetworkMetric,
    Scored,
)
from bench.data.batches import Batch
from bench.functional.outputs import predictions
from bench.runner.explain import Explainer, attempt, measure_each
from bench.runner.records import Run
from bench.runner.retraining import retrainer_of
from bench.scoring.measure import measure_across


def score_one(
    explainers: Sequence[Explainer], batch: Batch, pairs: Sequence[tuple[Attribution, ImageMetric]]
) -> dict[tuple[Attribution, ImageMetric], Scored]:
    """One score per image for each pair on the only explainer's network, or the status of an image without one."""
    (explainer,) = explainers
    request, clean = explainer.request_for(batch)
    kept, status = _counted(explainer.run, batch, clean)
    explained = explainer.explanations(request, clean, batch, {method: None for method, _ in pairs})
    scored: dict[tuple[Attribution, ImageMetric], Scored] = {}
    ready = {method: own.select(kept) for method, own in explained.items() if isinstance(own, Explained)}
    tried = [pair for pair in pairs if pair[0] in ready]
    asked = [(metric, ready[method]) for method, metric in tried]
    measured = dict(zip(tried, measure_each(asked, explainer.work_on), strict=True))
    for pair in pairs:
        result = measured.get(pair, explained[pair[0]])
        scored[pair] = result if isinstance(result, Scored) else Scored.none([str(result)] * len(kept))
    return {pair: scored[pair].among(kept, status) for pair in pairs}


def score_across(
    explainers: Sequence[Explainer], batch: Batch, pairs: Sequence[tuple[Attribution, NetworkMetric]]
) -> dict[tuple[Attribution, NetworkMetric], Scored]:
    """One score per image for each pair from the explanations of all networks, for the first one's targets."""
    first, clean = explainers[0].request_for(batch)
    kept, status = _counted(explainers[0].run, batch, clean)
    methods = {method: None for method, _ in pairs}
    explained = []
    for explainer in explainers:
        request, clean = explainer.request_for(batch)
        explained.append(explainer.explanations(replace(request, targets=first.targets), clean, batch, methods))
    scored = {}
    for method, metric in pairs:
        explainers[0].work_on(f"{metric.label} of {method.label}")
        own = [part[method] for part in explained]
        failed = next((part for part in own if isinstance(part, str)), None)
        ready = tuple(part.select(kept) for part in own if isinstance(part, Explained))
        compared = Compared(ready, batch.outputs[kept], retrainer_of(explainers[0], method))
        result = attempt(partial(measure_across, metric, compared)) if failed is None else failed
        result = Scored.none([result] * len(kept)) if isinstance(result, str) else result
        scored[method, metric] = result.among(kept, status)
    return scored


def rows(ids: Sequence[str], scored: Scored) -> pd.DataFrame:
    """A batch of scores as rows of a cell."""
    curves = [None] * len(ids) if scored.curve is None else list(scored.curve.float().cpu().numpy())
    status = scored.status or (OK,) * len(ids)
    score = scored.score.double().cpu().numpy()
    return pd.DataFrame({"image": list(ids), "score": score, "status": list(status), "curve": curves})


def _counted(run: Run, batch: Batch, clean: Tensor) -> tuple[list[int], list[str]]:
    """Which images of the batch count under the suite's rule, and the status of each."""
    right = torch.ones_like(batch.outputs, dtype=torch.bool)
    if run.table.only_correct:
        right = predictions(clean) == batch.outputs
    status = [OK if good else "not correctly classified" for good in right.tolist()]
    return [row for row, text in enumerate(status) if text == OK], status
