"""Score a batch of images by many (attribution, metric) pairs; what fails says so and leaves the rest alone."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import pandas as pd
import torch
from torch import Tensor

from bench.api import Attribution, Metric, NetworkMetric, PerturbationMetric
from bench.cells import Trained, Work
from bench.data import Batch
from bench.engine import clean_logits
from bench.errors import HeatmarkError, UnsupportedError
from bench.handed import OK, Compared, Explained, Request, Scored
from bench.laboratory import laboratory
from bench.measure import explained_by, measure
from bench.randomness import ImageRandom

_log = logging.getLogger("heatmark")
T = TypeVar("T")


def score_one(
    work: Work,
    group: Sequence[Trained],
    pools: Sequence[Batch | None],
    batch: Batch,
    pairs: Sequence[tuple[Attribution, Metric]],
) -> dict[tuple[Attribution, Metric], Scored]:
    """One score per image for each pair on the group's only network, or the status of an image without one."""
    (trained,), (pool,) = group, pools
    request, clean = asked(work, trained, pool, batch)
    kept, status = _counted(work, batch, clean)
    explained = explanations(trained, request, clean, batch, pool, {method: None for method, _ in pairs})
    scored: dict[tuple[Attribution, Metric], Scored] = {}
    for together in _groups(pairs):
        ready = [(pair, own.select(kept)) for pair in together if isinstance(own := explained[pair[0]], Explained)]
        for (pair, _), result in zip(ready, _measured([(metric, own) for (_, metric), own in ready]), strict=True):
            scored[pair] = Scored.none([result] * len(kept)) if isinstance(result, str) else result
        for pair in together:
            if isinstance(reason := explained[pair[0]], str):
                scored[pair] = Scored.none([reason] * len(kept))
    return {pair: scored[pair].spread(kept, status) for pair in pairs}


def score_across(
    work: Work,
    group: Sequence[Trained],
    pools: Sequence[Batch | None],
    batch: Batch,
    pairs: Sequence[tuple[Attribution, NetworkMetric]],
) -> dict[tuple[Attribution, NetworkMetric], Scored]:
    """One score per image for each pair from the explanations of all networks, for the first one's targets."""
    first, clean = asked(work, group[0], pools[0], batch)
    kept, status = _counted(work, batch, clean)
    explained = []
    for trained, pool in zip(group, pools, strict=True):
        request, clean = asked(work, trained, pool, batch)
        methods = {method: None for method, _ in pairs}
        explained.append(explanations(trained, replace(request, targets=first.targets), clean, batch, pool, methods))
    scored = {}
    for method, metric in pairs:
        own = [part[method] for part in explained]
        failed = next((part for part in own if isinstance(part, str)), None)
        ready = tuple(part.select(kept) for part in own if isinstance(part, Explained))
        compared = Compared(ready, batch.outputs[kept], laboratory(work, group[0], pools[0], method))
        result = attempt(partial(metric.measure, compared)) if failed is None else failed
        result = Scored.none([result] * len(kept)) if isinstance(result, str) else result
        scored[method, metric] = result.spread(kept, status)
    return scored


def asked(work: Work, trained: Trained, pool: Batch | None, batch: Batch) -> tuple[Request, Tensor]:
    """The request for a batch under the suite's target rule, and the logits of the untouched images."""
    clean = clean_logits(trained.network, batch.images)
    targets = clean.argmax(1) if work.table.target == "predicted" else batch.outputs
    rng = ImageRandom(work.table.seed, "run", batch.ids)
    return Request(batch.images, targets, rng, batch.truth, None if pool is None else pool.images), clean


def explanations(
    trained: Trained,
    request: Request,
    clean: Tensor,
    batch: Batch,
    pool: Batch | None,
    methods: Iterable[Attribution],
) -> dict[Attribution, Explained | str]:
    """The batch explained by each method, or one line that says why it could not be."""
    others = None if pool is None or pool.fixations is None else torch.cat(pool.fixations)
    outcome: dict[Attribution, Explained | str] = {}
    for method in methods:
        own = attempt(partial(explained_by, method, trained.network, request, clean))
        if isinstance(own, Explained):
            own = replace(own, fixations=batch.fixations, fixation_pool=others)
        outcome[method] = own
    return outcome


def attempt(work: Callable[[], T]) -> T | str:
    """The result of a plug-in's work, or the one line that the board shows instead."""
    try:
        return work()
    except UnsupportedError as error:
        return f"unsupported: {error}"
    except HeatmarkError as error:
        return f"failed: {error}"
    except Exception as error:  # noqa: BLE001 - a plug-in may fail in any way; the board says so, the run goes on
        _log.debug("the failure behind a status", exc_info=True)
        return f"failed: {type(error).__name__}: {' '.join(str(error).split())}"


def _measured(pairs: Sequence[tuple[Metric, Explained]]) -> Sequence[Scored | str]:
    """The scores of pairs that are measured together; one by one where that fails, so that only the culprit does."""
    together = attempt(partial(measure, pairs))
    if not isinstance(together, str):
        return together
    return [together] if len(pairs) == 1 else [own for pair in pairs for own in _measured([pair])]


def rows(ids: Sequence[str], scored: Scored) -> pd.DataFrame:
    """A batch of scores as rows of a cell."""
    curves = [None] * len(ids) if scored.curve is None else list(scored.curve.float().cpu().numpy())
    status = scored.status or (OK,) * len(ids)
    score = scored.score.double().cpu().numpy()
    return pd.DataFrame({"image": list(ids), "score": score, "status": list(status), "curve": curves})


def _counted(work: Work, batch: Batch, clean: Tensor) -> tuple[list[int], list[str]]:
    """Which images of the batch count under the suite's rule, and the status of each."""
    right = torch.ones_like(batch.outputs, dtype=torch.bool)
    if work.table.only_correct:
        right = clean.argmax(1) == batch.outputs
    status = [OK if good else "not correctly classified" for good in right.tolist()]
    return [row for row, text in enumerate(status) if text == OK], status


def _groups(pairs: Sequence[tuple[Attribution, Metric]]) -> list[list[tuple[Attribution, Metric]]]:
    """All perturbation metrics in one group, so that they share the queue; every other pair by itself."""
    curves = [pair for pair in pairs if isinstance(pair[1], PerturbationMetric)]
    return [curves, *([pair] for pair in pairs if not isinstance(pair[1], PerturbationMetric))]
