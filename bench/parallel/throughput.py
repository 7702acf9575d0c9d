"""How fast this device is: seconds of passes, methods and metrics on the real network, measured in seconds."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from bench.api import Attribution, Cost, Explained, ImageMetric, Network, NetworkMetric, Scored
from bench.api.module_state import frozen_for_evaluation
from bench.attribution.gradients import values_and_gradients
from bench.data.batches import Batch, evenly_spaced, load
from bench.engine import clean_logits
from bench.engine.predict import logits_in_chunks
from bench.parallel.costs import Costs, adaptive
from bench.runner.explain import Explainer, attempt
from bench.runner.records import Run, Trained
from bench.scoring.measure import measure
from bench.scoring.passes import passes_of

# Seconds that one measurement may take, about; what would take much longer for a single image is not tried.
ENOUGH, TOO_LONG = 0.35, 4.0
# The best of so many timings counts while they take no longer than this together: others may be at work here.
TIMINGS, SHORT = 3, 1.2
BUSY = 2.5  # times as long as its threads computed: others were at work
TOLERANCE = 0.01  # of the adaptive curves that a plan compares with


@dataclass(frozen=True)
class Throughput:
    """Seconds for each image on one network: forward in the engine, by the plain module, there and back, loaded.

    `explanations` and `scores` by plug-in, where they were measured; a score without explanations anew. `unsupported`
    says why a method cannot explain the network; `curves` how many points a metric's curve has that plans none. `exact`
    is `forward` in fp32 without a compiler; `points` the share of a curve's points that an adaptive one takes;
    `waited` how many times as long as its threads computed the plain module took.
    """

    forward: float
    plain: float
    gradient: float
    load: float = 0.0
    explanations: Mapping[Attribution, float] = field(default_factory=dict)
    scores: Mapping[ImageMetric, float] = field(default_factory=dict)
    unsupported: Mapping[Attribution, str] = field(default_factory=dict)
    curves: Mapping[ImageMetric, int] = field(default_factory=dict)
    exact: float | None = None
    points: float | None = None
    waited: float = 1.0

    def of(self, cost: Cost) -> float:
        """Seconds of passes, as far as these alone decide."""
        return cost.backward * self.gradient + max(cost.forward - cost.backward, 0) * self.forward


def measured(
    run: Run, trained: Trained, methods: Sequence[Attribution], metrics: Sequence[ImageMetric | NetworkMetric]
) -> Throughput:
    """Throughput on images of the suite, as many at a time as in the run, where they do not take too long."""
    batch, passes = _loaded_and_passed(run, trained)
    return _plugins(Explainer(run, trained), methods, metrics, batch, passes)


def passes_measured(run: Run, trained: Trained) -> Throughput:
    """The same of passes alone."""
    return _loaded_and_passed(run, trained)[1]


def _loaded_and_passed(run: Run, trained: Trained) -> tuple[Batch, Throughput]:
    chosen = run.chosen(trained.network, run.table.dataset.images)
    chosen = [chosen[i] for i in evenly_spaced(len(chosen), run.table.batch)]
    batch = load(run.dataset, run.split, chosen, trained.network, run.device)
    loading = per_image(
        lambda count: load(run.dataset, run.split, chosen[:count], trained.network, run.device), len(chosen), run.device
    )
    return batch, _passes(trained, batch, loading)


def _passes(trained: Trained, batch: Batch, loading: float) -> Throughput:
    network, images = trained.network, batch.images
    whole = images[torch.arange(max(network.chunk, len(images))) % len(images)]
    targets = torch.zeros(len(whole), dtype=torch.long, device=images.device)
    some = min(network.chunk, len(whole))

    def gradients() -> object:
        with frozen_for_evaluation(network.module):
            return values_and_gradients(network, whole[:some], targets[:some])

    def forwards(network: Network) -> float:
        logits_in_chunks(network, whole)  # the first time takes longer
        return seconds(lambda: logits_in_chunks(network, whole), images.device) / len(whole)

    gradients()
    forward, plain = forwards(network), replace(network, precision="fp32", compiler="none")
    exact = forward if plain == network else forwards(plain)
    clean = timed(lambda: clean_logits(network, whole), images.device)
    return Throughput(
        forward,
        clean.seconds / len(whole),
        seconds(gradients, images.device) / some,
        loading,
        exact=exact,
        waited=clean.waited,
    )


def _plugins(
    explainer: Explainer,
    attributions: Sequence[Attribution],
    metrics: Sequence[ImageMetric | NetworkMetric],
    batch: Batch,
    known: Throughput,
) -> Throughput:
    """The same with each of these methods and metrics that a few seconds are enough for."""
    device = explainer.run.device
    costs = Costs(explainer.network, device)
    request, clean = explainer.request_for(batch)

    def explained(method: Attribution, count: int) -> Explained | str:
        first = list(range(count))
        return explainer.explanations(request.select(first), clean[:count], batch.first(count), [method])[method]

    explanations: dict[Attribution, float] = {}
    unsupported: dict[Attribution, str] = {}
    methods = sorted(attributions, key=lambda method: known.of(costs.explanation(method)))
    cheapest: Explained | None = None
    for method in methods:
        if known.of(costs.explanation(method)) > TOO_LONG:
            continue
        explain = partial(explained, method)
        first = explain(1)
        if isinstance(first, str):
            unsupported[method] = first
            continue
        explanations[method] = per_image(explain, len(batch.ids), device)
        if cheapest is None:
            own = explain(len(batch.ids))
            cheapest = own if isinstance(own, Explained) else None
    known = replace(known, explanations=explanations, unsupported=unsupported)
    if cheapest is None:
        return known
    known = _with_scores(metrics, cheapest, costs, known, device)
    return replace(known, points=_points(metrics, cheapest, costs, known))


def _with_scores(
    metrics: Sequence[ImageMetric | NetworkMetric],
    explained: Explained,
    costs: Costs,
    known: Throughput,
    device: torch.device,
) -> Throughput:
    """The same with each metric's seconds for an image of a cheap explanation, without what explaining anew takes."""
    scores: dict[ImageMetric, float] = {}
    curves: dict[ImageMetric, int] = {}
    for metric in metrics:
        if isinstance(metric, NetworkMetric) or known.of(costs.score(metric, explained.method)) > TOO_LONG:
            continue
        score = partial(_scored, metric, explained)
        first = score(1)
        if not isinstance(first, str):
            again = costs.repeats(metric) * known.explanations[explained.method]
            scores[metric] = max(per_image(score, len(explained.request), device) - again, 0.0)
            curves[metric] = 0 if first[0].curve is None else first[0].curve.shape[1]
    return replace(known, scores=scores, curves=curves)


