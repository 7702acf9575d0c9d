"""Explain a batch by every method and score it by every metric."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from bench.api import OK, Attribution, Explained, ImageMetric, Metric, Network, PerturbationMetric, Request, Scored
from bench.api.explanation import statuses
from bench.engine import curves_of


def explained_by(method: Attribution, network: Network, request: Request, clean: Tensor) -> Explained:
    """The explanation of a batch by one method; `clean` are the logits of the untouched images.

    Each plug-in draws from streams of its own: `request.rng` names the method, `rng` the metric when it is scored.
    """
    own = replace(request, rng=request.rng.of(method.label))
    attributions = method.explain(network, own)
    return Explained(network, own, method, attributions, method.heatmaps(attributions), clean, request.rng)


def measure(pairs: Sequence[tuple[ImageMetric, Explained]]) -> list[Scored]:
    """Score each explanation by its metric, in order; all curves of a batch go through the engine together."""
    drawn = [(metric, replace(explained, rng=explained.rng.of(metric.label))) for metric, explained in pairs]
    by_curve = measure_curves([(m, explained) for m, explained in drawn if isinstance(m, PerturbationMetric)])
    return [metric.measure(explained) if isinstance(metric, Metric) else next(by_curve) for metric, explained in drawn]


def measure_curves(pairs: Sequence[tuple[PerturbationMetric, Explained]]) -> Iterator[Scored]:
    """Score each explanation by its curve, in order; chance is drawn from `explained.rng` as it is."""
    status = [statuses(explained, *m.needs) for m, explained in pairs]
    kept = [[row for row, text in enumerate(texts) if text == OK] for texts in status]
    jobs = [(metric, explained.select(rows)) for (metric, explained), rows in zip(pairs, kept, strict=True) if rows]
    curves = iter(curves_of(jobs) if jobs else [])
    for (metric, explained), rows, texts in zip(pairs, kept, status, strict=True):
        if rows:
            curve = next(curves)
            yield Scored(metric.score_of(curve, explained), curve).among(rows, texts)
        else:
            yield Scored.none(texts)
