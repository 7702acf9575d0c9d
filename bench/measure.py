"""Explain a batch by every method and score it by every metric."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from bench.api import Attribution, Metric, PerturbationMetric
from bench.engine import curves_of
from bench.handed import OK, Explained, Network, Request, Scored, refused


def explained_by(method: Attribution, network: Network, request: Request, clean: Tensor) -> Explained:
    """The explanation of a batch by one method; `clean` are the logits of the untouched images.

    Each plug-in draws from streams of its own: `request.rng` names the method, `rng` the metric when it is scored.
    """
    own = replace(request, rng=request.rng.of(method.label))
    attributions = method.explain(network, own)
    return Explained(network, own, method, attributions, method.heatmaps(attributions), clean, request.rng)


def measure(pairs: Sequence[tuple[Metric, Explained]]) -> list[Scored]:
    """Score each explanation by its metric, in order; all curves of a batch go through the engine together."""
    drawn = [(metric, replace(explained, rng=explained.rng.of(metric.label))) for metric, explained in pairs]
    by_curve = _scored_by_curves([(m, explained) for m, explained in drawn if isinstance(m, PerturbationMetric)])
    return [
        next(by_curve) if isinstance(metric, PerturbationMetric) else metric.measure(explained)
        for metric, explained in drawn
    ]


def _scored_by_curves(pairs: Sequence[tuple[PerturbationMetric, Explained]]) -> Iterator[Scored]:
    status = [refused(explained, *m.needs) for m, explained in pairs]
    kept = [[row for row, text in enumerate(texts) if text == OK] for texts in status]
    jobs = [(metric, explained.select(rows)) for (metric, explained), rows in zip(pairs, kept, strict=True) if rows]
    curves = iter(curves_of(jobs) if jobs else [])
    for (metric, explained), rows, texts in zip(pairs, kept, status, strict=True):
        if rows:
            curve = next(curves)
            yield Scored(metric.score_of(curve, explained), curve).spread(rows, texts)
        else:
            yield Scored.none(texts)
