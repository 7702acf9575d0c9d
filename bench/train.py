"""One training loop for every recipe; after a kill it goes on from the last whole epoch, bit by bit the same."""

import io
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from bench.api import Dataset, Network, Recipe
from bench.data import Batch, batch_of, batches, spread, usable
from bench.errors import HeatmarkError
from bench.progress import Progress
from bench.randomness import generator
from bench.store import write_whole


@dataclass(frozen=True)
class Training:
    """How long and how fast: everything of training that is not the recipe.

    `warm_up` is the share of all steps in which the rate rises linearly; `keep` the weights of the last epoch,
    or of the one with the highest accuracy on `validation_images` of the data set's `val` split.
    """

    epochs: int = 20
    batch: int = 64
    optimiser: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Literal["constant", "cosine", "steps"] = "cosine"
    warm_up: float = 0.1
    milestones: tuple[float, ...] = (1 / 3, 2 / 3, 8 / 9)
    images: int | None = None
    validation_images: int = 500
    keep: Literal["last", "best"] = "last"
    workers: int = 0


@dataclass(frozen=True)
class Course:
    """One training: a recipe on a data set, from a seed."""

    recipe: Recipe
    dataset: Dataset
    training: Training
    seed: int


def train(course: Course, network: Network, device: torch.device, partial: Path, progress: Progress) -> list[Any]:
    """Train the network's weights in place; returns the log, a dict per epoch.

    After each epoch the whole state is written to `partial`; where that file exists the training goes on
    from it. Images come in an order decided by (seed, epoch) alone, so that nothing is lost by a kill.
    """
    if course.recipe.needs_truth and course.dataset.sample(course.dataset.splits[0], 0).truth is None:
        raise HeatmarkError(f"recipe {course.recipe.name} needs truth maps, and {course.dataset.name} has none")
    module = network.module
    known = usable(course.dataset, "train", network)
    positions = [known[i] for i in spread(len(known), course.training.images)]
    steps = -(-len(positions) // course.training.batch)
    optimiser = _optimiser(course.training, module)
    schedule = LambdaLR(optimiser, lambda step: _rate(course.training, step / (steps * course.training.epochs)))
    log: list[Any] = []
    best: dict[str, Tensor] = {}
    if partial.exists():
        log, best = _restored(partial, module, optimiser, schedule)
    name = f"training {network.name} by {course.recipe.label}, seed {course.seed}"
    progress.advance(name, len(log), course.training.epochs)
    for epoch in range(len(log), course.training.epochs):
        began = time.monotonic()
        loss = _epoch(course, network, optimiser, schedule, _shuffled(course, positions, epoch), epoch, device)
        accuracy = _accuracy(course, network, device)
        log.append({"epoch": epoch, "loss": loss, "accuracy": accuracy, "seconds": round(time.monotonic() - began, 1)})
        if course.training.keep == "best" and accuracy >= max(entry["accuracy"] for entry in log):
            best = {key: values.clone() for key, values in module.state_dict().items()}
        _write_partial(partial, module, optimiser, schedule, log, best)
        progress.advance(name, 1)
    if best:
        module.load_state_dict(best)
    module.eval()
    return log


def _optimiser(training: Training, module: nn.Module) -> torch.optim.Optimizer:
    weights, rate, decay = list(module.parameters()), training.learning_rate, training.weight_decay
    match training.optimiser:
        case "adam":
            return torch.optim.Adam(weights, rate, training.betas, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(weights, rate, training.betas, weight_decay=decay)
        case "sgd":
            momentum = training.momentum
            return torch.optim.SGD(weights, rate, momentum, weight_decay=decay, nesterov=momentum > 0)


def _rate(training: Training, done: float) -> float:
    """The learning rate at this share of all steps, as a share of the highest."""
    if done < training.warm_up:
        return max(done, 1e-3) / training.warm_up
    match training.schedule:
        case "constant":
            return 1.0
        case "cosine":
            return 0.5 * (1 + torch.tensor(torch.pi * (done - training.warm_up) / (1 - training.warm_up)).cos().item())
        case "steps":
            return 0.1 ** sum(done >= milestone for milestone in training.milestones)


def _shuffled(course: Course, positions: list[int], epoch: int) -> list[int]:
    order = generator(course.seed, "order", epoch).permutation(len(positions))
    return [positions[i] for i in order]


def _epoch(
    course: Course,
    network: Network,
    optimiser: torch.optim.Optimizer,
    schedule: LambdaLR,
    positions: list[int],
    epoch: int,
    device: torch.device,
) -> float:
    """One pass over the data; the mean loss."""
    rng = torch.Generator().manual_seed(int(generator(course.seed, "recipe", epoch).integers(2**62)))
    network.module.train()
    total = 0.0
    for batch in _loader(course, network, positions):
        images = batch.images.to(device)
        truth = None if batch.truth is None else batch.truth.to(device)
        loss = course.recipe.loss(network, images, batch.outputs.to(device), truth, rng)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        total += loss.item() * len(images)
    return total / len(positions)


def _loader(course: Course, network: Network, positions: list[int]) -> DataLoader[Batch]:
    size = course.training.batch
    parts = [positions[start : start + size] for start in range(0, len(positions), size)]

    def collated(part: list[int]) -> Batch:
        return batch_of([course.dataset.sample("train", i) for i in part], network, torch.device("cpu"))

    return DataLoader(parts, batch_size=None, collate_fn=collated, num_workers=course.training.workers)  # type: ignore[arg-type]


def _accuracy(course: Course, network: Network, device: torch.device) -> float:
    if "val" not in course.dataset.splits:
        return float("nan")
    known = usable(course.dataset, "val", network)
    positions = [known[i] for i in spread(len(known), course.training.validation_images)]
    network.module.eval()
    right = 0
    with torch.inference_mode():
        for batch in batches(course.dataset, "val", positions, course.training.batch, network, device):
            right += int((network.logits(batch.images).argmax(1) == batch.outputs).sum())
    return right / len(positions)


def _write_partial(
    path: Path,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    schedule: LambdaLR,
    log: list[Any],
    best: dict[str, Tensor],
) -> None:
    file = io.BytesIO()
    state = {
        "module": module.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "log": json.dumps(log),
        "best": best,
    }
    torch.save(state, file)
    write_whole(path, file.getvalue())


def _restored(
    path: Path, module: nn.Module, optimiser: torch.optim.Optimizer, schedule: LambdaLR
) -> tuple[list[Any], dict[str, Tensor]]:
    state = torch.load(path, weights_only=True)
    module.load_state_dict(state["module"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    return json.loads(state["log"]), state["best"]


def write_trained(path: Path, module: nn.Module, about: dict[str, Any]) -> None:
    """Keep trained weights as safetensors, and beside them a JSON file that says how they came about."""
    state = {name: values.detach().cpu().contiguous() for name, values in module.state_dict().items()}
    write_whole(path.with_suffix(".json"), (json.dumps(about, indent=2) + "\n").encode())
    write_whole(path, save(state))


def described(course: Course) -> dict[str, Any]:
    """What decides a training besides the code and the architecture."""
    return {
        "recipe": {"name": course.recipe.name, **course.recipe.settings},
        "training": asdict(course.training),
        "dataset": {"name": course.dataset.name, "fingerprint": course.dataset.fingerprint()},
        "seed": course.seed,
    }
