"""What a suite will cost before it starts, by the costs that plug-ins declare and the speed of this device."""

import heapq
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from bench.api import NetworkMetric
from bench.engine.memory_limit import peak_memory
from bench.parallel.bookkeeping import keeping_seconds, report_seconds
from bench.parallel.costs import Costs
from bench.parallel.throughput import BUSY, TOLERANCE, Throughput, measured, passes_measured
from bench.parallel.training_cost import training_task
from bench.parallel.units import Job
from bench.parallel.workload import Task, Workload, name_of
from bench.runner.accuracy import accuracies_lacking
from bench.runner.blocks import Block, blocks_of
from bench.runner.networks import NetworkLoader, looked_at
from bench.runner.records import Run, Trained
from bench.runner.sample_heatmaps import pictures_lacking
from bench.runner.speed import AuditSample, audit_sample, set_up, tuned, with_chunk
from bench.sequential.looks import look_counts

DEAREST = 10
_BY_IMAGE = ("predictions", "explanations", "scores")
# Of a cell: its columns' ends and checksums, and for each image its id and status, a score, a point of a curve.
CELL_BYTES, IMAGE_BYTES, POINT_BYTES = 2100, 9, 3.5
PICTURE_BYTES = 0.9  # for each pixel of a heatmap, its rank map, and a channel of its image


@dataclass(frozen=True)
class Plan:
    """The tasks of a run, and what it needs beside passes.

    `cells` of which so many are `stored`; `start` seconds until a process has its networks, `finish` those that keeping
    its cells and the report take, in one process; `memory` bytes that a process takes at least, of a `limit` where it
    has one; `images` the most of one network; `notes` what was assumed or could not be known.
    """

    suite: str
    device: str
    workers: int
    threads: int
    tasks: tuple[Task, ...]
    cells: int
    stored: int
    images: int
    start: float
    finish: float
    memory: int
    limit: int | None
    store_bytes: int
    notes: tuple[str, ...] = ()

    @property
    def forward(self) -> int:
        """All passes forward."""
        return sum(task.forward for task in self.tasks)

    @property
    def backward(self) -> int:
        """All passes backward."""
        return sum(task.backward for task in self.tasks)

    @property
    def seconds(self) -> float:
        """Seconds in one process, its start and the report included."""
        return self.seconds_of(1)

    def seconds_of(self, workers: int) -> float:
        """Seconds where so many processes share the work, as fast as this one each; trainings and tables are whole."""
        whole = [task.seconds for task in self.tasks if task.what in ("training", "accuracy", "precision audit")]
        shared = sum(task.seconds for task in self.tasks) / workers
        return self.start + max([shared, *whole]) + self.finish

    @property
    def dearest(self) -> list[Task]:
        """The tasks of the cells that take longest, one for each network, method and metric."""
        return heapq.nlargest(DEAREST, (task for task in self.tasks if task.cells), key=lambda task: task.dearest)

    def with_adaptive_curves(self) -> tuple[int, float] | None:
        """Passes forward and seconds that adaptive curves would save; None where there are none, or all are."""
        own = [(task, task.adaptive) for task in self.tasks if task.adaptive is not None]
        if not own:
            return None
        return sum(t.forward - left[0] for t, left in own), sum(t.seconds - left[1] for t, left in own)

    def with_images(self, share: float) -> float:
        """Seconds with this share of the images."""
        work = sum(task.seconds * (share if task.what in _BY_IMAGE else 1) for task in self.tasks)
        return self.start + work + self.finish

    def decided_at_once(self) -> tuple[int, int, int, float]:
        """Images, passes forward and backward, and seconds where `--decide` leaves off everything at its first look.

        Nothing takes less. What takes most, as where methods are alike, is the whole suite.
        """
        images = look_counts(self.images)[0] if self.images else 0
        share = images / max(self.images, 1)
        forward = sum(task.forward * (share if task.what in _BY_IMAGE else 1) for task in self.tasks)
        backward = sum(task.backward * (share if task.what in _BY_IMAGE else 1) for task in self.tasks)
        return images, round(forward), round(backward), self.with_images(share)

    def record(self) -> dict[str, Any]:
        """Everything for programs."""
        saved = self.with_adaptive_curves()
        return {
            **{name: value for name, value in asdict(self).items() if name != "tasks"},
            "forward": self.forward,
            "backward": self.backward,
            "minutes": {workers: self.seconds_of(workers) / 60 for workers in sorted({1, self.workers})},
            "dearest": [asdict(task) for task in self.dearest],
            "adaptive": saved and {"tolerance": TOLERANCE, "forward": saved[0], "minutes": saved[1] / 60},
            "decided_at_once": dict(
                zip(("images", "forward", "backward", "seconds"), self.decided_at_once(), strict=True)
            ),
            "quarter_of_the_images": {"minutes": self.with_images(0.25) / 60},
            "tasks": [asdict(task) for task in self.tasks],
        }


@dataclass
class _Gathering:
    """What is found network by network."""

    tasks: list[Task] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    cells: int = 0
    stored: int = 0
    images: int = 0
    start: float = 0.0
    finish: float = 0.0
    waited: list[float] = field(default_factory=list)


