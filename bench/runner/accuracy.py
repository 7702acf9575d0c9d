"""What a network gets right, so that no recipe wins by destroying accuracy unseen."""

import math
from collections.abc import Callable
from functools import partial

import pandas as pd
import pyarrow as pa
import torch

from bench.api import ImageRandom, Network
from bench.data.batches import Batch, batches
from bench.engine import clean_logits
from bench.files import key_of
from bench.functional.outputs import predictions
from bench.results.finished_images import FinishedImages
from bench.runner.identity import identity
from bench.runner.records import Run, Trained
from bench.suites.schema import AttackTable
from bench.training.attacks import pgd

ACCURACY = pa.schema([("image", pa.string()), ("correct", pa.bool_()), ("correct_among_classes", pa.bool_())])
ROBUST_ACCURACY = pa.schema([("image", pa.string()), ("correct", pa.bool_())])


def accuracy_of(network: Network, batch: Batch) -> pd.DataFrame:
    """Whether each image's label has the highest of all outputs, and the highest of those that stand for a class."""
    logits = clean_logits(network, batch.images)
    known = torch.tensor(network.known_outputs(logits.shape[1]), device=logits.device)
    best_of_all = predictions(logits)
    best_known = known[logits[:, known].argmax(1)].where(best_of_all >= 0, -1)
    return pd.DataFrame(
        {
            "image": list(batch.ids),
            "correct": (best_of_all == batch.outputs).cpu().numpy(),
            "correct_among_classes": (best_known == batch.outputs).cpu().numpy(),
        }
    )


def robust_accuracy_of(network: Network, batch: Batch, attack: AttackTable, seed: int) -> pd.DataFrame:
    """Whether each image's label still has the highest of all outputs after the attack on it."""
    rng = ImageRandom(seed, "attack on accuracy", batch.ids)
    images = pgd(network, batch.images, batch.outputs, attack.epsilon, attack.step, attack.steps, rng)
    right = predictions(clean_logits(network, images)) == batch.outputs
    return pd.DataFrame({"image": list(batch.ids), "correct": right.cpu().numpy()})


def network_row(run: Run, trained: Trained) -> dict[str, object]:
    """The network's row of the result set, with what it gets right untouched and under attack.

    A network that returns a number, and one whose images nobody has labelled, get nothing right or wrong: their
    accuracies are missing.
    """
    shares = {"images": 0, "accuracy": math.nan, "accuracy_among_classes": math.nan, "robust_accuracy": math.nan}
    return {
        "network": trained.network.name,
        "recipe": trained.recipe,
        "seed": trained.seed,
        "architecture": trained.architecture,
        **(shares if trained.network.output == "number" or not run.dataset.labelled else _shares(run, trained)),
        "parameters": sum(parameter.numel() for parameter in trained.network.module.parameters()),
        "weights": trained.weights,
        "log": trained.log,
    }


def _shares(run: Run, trained: Trained) -> dict[str, float]:
    """How many images were asked about, and the shares of them that are right."""
    table = run.table
    attack, everywhere = table.attack, table.dataset.accuracy_images
    untouched = partial(accuracy_of, trained.network)
    attacked = partial(robust_accuracy_of, trained.network, attack=attack, seed=table.seed)
    under = f"accuracy under attack (epsilon {attack.epsilon}, {attack.steps} steps)"
    accuracy = _of_images(run, trained, everywhere, "accuracy", ACCURACY, untouched)
    robust = _of_images(run, trained, attack.images, under, ROBUST_ACCURACY, attacked)
    return {
        "images": len(accuracy),
        "accuracy": accuracy.correct.mean(),
        "accuracy_among_classes": accuracy.correct_among_classes.mean(),
        "robust_accuracy": robust.correct.mean(),
    }


def _of_images(
    run: Run,
    trained: Trained,
    wanted: int | None,
    what: str,
    schema: pa.Schema,
    measured: Callable[[Batch], pd.DataFrame],
) -> pd.DataFrame:
    """What is measured of a network batch by batch, a row per image of the split."""
    chosen = run.chosen(trained.network, wanted)
    name = f"{what} of {trained.network.name} by {trained.recipe}"

    identified = identity(run, [trained], run.ids(chosen), what)
    key = key_of(identified)

    def compute() -> pd.DataFrame:
        finished = FinishedImages(run.store, key, schema, identified["code"])
        parts = [part for part in run.batches_of(chosen) if finished.lacks(key, run.ids(part))]
        todo = [position for part in parts for position in part]
        run.progress.advance(name, len(chosen) - len(todo))
        for batch in batches(run.dataset, run.split, todo, run.table.batch, trained.network, run.device):
            finished.add({key: measured(batch)})
            run.progress.advance(name, len(batch.ids))
        return finished.table(key, run.ids(chosen))

    run.progress.advance(name, 0, len(chosen))
    table = run.stored(identified, schema, compute)
    run.store.finished_images(key).unlink(missing_ok=True)
    return table
