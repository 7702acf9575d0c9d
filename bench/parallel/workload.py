"""What a run still has to do: its tasks, each with passes through the network and seconds."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.api import Attribution, Cost, ImageMetric, NetworkMetric, PerturbationMetric
from bench.parallel.costs import Costs, adaptive
from bench.parallel.throughput import TOLERANCE, Throughput
from bench.runner.accuracy import accuracies_lacking
from bench.runner.blocks import Block, Pair
from bench.runner.records import Run, Trained
from bench.runner.sample_heatmaps import pictures_lacking
from bench.runner.speed import AuditSample

What = Literal["training", "accuracy", "pictures", "precision audit", "predictions", "explanations", "scores"]


@dataclass(frozen=True)
class Task:
    """Work of one kind on one network for `images`, `cells` of the store: passes in all, and seconds.

    `dearest` is what the largest of its cells takes. `adaptive` is what would be left of the forward passes and the
    seconds with adaptive curves, for scores by curves that are not.
    """

    network: str
    what: What
    images: int
    forward: int
    backward: int
    seconds: float
    method: str = ""
    metric: str = ""
    cells: int = 0
    curve: int = 0
    dearest: float = 0.0
    adaptive: tuple[int, float] | None = None


@dataclass(frozen=True, eq=False)
class Workload:
    """The tasks of one network, by declared costs and measured or given throughput."""

    run: Run
    trained: Trained
    costs: Costs
    speed: Throughput

    @property
    def name(self) -> str:
        """The network, its recipe and seed, as tasks name them."""
        return name_of(self.trained)

    def tables(self) -> Iterator[Task]:
        """Accuracy untouched and under attack, and the pictures, as far as they are not in the store."""
        untouched, attacked = accuracies_lacking(self.run, self.trained)
        steps = self.run.table.attack.steps
        seconds = untouched * (self.speed.plain + self.speed.load)
        seconds += attacked * (steps * self.speed.gradient + self.speed.plain + self.speed.load)
        if untouched or attacked:
            forward = untouched + attacked * (steps + 1)
            yield Task(self.name, "accuracy", untouched + attacked, forward, attacked * steps, seconds)
        shown = pictures_lacking(self.run, self.trained)
        if shown:
            yield self._all_methods("pictures", shown)

    def audit(self, sample: AuditSample) -> Iterator[Task]:
        """What comparing precisions on a sample takes; nothing where that is known."""
        if sample.known:
            return
        images, methods = len(sample.positions), self._supported()
        explained = self._all_methods("precision audit", images)
        metrics = [metric for metric in self.run.suite.metrics if isinstance(metric, PerturbationMetric)]
        points = sum(self.costs.score(metric, method).forward for metric in metrics for method in methods)
        seconds = images * sum(self.score_seconds(metric, method) for metric in metrics for method in methods)
        # Each precision beside fp32, and one image before the clock starts.
        times, slower = len(sample.tried), (self.speed.exact or self.speed.forward) / self.speed.forward
        forward = 2 * times * (images * points + self.costs.ends(metrics, images) + 1)
        yield Task(
            *(self.name, "precision audit", images, explained.forward + forward, explained.backward),
            explained.seconds + times * (1 + slower) * seconds,
        )

    def cells(self, blocks: Sequence[Block], *, first: bool = True) -> Iterator[Task]:
        """The cells of blocks that are not in the store: predictions, explanations, scores.

        Where networks are compared all of them predict and explain, and the `first` is asked for its targets before.
        """
        explained: Counter[tuple[tuple[Pair, ...], Attribution, int]] = Counter()
        compares = any(isinstance(block.pairs[0][1], NetworkMetric) for block in blocks)
        batches: Counter[tuple[tuple[Pair, ...], int]] = Counter()
        missing: dict[tuple[Pair, ...], list[int]] = {}
        for block in blocks:
            own: Counter[tuple[Pair, ...]] = Counter()
            for part, pairs in block.todo():
                batches[pairs, len(part)] += 1
                own[pairs] += len(part)
                explained.update((pairs, method, len(part)) for method in block.unexplained(self.trained, part, pairs))
            for pairs, images in own.items():
                missing.setdefault(pairs, []).append(images)
        for pairs, in_cells in missing.items():
            sizes = {size: count for (group, size), count in batches.items() if group is pairs or group == pairs}
            for _ in range(2 if compares and first else 1):
                yield self._predictions(pairs, sizes)
            for method in dict.fromkeys(method for method, _ in pairs):
                lacking = {size: explained[pairs, method, size] for size in sizes}
                if any(lacking.values()):
                    yield self._explanations(method, lacking)
            for method, metric in pairs if first else ():
                yield self._scores(method, metric, in_cells, sum(sizes.values()))

    def score_seconds(self, metric: ImageMetric | NetworkMetric, method: Attribution) -> float:
        """Seconds of a score for each image, explanations anew included."""
        if isinstance(metric, NetworkMetric):
            return 0.0
        own = self.speed.scores.get(metric)
        if own is None:
            own = self.speed.of(metric.cost(self.costs.network, self.costs.request, Cost(0, 0)))
        return own + self.costs.repeats(metric) * self.explanation_seconds(method)

    def explanation_seconds(self, method: Attribution) -> float:
        """Seconds of an explanation for each image."""
        known = self.speed.explanations.get(method)
        return self.speed.of(self.costs.explanation(method)) if known is None else known

    def _predictions(self, pairs: Sequence[Pair], sizes: dict[int, int]) -> Task:
        """Untouched images, and where nothing or everything of them has been replaced."""
        images = sum(size * count for size, count in sizes.items())
        curves = list({metric: None for _, metric in pairs if isinstance(metric, PerturbationMetric)})
        ends = sum(count * self.costs.ends(curves, size) for size, count in sizes.items())
        seconds = images * (self.speed.plain + self.speed.load) + ends * self.speed.forward
        return Task(self.name, "predictions", images, images + ends, 0, seconds)

    def _explanations(self, method: Attribution, sizes: dict[int, int]) -> Task:
        images = sum(size * count for size, count in sizes.items())
        if method in self.speed.unsupported:
            return Task(self.name, "explanations", images, 0, 0, 0.0, method.label)
        cost, seconds = self.costs.explanation(method), self.explanation_seconds(method)
        chunks = sum(count * math.ceil(size / self.costs.network.chunk) for size, count in sizes.items())
        passes = (images * cost.forward + chunks * cost.shared, images * cost.backward)
        return Task(self.name, "explanations", images, *passes, images * seconds, method.label)

    def _scores(
        self, method: Attribution, metric: ImageMetric | NetworkMetric, cells: Sequence[int], batches: int
    ) -> Task:
        images = sum(cells)
        names = (method.label, metric.label, len(cells), self._curve(metric))
        if method in self.speed.unsupported:
            return Task(self.name, "scores", images, 0, 0, 0.0, *names)
        cost, each = self.costs.score(metric, method), self.score_seconds(metric, method)
        left = None
        if self.speed.points is not None and adaptive(metric, TOLERANCE) is not None:
            left = (round(images * cost.forward * self.speed.points), images * each * self.speed.points)
        forward = images * cost.forward + batches * cost.shared
        return Task(
            *(self.name, "scores", images, forward, images * cost.backward, images * each),
            *(*names, max(cells) * each, left),
        )

    def _curve(self, metric: ImageMetric | NetworkMetric) -> int:
        """Points of its curve, 0 where that is not known before."""
        if isinstance(metric, NetworkMetric):
            return 0
        if not isinstance(metric, PerturbationMetric):
            return self.speed.curves.get(metric, 0)
        return len(metric.plan(*metric.ranked_size(self.costs.request.images)).counts)

    def _all_methods(self, what: What, images: int) -> Task:
        methods = self._supported()
        cost = sum((self.costs.explanation(method) for method in methods), Cost(1, 0))
        each = self.speed.plain + self.speed.load + sum(map(self.explanation_seconds, methods))
        return Task(self.name, what, images, images * cost.forward, images * cost.backward, images * each)

    def _supported(self) -> list[Attribution]:
        return [method for method in self.run.suite.attributions if method not in self.speed.unsupported]


def name_of(trained: Trained) -> str:
    """The network, its recipe, and its seed where that is not the first, for people."""
    seed = f", seed {trained.seed}" if trained.seed else ""
    return f"{trained.network.name} by {trained.recipe}{seed}"