def plan_of(job: Job, run: Run, given: Throughput | None = None) -> Plan:
    """What carrying out the job will take: at the speed that is measured here, or at one that is given.

    Networks are looked at and their chunks measured, as the run would do it, and it will not do it again. None is
    trained: what waits for a training is planned on the network that the training would start from.
    """
    began = time.perf_counter()
    imports = time.process_time()
    found = _Gathering(start=imports, finish=report_seconds(imports))
    for number in range(len(run.suite.recipes)):
        _add_entry(job, run, number, given, found)
        run.progress.advance("networks planned", 1, len(run.suite.recipes) if number == 0 else 0)
    metrics = [metric.label for metric in run.suite.metrics if isinstance(metric, NetworkMetric)]
    if metrics:
        found.notes[f"networks that {', '.join(metrics)} may train anew are not counted"] = None
    if max(found.waited, default=1.0) > BUSY:
        said = f"a pass took {max(found.waited):.0f} times as long as its threads computed"
        found.notes[f"the machine is busy with other work, so that this plan is too long: {said}"] = None
    found.notes[f"planned in {time.perf_counter() - began:.0f} s"] = None
    return Plan(
        *(job.suite.table.name, job.device, job.processes, torch.get_num_threads(), tuple(found.tasks)),
        *(found.cells, found.stored, found.images),
        *(found.start, found.finish),
        peak_memory(run.device),
        run.memory,
        sum(_bytes(run, task) for task in found.tasks),
        tuple(found.notes),
    )


def _add_entry(job: Job, run: Run, number: int, given: Throughput | None, found: _Gathering) -> None:
    loader = NetworkLoader.of(run.suite, number, run.store.networks, run.device, run.progress, "leave")
    began = time.process_time()
    loaded = loader.load(retrain=job.retrain)
    found.start += time.process_time() - began
    group = [trained if given is not None else _ready(run, trained, found) for trained in loaded]
    blocks = list(blocks_of(run, group))
    for own, trained in zip(group, loaded, strict=True):
        sample = audit_sample(run, replace(trained, network=replace(own.network, precision="fp32")))
        speed = given or _speed(run, own, blocks, sample, found)
        workload = Workload(run, own, Costs(own.network, run.device), speed)
        if trained.training is not None and _untrained(trained):
            found.tasks.append(training_task(run, number, own, trained.training, measure=given is None))
        found.tasks += [*workload.tables(), *(workload.audit(sample) if sample else ())]
        single = [block for block in blocks if not _compares(block) and block.explainers[0].trained is own]
        found.tasks += workload.cells(single)
        found.tasks += workload.cells([block for block in blocks if _compares(block)], first=own is group[0])
    lacking = sum(block.lacking() for block in blocks)
    found.cells += sum(len(block.pairs) for block in blocks)
    found.stored += sum(len(block.pairs) for block in blocks) - lacking
    chosen = run.chosen(group[0].network, run.table.dataset.images)
    found.finish += lacking * keeping_seconds(run, chosen) if lacking else 0.0
    found.images = max(found.images, len(chosen))


def _compares(block: Block) -> bool:
    return isinstance(block.pairs[0][1], NetworkMetric)


def _ready(run: Run, trained: Trained, found: _Gathering) -> Trained:
    """The network set up as the run would."""
    if not _untrained(trained):
        trained = looked_at(run, trained)
    trained = set_up(run, trained)
    sample = audit_sample(run, trained)
    if sample is None:
        return trained
    if sample.known:
        return tuned(run, trained)
    trained, speed = _fastest(run, trained, [*sample.tried])
    said = f"{name_of(trained)}: {trained.network.precision}, the fastest, if its audit lets it"
    found.notes[f"{said}; in fp32 a forward pass takes {(speed.exact or 0) / speed.forward:.1f} times as long"] = None
    return trained


def _speed(
    run: Run, trained: Trained, blocks: Sequence[Block], sample: AuditSample | None, found: _Gathering
) -> Throughput:
    """What is measured of a network: only what there is still to do with it."""
    todo = [
        pair
        for block in blocks
        if any(own is trained for own in block.group)
        for _, pairs in block.todo()
        for pair in pairs
    ]
    audited = sample is not None and not sample.known
    methods = [method for method, _ in todo] if not (audited or pictures_lacking(run, trained)) else None
    metrics = [metric for _, metric in todo] if not audited else None
    if not (todo or audited or methods is None or _untrained(trained) or any(accuracies_lacking(run, trained))):
        return Throughput(0.0, 0.0, 0.0)
    speed = measured(
        run,
        trained,
        run.suite.attributions if methods is None else list(dict.fromkeys(methods)),
        run.suite.metrics if metrics is None else list(dict.fromkeys(metrics)),
    )
    for method, reason in speed.unsupported.items():
        found.notes[f"{method.label} on {trained.network.name}: {reason}"] = None
    found.waited.append(speed.waited)
    return speed


def _fastest(run: Run, trained: Trained, precisions: Sequence[Any]) -> tuple[Trained, Throughput]:
    """The network in the precision that the audit will choose where all of them pass."""
    own = [
        with_chunk(run, replace(trained, network=replace(trained.network, precision=precision)))
        for precision in precisions
    ]
    return min(((each, passes_measured(run, each)) for each in own), key=lambda pair: pair[1].forward)


def _untrained(trained: Trained) -> bool:
    return trained.log == "[]"


def _bytes(run: Run, task: Task) -> int:
    """Bytes that a task leaves in the store."""
    if task.what == "pictures":
        height, width = run.table.networks[0].preprocess.size
        return round(task.images * height * width * PICTURE_BYTES * (3 + 2 * len(run.suite.attributions)))
    return round(task.cells * CELL_BYTES + task.images * (IMAGE_BYTES + POINT_BYTES * task.curve)) if task.cells else 0
