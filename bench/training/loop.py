"""One training loop for every recipe; after a kill it goes on from the last whole epoch, bit by bit the same."""

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bench.api import Dataset, Network, Recipe
from bench.api.module_state import frozen_for_evaluation
from bench.api.randomness import generator
from bench.api.registry import source_file
from bench.api.shared_state import shared_left_alone
from bench.api.source_code import code_of
from bench.data.batches import Batch, batches, evenly_spaced, sample_of, separate, stacked, usable
from bench.errors import HeatmarkError
from bench.files import file_hash
from bench.functional.outputs import predictions
from bench.progress import Progress
from bench.training.augmentation import augmented
from bench.training.checkpoints import State, read_checkpoint, write_checkpoint
from bench.training.distributed import members, parallel, rank, share, weight
from bench.training.hyperparameters import Training
from bench.training.optimisers import optimiser_of, schedule_of
from bench.training.weight_files import load_weights, not_finite


@dataclass(frozen=True)
class TrainingJob:
    """One training: a recipe on a data set, from a seed."""

    recipe: Recipe
    dataset: Dataset
    training: Training
    seed: int


def train(
    job: TrainingJob, network: Network, device: torch.device, checkpoint: Path, progress: Progress
) -> list[dict[str, Any]]:
    """Train the network's weights in place; returns the log, a dict per epoch.

    After each epoch the whole state is written to `checkpoint`; where that file exists the training goes on
    from it. What is drawn in an epoch is decided by (seed, epoch) alone, so that nothing is lost by a kill.
    HeatmarkError where the recipe needs truth maps that are not there, or the loss or a weight is not finite any more.
    """
    _check_truth(job)
    module, training = network.module, job.training
    if training.start is not None:
        load_weights(module, Path(training.start))
    known = usable(job.dataset, "train", network)
    positions = [known[i] for i in evenly_spaced(len(known), training.images)]
    optimiser = optimiser_of(training, module)
    steps = training.epochs * len(_parts(job, positions))
    state = State(module, optimiser, schedule_of(training, optimiser, steps))
    if checkpoint.exists():
        read_checkpoint(checkpoint, state)
    job.dataset.sample("train", positions[0])  # what it makes once is made here, not in each loading process
    name = f"training {network.name} by {job.recipe.label}, seed {job.seed}"
    progress.advance(name, len(state.log), training.epochs, known=True)
    loss_module = parallel(_LossModule(job.recipe, network))
    for epoch in range(len(state.log), training.epochs):
        began = time.monotonic()
        loss = _epoch(job, network, loss_module, state, positions, epoch, device)
        state.log.append({"epoch": epoch, "loss": loss, **_validated(job, network, device)})
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


def with_weights_of(trained: nn.Module, fresh: nn.Module, recipe: Recipe) -> nn.Module:
    """The fresh module with the weights of a trained one: hooks and whatever else the recipe left there are not kept.

    HeatmarkError where the recipe has changed its layers.
    """
    try:
        fresh.load_state_dict(trained.state_dict())
    except RuntimeError as error:
        raise HeatmarkError(f"recipe {recipe.name!r} changed the layers of the network that it trains") from error
    return fresh


def training_identity(job: TrainingJob) -> dict[str, Any]:
    """What decides a training besides the code of `bench` and the architecture."""
    recipe, training, start = job.recipe, asdict(job.training), job.training.start
    return {
        "recipe": {"name": recipe.name, **recipe.settings},
        "recipe_source": code_of(source_file(type(recipe))),
        "training": {**training, "start": None if start is None else file_hash(Path(start))},
        "dataset": {"name": job.dataset.name, "fingerprint": job.dataset.fingerprint()},
        "seed": job.seed,
        "processes": members(),
    }


class _LossModule(nn.Module):
    """A recipe's loss as a forward pass, which is what data-parallel training wraps."""

    def __init__(self, recipe: Recipe, network: Network) -> None:
        super().__init__()
        self.recipe, self.network, self.module = recipe, network, network.module

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """The recipe's loss on the batch."""
        return self.recipe.loss(self.network, batch.images, batch.outputs, batch.truth, rng)


