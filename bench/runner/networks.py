"""The networks of a suite, ready to be explained: built, with weights from a file or trained by a recipe."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor, nn

from bench.api import Dataset, Network, Preprocess, Recipe
from bench.checks import trials
from bench.checks.network_promises import LOOKED_AT, NETWORK_CHECKS, checks_for, look_at, look_at_full, sample, tried
from bench.data.batches import Batch, evenly_spaced, load
from bench.data.imagenet_classes import WNIDS, imagenet_names
from bench.data.label_map import check_outputs, check_readable, output_of_each_label
from bench.engine import clean_logits
from bench.errors import HeatmarkError, blamed
from bench.files import key_of, locked
from bench.pretrained.by_name import pretrained
from bench.pretrained.record import About, unsaid_preprocess
from bench.progress import Progress
from bench.runner.identity import code_hash, identity
from bench.runner.records import Run, Trained
from bench.suites.load import Suite
from bench.suites.schema import NetworkTable
from bench.training.architectures import OURS, SMALL, build, call, code_of_callable
from bench.training.checkpoints import read_trained, write_trained
from bench.training.distributed import rank, wait
from bench.training.loop import TrainingJob, train, training_identity, with_weights_of
from bench.training.weight_files import about_beside, filled, outputs_of, weights_hash

Missing = Literal["train", "refuse", "leave"]
LOOK = pa.schema([("promise", pa.string())])


@dataclass(frozen=True)
class NetworkLoader:
    """Loads or trains the networks of a table; what is trained is kept in `folder`.

    What is not kept there is trained, refused, or left with the weights that it would start from and an empty log.
    Its outputs stand for the classes of `dataset`, None where there is none. Errors name `where` the table stands.
    """

    table: NetworkTable
    recipe: Recipe
    dataset: Dataset | None
    where: str
    folder: Path
    device: torch.device
    progress: Progress
    if_missing: Missing = "train"

    @classmethod
    def of(
        cls,
        suite: Suite,
        number: int,
        folder: Path,
        device: torch.device,
        progress: Progress,
        if_missing: Missing = "train",
    ) -> "NetworkLoader":
        """For one entry of a suite."""
        table, where = suite.table.networks[number], f"{suite.file}: networks[{number}]"
        return cls(table, suite.recipes[number], suite.dataset, where, folder, device, progress, if_missing)

    def load(self, *, retrain: bool = False) -> list[Trained]:
        """The networks of the entry, one for each seed: loaded, or trained and kept; all trained with `retrain`.

        HeatmarkError where the entry has neither weights nor training, or a file does not fit.
        """
        table = self.table
        check_readable(self.dataset, self.where)
        if table.training is not None and (retrain or table.weights is None):
            ready = [self._trained(seed) for seed in table.seeds]
        elif table.weights is None or _names_weights(table):
            ready = [self._of_library(table.seeds[0])]
        else:
            seeds = table.seeds if "{seed}" in table.weights else table.seeds[:1]
            ready = [self._from_file(seed) for seed in seeds]
        if table.training is None:
            return ready
        return [
            replace(trained, training=table.training, train_again=partial(self.train_again, trained.seed))
            for trained in ready
        ]

    def train_again(self, seed: int, dataset: Dataset, recipe: Recipe | None) -> Network:
        """The network of this seed trained on another data set, by its own recipe or another."""
        return replace(self, dataset=dataset, recipe=recipe or self.recipe)._trained(seed).network

    def _of_library(self, seed: int) -> Trained:
        """The network with the weights that its library, its own module or somebody's own callable gives it."""
        table = self.table
        with blamed(f"{self.where}.architecture"):
            if table.architecture in SMALL:
                raise HeatmarkError(f"{table.label} has neither weights nor training; expected one of them")
            if table.architecture in OURS:
                return self._ready(seed, build(table.architecture, self._outputs), "")
            if table.runs_code:
                return self._ready(seed, call(table.architecture), "")
            found = pretrained(table.architecture, table.weights or "DEFAULT", download=table.download)
        return self._ready(seed, found.module, "", found.about)

    def _from_file(self, seed: int) -> Trained:
        table = self.table
        path = Path(str(table.weights).replace("{seed}", str(seed)))
        if table.runs_code:
            with blamed(f"{self.where}.architecture"):
                module = call(table.architecture, str(path))
        else:
            make = partial(build, table.architecture, download=table.download)
            with blamed(f"{self.where}.architecture"):
                module = make(self._outputs)
            with blamed(f"{self.where}.weights"):
                module = filled(module, path, make if table.outputs is None else None)
        about = about_beside(path)
        log = about.get("log")
        trained = replace(self._ready(seed, module, json.dumps(log) if log else ""), source=path.name)
        known = str(about.get("weights"))
        if re.fullmatch(r"[0-9a-f]{64}", known) and known != trained.weights:
            raise HeatmarkError(f"{path} does not hold the weights that {path.stem}.json beside it is about")
        return trained

    def _trained(self, seed: int) -> Trained:
        table = self.table
        assert table.training is not None  # noqa: S101 - for the type checker
        assert self.dataset is not None  # noqa: S101 - the same: only suites train
        job = TrainingJob(self.recipe, self.dataset, table.training, seed)
        identity = self._identity(job)
        path = self.folder / f"{table.label}-{job.recipe.name}-{seed}-{key_of(identity)[:16]}.safetensors"
        module = self._untrained(seed)
        if self.if_missing == "leave" and not path.exists():
            return self._ready(seed, module, "[]")
        what = f"the training of {table.label} by {job.recipe.label}, seed {seed}"
        with locked(path.with_name(f".{path.stem}.lock"), what) if rank() == 0 else nullcontext():
            wait()
            about = read_trained(path, module, identity)
            if about is None:
                about = {"log": self._train(job, module, path, identity)}
                module = with_weights_of(module, self._untrained(seed), job.recipe)
            if rank() == 0:
                path.with_suffix(".partial").unlink(missing_ok=True)
        return self._ready(seed, module, json.dumps(about["log"]))

    def _train(self, job: TrainingJob, module: nn.Module, path: Path, identity: dict[str, Any]) -> list[dict[str, Any]]:
        """Train the module and keep its weights at `path`; the log. HeatmarkError where it may not be trained."""
        network = self._ready(job.seed, module, "").network
        if self.if_missing == "refuse":
            raise HeatmarkError(f"{network.name} by {job.recipe.label}, seed {job.seed}, is not in {self.folder}")
        log = train(job, network, self.device, path.with_suffix(".partial"), self.progress)
        if rank() == 0:
            write_trained(path, module, {**identity, "log": log})
        wait()
        return log

    def _identity(self, job: TrainingJob) -> dict[str, Any]:
        """Everything that decides its weights."""
        return {
            **training_identity(job),
            "architecture": [self.table.architecture, code_of_callable(self.table.architecture), self._outputs],
            "preprocess": asdict(self._preprocess()),
            "code": code_hash(),
            "torch": torch.__version__,
            "device": self.device.type,
        }

    def _untrained(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(), blamed(f"{self.where}.architecture"):
            torch.manual_seed(seed)
            make = call if self.table.runs_code else build
            return make(self.table.architecture, self._outputs)

    def _ready(self, seed: int, module: nn.Module, log: str, about: About | None = None) -> Trained:
        table, recipe = self.table, self.recipe.label
        if about is None:
            about = About(self._preprocess(), *self._known_outputs(module))
            if not (table.training or table.preprocess.model_fields_set or table.architecture in OURS):
                unsaid_preprocess(self._preprocess(), table.label)
        with blamed(f"{self.where}.architecture"):
            preprocess = about.preprocess_with(table.preprocess.model_dump(exclude_unset=True), table.label)
        module = module.to(self.device).to(memory_format=torch.channels_last).eval()
        with blamed(f"{self.where}.label_map"):
            names = (about.categories, about.wordnet_ids, table.label)
            labels = output_of_each_label(table.label_map, self.dataset, *names)
        network = Network(module, table.label, recipe, preprocess, labels, output=table.output)
        # Without the folder of somebody's own file, which differs from machine to machine.
        architecture = table.architecture.rpartition("/")[2] if table.runs_code else table.architecture
        return Trained(
            *(network, architecture, recipe, seed, weights_hash(module), log, code_of_callable(table.architecture)),
            source=about.weights,
            categories=about.categories,
        )

    def _preprocess(self) -> Preprocess:
        return Preprocess(**self.table.preprocess.model_dump())

    def _known_outputs(self, module: nn.Module) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names and WordNet ids of the outputs of weights that say nothing of them: ImageNet's if they are 1,000.

        None where the network is trained here, or has an output for each class.
        """
        outputs = None if self.table.training else outputs_of(module)
        if outputs != len(WNIDS) or self._classes == outputs:
            return (), ()
        return imagenet_names(), WNIDS

    @property
    def _outputs(self) -> int:
        single = self.table.output in ("logit", "number")
        return self.table.outputs or (1 if single else self._classes)

    @property
    def _classes(self) -> int:
        return 1 if self.dataset is None else len(self.dataset.classes)


def _names_weights(table: NetworkTable) -> bool:
    """Whether `weights` are a library's by name, not a file."""
    name = table.weights or ""
    own = table.runs_code or table.architecture in OURS
    return not own and re.fullmatch(r"\w+", name) is not None and not Path(name).exists()


def looked_at(run: Run, trained: Trained) -> Trained:
    """The network with the promises that it keeps on images of the suite; HeatmarkError for one that it breaks."""
    few = replace(trained.network, chunk=1)

    def compute(images: Tensor) -> list[str]:
        return look_at(few, images, needs_gradient=_needs_gradient(run))

    seen = replace(trained, look=_look(run, trained, str(_needs_gradient(run)), compute))
    _check_outputs(run, trained)
    return seen


def looked_at_full(run: Run, trained: Trained) -> Trained:
    """The network, which answers alike in passes as large as the run's; HeatmarkError where it does not."""
    network = trained.network
    _look(run, trained, f"chunk {network.chunk}", lambda images: look_at_full(network, images))
    return trained


def _look(run: Run, trained: Trained, what: str, compute: Callable[[Tensor], list[str]]) -> tuple[str, ...]:
    """The promises that were found to be kept, from the store or by looking."""
    promises = ("look", what, *(check.__name__ for check in NETWORK_CHECKS))
    parts = identity(run, [trained], run.ids(_positions(run, trained)), *promises)
    kept = run.stored(parts, LOOK, lambda: pd.DataFrame({"promise": compute(_batch(run, trained).images)}))
    return tuple(kept.promise)


def _check_outputs(run: Run, trained: Trained) -> None:
    """HeatmarkError where labels would be taken for outputs that are not there; a note where outputs are over."""
    network, classes = trained.network, len(run.dataset.classes)
    asks = run.dataset.labelled and network.label_map is None and network.output in ("logits", "probabilities")
    if asks and outputs_of(network.module) != classes:
        few = sample(_batch(run, trained).images)[:1]
        check_outputs(clean_logits(replace(network, chunk=1), few).shape[1], classes, network.name)


def suite_trials(run: Run) -> Iterator[tuple[str, Callable[[], None] | None]]:
    """Every check of a suite's networks and data set by name, ready to be called; None where it must be trained first.

    Networks that the suite trains are trained by `heatmark run` or `train`, and looked at there.
    """
    check_readable(run.dataset, f"{run.suite.file}: dataset")
    for number, table in enumerate(run.table.networks):
        if table.weights is None:
            yield f"network {table.name or table.architecture} by {run.suite.recipes[number].label}", None
            continue
        for trained in NetworkLoader.of(run.suite, number, run.store.networks, run.device, run.progress).load():
            yield f"network {trained.network.name}: has an output for each class", partial(_check_outputs, run, trained)
            images = sample(_batch(run, trained).images)
            for check in checks_for(_needs_gradient(run)):
                yield (
                    f"network {trained.network.name}: {check.__name__}",
                    partial(tried, check, trained.network, images),
                )
    for name, trial in trials(run.dataset):
        yield f"data set {run.dataset.name}: {name}", trial


def _needs_gradient(run: Run) -> bool:
    return any(method.needs_gradient for method in run.suite.attributions)


def _positions(run: Run, trained: Trained) -> list[int]:
    chosen = run.chosen(trained.network, run.table.dataset.images)
    return [chosen[i] for i in evenly_spaced(len(chosen), LOOKED_AT)]


def _batch(run: Run, trained: Trained) -> Batch:
    return load(run.dataset, run.split, _positions(run, trained), trained.network, run.device)
