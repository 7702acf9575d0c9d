"""How a network of a run is set up to go fast: chunk, compiler and precision, measured and audited."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import ttest_1samp
from statsmodels.stats.multitest import multipletests
from torch import Tensor

from bench.api import Compiler, Explained, PerturbationMetric, Precision
from bench.data.batches import evenly_spaced, load
from bench.engine import Drawn
from bench.engine.autotune import remembered_chunk, remembered_compiler
from bench.engine.mixed_precision import is_quick_in_bf16
from bench.engine.predict import logits_in_chunks
from bench.files import key_of
from bench.runner.explain import Explainer
from bench.runner.identity import identity
from bench.runner.records import Run, Trained
from bench.scoring.measure import measured

_log = logging.getLogger("heatmark")
SIGNIFICANT = 0.05
LOWER: dict[str, tuple[Precision, ...]] = {"cpu": ("bf16", "mixed"), "cuda": ("tf32", "bf16")}
AUDIT = pa.schema(
    [
        ("precision", pa.string()),
        ("compiler", pa.string()),
        ("images", pa.int64()),
        ("drift", pa.float64()),
        ("flips", pa.int64()),
        ("speed", pa.float64()),
        ("again", pa.float64()),
        ("off", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Audit:
    """What a precision and a compiler do to the scores of perturbation metrics.

    `drift` is the largest |score difference| from fp32, `flips` the pairs of attributions that fp32 tells apart
    (paired t test, Holm-corrected, 5%) and that change places, `speed` how many times faster than fp32 it ran.
    In mixed precision a share of the points, `again`, was computed in both, and no area is thought to lie further off
    than `off` of its range.
    """

    precision: Precision
    compiler: Compiler
    images: int
    drift: float
    flips: int
    speed: float
    again: float = 0.0
    off: float = 0.0

    def passes(self, tolerance: float) -> bool:
        """Whether no score moved by more than `tolerance` and no significant rank flipped."""
        return self.drift <= tolerance and self.flips == 0

    def record(self, tolerance: float) -> dict[str, Any]:
        """The audit as the manifest keeps it."""
        # JSON has no infinity.
        drift = min(self.drift, float(np.finfo(float).max))
        return {**asdict(self), "drift": drift, "tolerance": tolerance, "passed": self.passes(tolerance)}


PLAIN = Audit("fp32", "none", 0, 0.0, 0, 1.0)


def tuned(run: Run, trained: Trained) -> Trained:
    """The network with its fastest chunk, the suite's compiler and precision, and the chunk that is best with these."""
    return with_chunk(run, _with_precision(run, set_up(run, trained)))


def set_up(run: Run, trained: Trained) -> Trained:
    """The network with its fastest chunk and the suite's compiler, in fp32."""
    return _with_compiler(run, with_chunk(run, trained))


def with_chunk(run: Run, trained: Trained) -> Trained:
    """The network with the chunk that is fastest with its compiler and precision."""
    notes, limit = run.store.chunks, run.memory_limit
    chunk = remembered_chunk(trained.network, trained.architecture, run.device, notes, limit)
    return replace(trained, network=replace(trained.network, chunk=chunk))


def _with_compiler(run: Run, trained: Trained) -> Trained:
    wanted = run.table.engine.compiler
    compiler = remembered_compiler(trained.network, trained.architecture, run.device, run.store.chunks, wanted)
    tolerance = run.table.engine.mixed_tolerance
    return replace(trained, network=replace(trained.network, compiler=compiler, tolerance=tolerance))


@dataclass(frozen=True)
class AuditSample:
    """The images that an audit compares, the precisions tried beside fp32, and whether its answer is in the store."""

    positions: tuple[int, ...]
    tried: tuple[Precision, ...]
    identity: dict[str, Any]
    known: bool


def audit_sample(run: Run, trained: Trained) -> AuditSample | None:
    """What the audit of a network, set up but for its precision, is about; None where there is nothing to audit."""
    table, compiler = run.table.engine, trained.network.compiler
    metrics = [metric for metric in run.suite.metrics if isinstance(metric, PerturbationMetric)]
    if (table.precision == "fp32" and compiler == "none") or not metrics:
        return None
    chosen = run.chosen(trained.network, run.table.dataset.images)
    sample = tuple(chosen[i] for i in evenly_spaced(len(chosen), table.audit_images))
    tried = LOWER[run.device.type] if table.precision == "auto" else (table.precision,)
    tried = ("fp32", *tried) if table.precision == "auto" and compiler != "none" else tried
    plugins = (*metrics, *run.suite.attributions)
    parts = identity(run, [trained], run.ids(sample), "audit", *plugins, table.precision)
    return AuditSample(sample, tried, parts, run.store.has(key_of(parts)))