def _epoch(
    job: TrainingJob,
    network: Network,
    loss_module: nn.Module,
    state: State,
    positions: Sequence[int],
    epoch: int,
    device: torch.device,
) -> float:
    """One pass over the data; the mean loss."""
    network.module.train()
    total = torch.zeros((), device=device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(_seed(job, "network", epoch))  # for dropout
        rng = torch.Generator().manual_seed(_seed(job, "recipe", epoch))
        order = [positions[i] for i in generator(job.seed, "order", epoch).permutation(len(positions))]
        parts = _parts(job, order)
        for part, batch in zip(parts, _loader(job, network, parts, epoch), strict=True):
            low = torch.autocast(device.type, torch.bfloat16, enabled=job.training.precision == "bfloat16")
            with _watched(job, network), low:
                loss = loss_module(batch.to(device), rng)
            state.optimiser.zero_grad(set_to_none=True)
            with _watched(job, network):
                (loss * weight(part)).backward()
            state.optimiser.step()
            state.schedule.step()
            total += loss.detach() * len(share(part))
    mean = total.item() / sum(len(share(part)) for part in parts)
    if not math.isfinite(mean):
        raise HeatmarkError(f"training by {job.recipe.label} diverged in epoch {epoch}: the loss is {mean}")
    # The loss is that of the weights before the last step.
    broken = not_finite(network.module, network.module.state_dict())
    if broken:
        raise HeatmarkError(f"training by {job.recipe.label} diverged in epoch {epoch}: {broken} is not finite")
    return mean


def _parts(job: TrainingJob, positions: Sequence[int]) -> list[Sequence[int]]:
    """The batches of an epoch; a last one with less than an image for each process is left out."""
    size = job.training.batch
    parts = [positions[start : start + size] for start in range(0, len(positions), size)]
    return [part for part in parts if len(part) >= members()]


@dataclass(frozen=True)
class _Load:
    """Makes a batch of the samples at some positions; sent to the loader's processes."""

    job: TrainingJob
    network: Network
    epoch: int

    def __call__(self, positions: Sequence[int]) -> Batch:
        preprocess, augmentation = self.network.preprocess, self.job.training.augmentation
        samples = []
        for position in positions:
            sample = sample_of(self.job.dataset, "train", position)
            rng = generator(self.job.seed, "augmentation", self.epoch, sample.id)
            samples.append(separate(augmented(sample, augmentation, preprocess, rng), sample))
        return stacked(samples, self.network)


def _loader(job: TrainingJob, network: Network, parts: Sequence[Sequence[int]], epoch: int) -> DataLoader[Batch]:
    load = _Load(job, network, epoch)
    own: Any = [share(part) for part in parts]
    return DataLoader(own, batch_size=None, collate_fn=load, num_workers=job.training.workers)


def _validated(job: TrainingJob, network: Network, device: torch.device) -> dict[str, float]:
    """The accuracy and, where the recipe has one, the penalty on the validation images."""
    if "val" not in job.dataset.present:
        return {"accuracy": math.nan}
    known = usable(job.dataset, "val", network)
    positions = [known[i] for i in evenly_spaced(len(known), job.training.validation_images)]
    rng = torch.Generator().manual_seed(job.seed)
    right, penalties = 0, []
    with frozen_for_evaluation(network.module):
        for batch in batches(job.dataset, "val", positions, job.training.batch, network, device):
            with torch.inference_mode():
                right += int((predictions(network.logits(batch.images)) == batch.outputs).sum())
            with _watched(job, network):
                penalty = job.recipe.penalty(network, batch.images, batch.outputs, rng)
            if penalty is not None:
                penalties.append(penalty.detach())
    entry = {"accuracy": right / len(positions)}
    return entry | {"penalty": torch.cat(penalties).mean().item()} if penalties else entry


def _watched(job: TrainingJob, network: Network) -> AbstractContextManager[None]:
    """What all share is left alone by the recipe inside; the network may draw, as for dropout."""
    kinds = {type(part) for part in network.module.modules()}
    return shared_left_alone(f"recipe {job.recipe.name!r}", kinds, drawing=True)


def _seed(job: TrainingJob, purpose: str, epoch: int) -> int:
    return int(generator(job.seed, purpose, epoch, rank()).integers(2**62))


def _check_truth(job: TrainingJob) -> None:
    dataset = job.dataset
    if job.recipe.needs_truth and dataset.sample(dataset.splits[0], 0).truth is None:
        raise HeatmarkError(f"recipe {job.recipe.name!r} needs truth maps, and {dataset.name} has none")
