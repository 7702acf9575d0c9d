"""One training loop for every recipe; after a kill it goes on from the last whole epoch, bit by bit the same."""

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bench.api import Dataset, Network, Recipe
from bench.augment import augmented
from bench.ceremony import untouched
from bench.checkpoints import State, read_checkpoint, write_checkpoint
from bench.data import Batch, batches, spread, stacked, usable
from bench.errors import HeatmarkError
from bench.networks import file_hash, load_weights
from bench.optimisers import Training, optimiser_of, schedule_of
from bench.parallel import members, parallel, rank, share, weight
from bench.plugins import source_file
from bench.progress import Progress
from bench.randomness import generator


@dataclass(frozen=True)
class Course:
    """One training: a recipe on a data set, from a seed."""

    recipe: Recipe
    dataset: Dataset
    training: Training
    seed: int


def train(
    course: Course, network: Network, device: torch.device, checkpoint: Path, progress: Progress
) -> list[dict[str, Any]]:
    """Train the network's weights in place; returns the log, a dict per epoch.

    After each epoch the whole state is written to `checkpoint`; where that file exists the training goes on
    from it. What is drawn in an epoch is decided by (seed, epoch) alone, so that nothing is lost by a kill.
    HeatmarkError where the recipe needs truth maps that are not there, or the loss is not finite any more.
    """
    _check_truth(course)
    module, training = network.module, course.training
    if training.start is not None:
        load_weights(module, Path(training.start))
    known = usable(course.dataset, "train", network)
    positions = [known[i] for i in spread(len(known), training.images)]
    optimiser = optimiser_of(training, module)
    steps = training.epochs * len(_parts(course, positions))
    state = State(module, optimiser, schedule_of(training, optimiser, steps))
    if checkpoint.exists():
        read_checkpoint(checkpoint, state)
    course.dataset.sample("train", positions[0])  # what it makes once is made here, not in each loading process
    name = f"training {network.name} by {course.recipe.label}, seed {course.seed}"
    progress.advance(name, len(state.log), training.epochs)
    lesson = parallel(_Lesson(course.recipe, network))
    for epoch in range(len(state.log), training.epochs):
        began = time.monotonic()
        loss = _epoch(course, network, lesson, state, positions, epoch, device)
        state.log.append({"epoch": epoch, "loss": loss, **_validated(course, network, device)})
        state.log[-1]["seconds"] = round(time.monotonic() - began, 1)
        if training.keep == "best" and state.log[-1]["accuracy"] >= max(entry["accuracy"] for entry in state.log):
            state.best = {key: values.clone() for key, values in module.state_dict().items()}
        if rank() == 0:
            write_checkpoint(checkpoint, state)
        progress.advance(name, 1)
    if state.best:
        module.load_state_dict(state.best)
    module.eval()
    return state.log


def described(course: Course) -> dict[str, Any]:
    """What decides a training besides the code of `bench` and the architecture."""
    recipe, training, start = course.recipe, asdict(course.training), course.training.start
    return {
        "recipe": {"name": recipe.name, **recipe.settings},
        "recipe_source": hashlib.sha256(source_file(type(recipe)).read_bytes()).hexdigest(),
        "training": {**training, "start": None if start is None else file_hash(Path(start))},
        "dataset": {"name": course.dataset.name, "fingerprint": course.dataset.fingerprint()},
        "seed": course.seed,
        "processes": members(),
    }


class _Lesson(nn.Module):
    """A recipe's loss as a forward pass, which is what data-parallel training wraps."""

    def __init__(self, recipe: Recipe, network: Network) -> None:
        super().__init__()
        self.recipe, self.network, self.module = recipe, network, network.module

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """The recipe's loss on the batch."""
        return self.recipe.loss(self.network, batch.images, batch.outputs, batch.truth, rng)


def _epoch(
    course: Course,
    network: Network,
    lesson: nn.Module,
    state: State,
    positions: Sequence[int],
    epoch: int,
    device: torch.device,
) -> float:
    """One pass over the data; the mean loss."""
    network.module.train()
    total = torch.zeros((), device=device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(_seed(course, "network", epoch))  # for dropout
        rng = torch.Generator().manual_seed(_seed(course, "recipe", epoch))
        order = [positions[i] for i in generator(course.seed, "order", epoch).permutation(len(positions))]
        parts = _parts(course, order)
        for part, batch in zip(parts, _loader(course, network, parts, epoch), strict=True):
            with torch.autocast(device.type, torch.bfloat16, enabled=course.training.precision == "bfloat16"):
                loss = lesson(batch.to(device), rng)
            state.optimiser.zero_grad(set_to_none=True)
            (loss * weight(part)).backward()
            state.optimiser.step()
            state.schedule.step()
            total += loss.detach() * len(share(part))
    mean = total.item() / sum(len(share(part)) for part in parts)
    if not math.isfinite(mean):
        raise HeatmarkError(f"training by {course.recipe.label} diverged in epoch {epoch}: the loss is {mean}")
    return mean


def _parts(course: Course, positions: Sequence[int]) -> list[Sequence[int]]:
    """The batches of an epoch; a last one with less than an image for each process is left out."""
    size = course.training.batch
    parts = [positions[start : start + size] for start in range(0, len(positions), size)]
    return [part for part in parts if len(part) >= members()]


@dataclass(frozen=True)
class _Load:
    """Makes a batch of the samples at some positions; sent to the loader's processes."""

    course: Course
    network: Network
    epoch: int

    def __call__(self, positions: Sequence[int]) -> Batch:
        preprocess, augmentation = self.network.preprocess, self.course.training.augmentation
        samples = []
        for position in positions:
            sample = self.course.dataset.sample("train", position)
            rng = generator(self.course.seed, "augmentation", self.epoch, sample.id)
            samples.append(augmented(sample, augmentation, preprocess, rng))
        return stacked(samples, self.network)


def _loader(course: Course, network: Network, parts: Sequence[Sequence[int]], epoch: int) -> DataLoader[Batch]:
    load = _Load(course, network, epoch)
    own: Any = [share(part) for part in parts]
    return DataLoader(own, batch_size=None, collate_fn=load, num_workers=course.training.workers)


def _validated(course: Course, network: Network, device: torch.device) -> dict[str, float]:
    """The accuracy and, where the recipe has one, the penalty on the validation images."""
    if "val" not in course.dataset.present:
        return {"accuracy": math.nan}
    known = usable(course.dataset, "val", network)
    positions = [known[i] for i in spread(len(known), course.training.validation_images)]
    rng = torch.Generator().manual_seed(course.seed)
    right, penalties = 0, []
    with untouched(network.module):
        for batch in batches(course.dataset, "val", positions, course.training.batch, network, device):
            with torch.inference_mode():
                right += int((network.logits(batch.images).argmax(1) == batch.outputs).sum())
            penalty = course.recipe.penalty(network, batch.images, batch.outputs, rng)
            if penalty is not None:
                penalties.append(penalty.detach())
    entry = {"accuracy": right / len(positions)}
    return entry | {"penalty": torch.cat(penalties).mean().item()} if penalties else entry


def _seed(course: Course, purpose: str, epoch: int) -> int:
    return int(generator(course.seed, purpose, epoch, rank()).integers(2**62))


def _check_truth(course: Course) -> None:
    dataset = course.dataset
    if course.recipe.needs_truth and dataset.sample(dataset.splits[0], 0).truth is None:
        raise HeatmarkError(f"recipe {course.recipe.name!r} needs truth maps, and {dataset.name} has none")
