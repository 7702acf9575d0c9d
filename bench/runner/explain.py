"""Explain batches of a run on one network, and say in one line why a plug-in could not."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeVar

import torch
from torch import Tensor

from bench.api import Attribution, Explained, ImageMetric, ImageRandom, Network, Request, Scored
from bench.data.batches import Batch
from bench.engine import clean_logits
from bench.errors import HeatmarkError, UnsupportedError, printable
from bench.progress import CELLS
from bench.results.kept_heatmaps import HEATMAPS, attributions_of, rows_of
from bench.runner.identity import code_hash, keys_of
from bench.runner.records import Run, Trained
from bench.scoring.measure import Planned, curve_scores, explained_by, explanation_of, prepared

_log = logging.getLogger("heatmark")
T = TypeVar("T")
_LONGEST = 300  # of what others say where they fail: torch may list all that it can do


@dataclass(frozen=True, eq=False)
class Explainer:
    """Explains batches on one network of a run, for the targets of the suite's rule.

    `kept_of` are the networks that decide its heatmaps in the store: the one that is explained, and before it the one
    whose targets are explained where that is another. Without them it explains everything itself.
    """

    run: Run
    trained: Trained
    kept_of: tuple[Trained, ...] = ()

    @property
    def network(self) -> Network:
        """The network that is explained."""
        return self.trained.network

    @cached_property
    def references(self) -> Batch | None:
        """The pool of images that are not scored."""
        return self.run.references(self.network)

    def work_on(self, what: str) -> None:
        """Say what is computed on this network now, which may take long."""
        self.run.progress.work_on(CELLS, f"{self.network.name}: {what}")

    def request_for(self, batch: Batch) -> tuple[Request, Tensor]:
        """The request for a batch under the suite's target rule, and the logits of the untouched images."""
        clean = clean_logits(self.network, batch.images)
        rng = ImageRandom(self.run.table.seed, "run", batch.ids)
        pool = None if self.references is None else self.references.images
        targets = self.run.targets(clean, batch.outputs)
        return Request(batch.images, targets, rng, batch.truth, pool, batch.without), clean

    def explanations(
        self, request: Request, clean: Tensor, batch: Batch, methods: Iterable[Attribution]
    ) -> dict[Attribution, Explained | str]:
        """The batch explained by each method, or one line that says why it could not be."""
        pool = self.references
        others = None if pool is None or pool.fixations is None else torch.cat(pool.fixations)
        outcome: dict[Attribution, Explained | str] = {}
        for method, key in self.keys(batch.ids, methods).items():
            self.work_on(method.label)
            own = self._explained(method, request, clean, key)
            if isinstance(own, Explained):
                own = replace(own, fixations=batch.fixations, fixation_pool=others)
            outcome[method] = own
        return outcome

    def keys(self, ids: Sequence[str], methods: Iterable[Attribution]) -> dict[Attribution, str]:
        """The key of each method's heatmaps of a batch in the store; empty where it takes none from there."""
        own = list(methods)
        known = keys_of(self.run, self.kept_of, ids, [(method,) for method in own]) if self.kept_of else [""] * len(own)
        return dict(zip(own, known, strict=True))

    def _explained(self, method: Attribution, request: Request, clean: Tensor, key: str) -> Explained | str:
        """The batch as the store has it explained, or explained here, and kept there where the run is to."""
        compute = partial(attempt, partial(explained_by, method, self.network, request, clean))
        if not key:
            return compute()
        store, ids, keep = self.run.store.heatmaps, request.rng.image_ids, self.run.keep_heatmaps
        with store.lock(key, f"heatmaps by {method.label}") if keep else nullcontext():
            rows = store.read(key, HEATMAPS, ids)
            if rows is not None:
                known = attributions_of(rows).to(self.run.device)
                return explanation_of(method, self.network, request, clean, known)
            own = compute()
            if keep and isinstance(own, Explained):
                store.write(key, rows_of(ids, own.attributions), HEATMAPS, code_hash(), level=1)
            return own


def attempt(work: Callable[[], T]) -> T | str:
    """The result of a plug-in's work, or the one line that the board shows instead. Ctrl-C ends the run."""
    try:
        return work()
    except UnsupportedError as error:
        return f"unsupported: {printable(error)}"
    except HeatmarkError as error:
        return f"failed: {printable(error)}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plug-in may fail in any way; the board says so, the run goes on
        _log.debug("the failure behind a status", exc_info=True)
        return f"failed: {type(error).__name__}: {printable(error):.{_LONGEST}}"


def measure_each(pairs: Sequence[tuple[ImageMetric, Explained]], work_on: Callable[[str], None]) -> list[Scored | str]:
    """The score of each explanation by its metric, or the line of the one that fails.

    Curves go through the network together, without those whose metric has failed: the others are as if it were not
    there, to the last bit. `work_on` is told what is computed next.
    """
    ready: list[Scored | Planned | str] = []
    for metric, explained in pairs:
        work_on(f"{metric.label} of {explained.method.label}")
        ready.append(attempt(partial(prepared, metric, explained)))
    curves = [own for own in ready if isinstance(own, Planned)]
    if curves:
        work_on(f"{len(curves)} curves of each image")
    together = attempt(partial(curve_scores, curves))
    if isinstance(together, str):
        alone = [attempt(partial(curve_scores, [own])) for own in curves]
        scored: list[Scored | str] = [own if isinstance(own, str) else own[0] for own in alone]
    else:
        scored = [*together]
    by_curve = iter(scored)
    return [next(by_curve) if isinstance(own, Planned) else own for own in ready]