def _points(
    metrics: Sequence[ImageMetric | NetworkMetric], explained: Explained, costs: Costs, known: Throughput
) -> float | None:
    """The share of the points of curves that adaptive ones take of one image; None where there is no such curve."""
    whole = taken = 0
    for metric in metrics:
        changed = adaptive(metric, TOLERANCE)
        if changed is not None and known.of(costs.score(metric, explained.method)) <= 2 * TOO_LONG:
            ends = costs.ends([metric], 1)
            counted = passes_of(explained.network, partial(_scored, changed, explained, 1))[0]
            whole, taken = whole + costs.score(metric, explained.method).forward, taken + counted - ends
    return taken / whole if whole else None


def per_image(work: Callable[[int], object], most: int, device: torch.device) -> float:
    """Seconds for each of as many images, `most` at most, as a measurement has time for; the first is done before."""
    one = seconds(lambda: work(1), device)
    count = max(1, min(most, int(ENOUGH / max(one, 1e-6))))
    return one if count == 1 else seconds(lambda: work(count), device) / count


@dataclass(frozen=True)
class Timing:
    """Seconds that some work takes, and how many times as long that is as its threads computed (1 on a GPU)."""

    seconds: float
    waited: float


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that some work takes, the best of a few timings where it is short."""
    return timed(work, device).seconds


def timed(work: Callable[[], object], device: torch.device) -> Timing:
    """The shortest of a few timings where the work is short; of this thread's own time where it does everything."""
    timings = [_timed(work, device)]
    while len(timings) < TIMINGS and sum(own.seconds for own in timings) + timings[0].seconds < SHORT:
        timings.append(_timed(work, device))
    return min(timings, key=lambda own: own.seconds)


def _timed(work: Callable[[], object], device: torch.device) -> Timing:
    threads = torch.get_num_threads()
    alone = device.type == "cpu" and threads == 1
    clock = time.thread_time if alone else time.perf_counter
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began, computed = clock(), time.process_time()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    took = clock() - began
    return Timing(took, waited(took, time.process_time() - computed, threads) if device.type == "cpu" else 1.0)


def waited(took: float, computed: float, threads: int) -> float:
    """How many times as long work took as `threads` need that computed so many seconds together."""
    return max(took * threads / max(computed, 1e-9), 1.0) if took > 0 else 1.0


def _scored(metric: ImageMetric, explained: Explained, count: int) -> list[Scored] | str:
    return attempt(partial(measure, [(metric, explained.select(list(range(count))))]))
