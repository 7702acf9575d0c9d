"""How a network of a run is set up to go fast: chunk, compiler and precision, measured and audited."""

from dataclasses import asdict, replace

import pandas as pd

from bench.api import Explained, PerturbationMetric
from bench.data.batches import evenly_spaced, load
from bench.engine.autotune import remembered_chunk, remembered_compiler
from bench.runner.explain import Explainer
from bench.runner.identity import identity
from bench.runner.precision_audit import AUDIT, LOWER, PLAIN, Audit, audit_precision
from bench.runner.records import Run, Trained


def tuned(run: Run, trained: Trained) -> Trained:
    """The network with its fastest chunk, the suite's compiler and precision, and the chunk that is best with these."""
    trained = _with_chunk(run, trained)
    trained = _with_compiler(run, trained)
    trained = _with_precision(run, trained)
    return _with_chunk(run, trained)


def _with_chunk(run: Run, trained: Trained) -> Trained:
    chunk = remembered_chunk(trained.network, trained.architecture, run.device, run.store.chunks)
    return replace(trained, network=replace(trained.network, chunk=chunk))


def _with_compiler(run: Run, trained: Trained) -> Trained:
    wanted = run.table.engine.compiler
    compiler = remembered_compiler(trained.network, trained.architecture, run.device, run.store.chunks, wanted)
    return replace(trained, network=replace(trained.network, compiler=compiler))


def _with_precision(run: Run, trained: Trained) -> Trained:
    """The network in the suite's precision, with the audits of what that and its compiler do to the scores."""
    table, compiler = run.table.engine, trained.network.compiler
    metrics = [metric for metric in run.suite.metrics if isinstance(metric, PerturbationMetric)]
    if (table.precision == "fp32" and compiler == "none") or not metrics:
        return trained
    chosen = run.chosen(trained.network, run.table.dataset.images)
    sample = [chosen[i] for i in evenly_spaced(len(chosen), table.audit_images)]

    def compute() -> pd.DataFrame:
        batch = load(run.dataset, run.split, sample, trained.network, run.device)
        explainer = Explainer(run, trained)
        explained = explainer.explanations(*explainer.request_for(batch), batch, run.suite.attributions).values()
        ready = [own for own in explained if isinstance(own, Explained)]
        tried = LOWER[run.device.type] if table.precision == "auto" else (table.precision,)
        tried = ("fp32", *tried) if table.precision == "auto" and compiler != "none" else tried
        return pd.DataFrame([asdict(audit_precision(metrics, ready, precision, compiler)) for precision in tried])

    plugins = (*metrics, *run.suite.attributions)
    parts = identity(run, [trained], run.ids(sample), "audit", *plugins, table.precision)
    audits = [Audit(*row) for row in run.stored(parts, AUDIT, compute).itertuples(index=False)]
    by_name = "auto" not in (table.precision, table.compiler)
    good = [own for own in audits if by_name or (own.passes(table.tolerance) and own.speed > 1)]
    best = max(good, key=lambda own: own.speed, default=PLAIN)
    records = tuple(own.record(table.tolerance) for own in audits)
    network = replace(trained.network, precision=best.precision, compiler=best.compiler)
    return replace(trained, network=network, audits=records)
