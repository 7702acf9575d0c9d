"""Explain a batch by every method and score it by every metric."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

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
from bench.api.module_state import evaluating
from bench.engine import Drawn, Ranked, drawn
from bench.functional.curve_areas import area_of
from bench.scoring.protection import compared_to_give, explained_to_give, request_to_give, unchanged


@dataclass(frozen=True)
class Planned:
    """A perturbation metric's part of the work: what it asks for `kept` images of a batch, and the others' status."""

    asked: Ranked | None
    kept: list[int]
    status: list[str]


def explained_by(method: Attribution, network: Network, request: Request, clean: Tensor) -> Explained:
    """The explanation of a batch by one method; `clean` are the logits of the untouched images.

    Each plug-in draws from streams of its own: `request.rng` names the method, `rng` the metric when it is scored.
    """
    own = replace(request, rng=request.rng.of(method.label))
    copied, given = request_to_give(network, own, method)
    with unchanged(f"attribution {method.name!r}", given):
        # Those without an answer would be in the way of the others: a layer is chosen by the gradients of all.
        attributions = method.explain_some(network, copied, clean.isfinite().all(1))
        return explanation_of(method, network, request, clean, attributions)


def explanation_of(
    method: Attribution, network: Network, request: Request, clean: Tensor, attributions: Tensor
) -> Explained:
    """The explanation of a batch whose attributions by the method are known."""
    own = replace(request, rng=request.rng.of(method.label))
    return Explained(network, own, method, attributions, method.heatmaps(attributions), clean, request.rng)


def measure(pairs: Sequence[tuple[ImageMetric, Explained]]) -> list[Scored]:
    """Score each explanation by its metric, in order; all curves of a batch go through the engine together."""
    return measured(pairs)[0]


def measured(pairs: Sequence[tuple[ImageMetric, Explained]]) -> tuple[list[Scored], Drawn[Tensor]]:
    """The same, and how the curves were computed."""
    ready = [prepared(metric, explained) for metric, explained in pairs]
    curves, found = _curve_scores([own for own in ready if isinstance(own, Planned)])
    scored = iter(curves)
    return [next(scored) if isinstance(own, Planned) else own for own in ready], found


def prepared(metric: ImageMetric, explained: Explained) -> Scored | Planned:
    """The score of an explanation by its metric, or what a perturbation metric asks of the engine for it."""
    drawn = replace(explained, rng=explained.rng.of(metric.label))
    copied, given = explained_to_give(drawn, metric)
    # Evaluation mode outside of the watch: a metric that sets it is to be found out.
    with evaluating(explained.network.module), unchanged(f"metric {metric.name!r}", given):
        if isinstance(metric, PerturbationMetric):
            return planned(metric, copied, drawn)
        return cast("Metric", metric).measure(copied)


def measure_across(metric: NetworkMetric, compared: Compared) -> Scored:
    """Score a batch that several networks explain."""
    copied, given = compared_to_give(compared, metric)
    with unchanged(f"metric {metric.name!r}", given):
        return metric.measure(copied)


def planned(metric: PerturbationMetric, copied: Explained, explained: Explained) -> Planned:
    """What a perturbation metric asks of the engine; it sees the copy, the engine what the copy is of."""
    metric.check_takes(explained.network.output, explained.network.name)
    status = statuses(explained, *metric.needs)
    kept = [row for row, text in enumerate(status) if text == OK]
    if not kept:
        return Planned(None, kept, status)
    seen, own = copied.select(kept), explained.select(kept)
    maps = metric.ranking(seen)
    # The same maps for all metrics are ranked once.
    maps = own.heatmaps if maps is seen.heatmaps else maps.detach().clone()
    return Planned(Ranked(own, metric.plan(*maps.shape[1:]), maps), kept, status)


def curve_scores(ready: Sequence[Planned]) -> list[Scored]:
    """The scores of curves that go through the network together; chance is drawn from `explained.rng` as it is."""
    return _curve_scores(ready)[0]


def _curve_scores(ready: Sequence[Planned]) -> tuple[list[Scored], Drawn[Tensor]]:
    found = drawn([own.asked for own in ready if own.asked is not None])
    curves = iter(found.curves)
    return [_curve_score(own, None if own.asked is None else next(curves)) for own in ready], found


def _curve_score(own: Planned, curve: Tensor | None) -> Scored:
    if own.asked is None or curve is None:
        return Scored.none(own.status)
    return Scored(area_of(curve, own.asked.plan.area, own.asked.plan.counts), curve).among(own.kept, own.status)
