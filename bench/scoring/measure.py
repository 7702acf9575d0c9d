"""Explain a batch by every method and score it by every metric."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from bench.api import (
    OK,
    Attribution,
    Compared,
    Explained,
    ImageMetric,
    Metric,
    Network,
    NetworkMetric,
    PerturbationMetric,
    Request,
    Scored,
)
from bench.api.explanation import statuses
from bench.engine import curves_of
from bench.scoring.protection import Given, given_to_method, given_to_metric, unchanged


def explained_by(method: Attribution, network: Network, request: Request, clean: Tensor) -> Explained:
    """The explanation of a batch by one method; `clean` are the logits of the untouched images.

    Each plug-in draws from streams of its own: `request.rng` names the method, `rng` the metric when it is scored.
    """
    own = replace(request, rng=request.rng.of(method.label))
    with unchanged(f"attribution {method.name!r}", [network], given_to_method(own)):
        attributions = method.explain(network, own)
        heatmaps = method.heatmaps(attributions)
    return Explained(network, own, method, attributions, heatmaps, clean, request.rng)


def measure(pairs: Sequence[tuple[ImageMetric, Explained]]) -> list[Scored]:
    """Score each explanation by its metric, in order; all curves of a batch go through the engine together."""
    drawn = [(metric, replace(explained, rng=explained.rng.of(metric.label))) for metric, explained in pairs]
    by_curve = _curves_unchanged([(m, explained) for m, explained in drawn if isinstance(m, PerturbationMetric)])
    return [_measured(metric, own) if isinstance(metric, Metric) else next(by_curve) for metric, own in drawn]


def measure_across(metric: NetworkMetric, compared: Compared) -> Scored:
    """Score a batch that several networks explain."""
    given = {
        f"{name} of network {own.network.name!r}": tensor
        for own in compared.explained
        for name, tensor in given_to_metric(own).items()
    }
    networks = [own.network for own in compared.explained]
    with unchanged(f"metric {metric.name!r}", networks, {**given, "outputs": compared.outputs}):
        return metric.measure(compared)


def _measured(metric: Metric, explained: Explained) -> Scored:
    with unchanged(f"metric {metric.name!r}", [explained.network], given_to_metric(explained)):
        return metric.measure(explained)


def _curves_unchanged(pairs: Sequence[tuple[PerturbationMetric, Explained]]) -> Iterator[Scored]:
    """Scores by curves; a single metric is named where something was changed."""
    if not pairs:
        return iter(())
    names = " or ".join(dict.fromkeys(f"metric {metric.name!r}" for metric, _ in pairs))
    given: Given = {}
    for number, explained in enumerate({id(own.heatmaps): own for _, own in pairs}.values()):
        given |= {f"{name} (explanation {number})": own for name, own in given_to_metric(explained).items()}
    with unchanged(names, [pairs[0][1].network], given):
        return iter(list(measure_curves(pairs)))


def measure_curves(pairs: Sequence[tuple[PerturbationMetric, Explained]]) -> Iterator[Scored]:
    """Score each explanation by its curve, in order; chance is drawn from `explained.rng` as it is."""
    for metric, explained in pairs:
        metric.check_takes(explained.network.output, explained.network.name)
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
