"""What training a network takes, by one batch of it."""

import torch

from bench.data.batches import evenly_spaced, load, usable
from bench.parallel.throughput import seconds
from bench.parallel.workload import Task, name_of
from bench.runner.records import Run, Trained
from bench.scoring.passes import passes_of
from bench.training.hyperparameters import Training


def training_task(run: Run, number: int, trained: Trained, training: Training, *, measure: bool) -> Task:
    """The passes and seconds of a whole training, by those of one batch; without `measure` no seconds."""
    recipe, network = run.suite.recipes[number], trained.network
    split = "train"
    known = usable(run.dataset, split, network)
    positions = evenly_spaced(len(known), training.images)
    batch = load(run.dataset, split, [known[i] for i in positions[: training.batch]], network, run.device)

    def step() -> None:
        rng = torch.Generator().manual_seed(trained.seed)
        network.module.train()
        with torch.random.fork_rng(), torch.enable_grad():
            loss = recipe.loss(network, batch.images, batch.outputs, batch.truth, rng)
            loss.backward()
        network.module.zero_grad()

    state = {name: values.clone() for name, values in network.module.state_dict().items()}
    forward, backward = passes_of(network, step)
    each = seconds(step, run.device) / len(batch.ids) if measure else 0.0
    network.module.load_state_dict(state)
    network.module.eval()
    images = training.epochs * len(positions)
    validated = training.epochs * _validation(run, trained, training)
    return Task(
        *(name_of(trained), "training", images, images * forward // len(batch.ids) + validated),
        *(images * backward // len(batch.ids), images * each),
    )


def _validation(run: Run, trained: Trained, training: Training) -> int:
    """Images that are predicted after each epoch."""
    if "val" not in run.dataset.present:
        return 0
    return len(evenly_spaced(len(usable(run.dataset, "val", trained.network)), training.validation_images))