def _with_precision(run: Run, trained: Trained) -> Trained:
    """The network in the suite's precision, with the audits of what that and its compiler do to the scores."""
    table, compiler = run.table.engine, trained.network.compiler
    sample = audit_sample(run, trained)
    if sample is None:
        return trained
    if table.precision == "mixed" and not is_quick_in_bf16(run.device):
        _log.warning("%s stays in fp32: this processor does not compute in bfloat16", trained.network.name)
    metrics = [metric for metric in run.suite.metrics if isinstance(metric, PerturbationMetric)]

    def compute() -> pd.DataFrame:
        batch = load(run.dataset, run.split, sample.positions, trained.network, run.device)
        explainer = Explainer(run, trained)
        explained = explainer.explanations(*explainer.request_for(batch), batch, run.suite.attributions).values()
        ready = [own for own in explained if isinstance(own, Explained)]
        return pd.DataFrame([asdict(audit_precision(metrics, ready, own, compiler)) for own in sample.tried])

    audits = [Audit(*row) for row in run.stored(sample.identity, AUDIT, compute).itertuples(index=False)]
    by_name = "auto" not in (table.precision, table.compiler)
    for own in audits:
        if own.drift == np.inf:
            how = f"{own.precision} by {own.compiler}" if own.compiler != "none" else own.precision
            _log.warning("%s goes on without %s: it scores what has no score in fp32", trained.network.name, how)
    sane = [own for own in audits if own.drift < np.inf]
    good = [own for own in sane if by_name or (own.passes(table.tolerance) and own.speed > 1)]
    best = max(good, key=lambda own: own.speed, default=PLAIN)
    records = tuple(own.record(table.tolerance) for own in audits)
    network = replace(trained.network, precision=best.precision, compiler=best.compiler)
    return replace(trained, network=network, audits=records)


def audit_precision(
    metrics: Sequence[PerturbationMetric],
    explained: Sequence[Explained],
    precision: Precision,
    compiler: Compiler = "none",
) -> Audit:
    """Compare a precision and a compiler with plain fp32 on the explanations of one batch by several attributions."""
    exact, exact_seconds, _ = _scores(metrics, explained, "fp32", "none")
    tried, seconds, found = _scores(metrics, explained, precision, compiler)
    flips = sum(_flips(*scores) for scores in zip(exact, tried, strict=True))
    drift = _drift(exact, tried)
    again = found.again / max(1, found.points)
    return Audit(precision, compiler, exact.shape[2], drift, flips, exact_seconds / seconds, again, found.off)


def _drift(exact: np.ndarray, tried: np.ndarray) -> float:
    """How far the scores are apart at most: infinitely where only one of both is a number."""
    numbers = np.isfinite(exact)
    if (numbers != np.isfinite(tried)).any():
        return np.inf
    return float(np.abs(exact[numbers] - tried[numbers]).max(initial=0.0))


def _scores(
    metrics: Sequence[PerturbationMetric], explained: Sequence[Explained], precision: Precision, compiler: Compiler
) -> tuple[np.ndarray, float, Drawn[Tensor]]:
    """Scores (metric, attribution, image) computed so, the seconds they took, and what took them."""
    network = replace(explained[0].network, precision=precision, compiler=compiler)
    tried = [replace(own, network=network) for own in explained]
    logits_in_chunks(network, explained[0].images[:1])  # compiles, where it does, before the clock starts
    began = time.perf_counter()
    scored, found = measured([(metric, own) for metric in metrics for own in tried])
    seconds = time.perf_counter() - began
    values = np.stack([part.score.double().cpu().numpy() for part in scored])
    return values.reshape(len(metrics), len(tried), -1), seconds, found


def _flips(exact: np.ndarray, tried: np.ndarray) -> int:
    """How many pairs of attributions, told apart in `exact` (attribution, image), change places in `tried`."""
    pairs = list(combinations(range(len(exact)), 2))
    if not pairs or exact.shape[1] < 2:
        return 0
    differences = np.array([np.nanmean(exact[a] - exact[b]) for a, b in pairs])
    after = np.array([np.nanmean(tried[a] - tried[b]) for a, b in pairs])
    p_values = np.array([_p_value(exact[a] - exact[b]) for a, b in pairs])
    significant = multipletests(p_values, SIGNIFICANT, method="holm")[0]
    return int((significant & (np.sign(differences) != np.sign(after))).sum())


def _p_value(differences: np.ndarray) -> float:
    known = differences[~np.isnan(differences)]
    if len(known) < 2 or np.ptp(known) == 0:
        return 0.0 if len(known) >= 2 and known[0] != 0 else 1.0
    return float(ttest_1samp(known, 0).pvalue)
