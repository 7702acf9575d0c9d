"""What a network gets right, so that no recipe wins by destroying accuracy unseen."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
import pyarrow as pa
import torch
from scipy.stats import binomtest
from torch import Tensor

from bench.api import ImageRandom, Network
from bench.data.batches import Batch, batches, worked_on
from bench.engine import clean_logits
from bench.files import key_of
from bench.functional.outputs import predictions
from bench.results.finished_images import FinishedImages
from bench.runner.identity import identity
from bench.runner.records import Run, Trained
from bench.suites.schema import AttackTable
from bench.training.attacks import pgd

# So likely must as many right answers be by chance for them to be no sign of knowledge.
_GUESSED = 0.01
_log = logging.getLogger("heatmark")

ACCURACY = pa.schema([("image", pa.string()), ("correct", pa.bool_()), ("correct_among_classes", pa.bool_())])
ROBUST_ACCURACY = pa.schema([("image", pa.string()), ("correct", pa.bool_())])


def accuracy_of(network: Network, batch: Batch) -> pd.DataFrame:
    """Whether each image's label has the highest of all outputs, and the highest of those that stand for a class."""
    logits = clean_logits(network, batch.images)
    return pd.DataFrame(
        {
            "image": list(batch.ids),
            "correct": (predictions(logits) == batch.outputs).cpu().numpy(),
            "correct_among_classes": right_among_classes(network, logits, batch.outputs).cpu().numpy(),
        }
    )


def right_among_classes(network: Network, logits: Tensor, outputs: Tensor) -> Tensor:
    """Whether the highest of the logits (batch, outputs) that stand for a class is the image's own (batch,)."""
    known = torch.tensor(network.known_outputs(logits.shape[1]), device=logits.device)
    best = known[logits[:, known].argmax(1)]
    return logits.isfinite().all(1) & (best == outputs)


def robust_accuracy_of(network: Network, batch: Batch, attack: AttackTable, seed: int) -> pd.DataFrame:
    """Whether each image's label still has the highest of all outputs after the attack on it."""
    rng = ImageRandom(seed, "attack on accuracy", batch.ids)
    images = pgd(network, batch.images, batch.outputs, attack.epsilon, attack.step, attack.steps, rng)
    right = predictions(clean_logits(network, images)) == batch.outputs
    return pd.DataFrame({"image": list(batch.ids), "correct": right.cpu().numpy()})


def warn_of_guessing(name: str, right: Sequence[bool], classes: int) -> None:
    """One line of the log where no more images are right than may be by guessing among so many classes.

    Then the network is not trained, or is shown the images otherwise than it was trained on them, or its outputs stand
    for the classes in another order: whatever is explained is not what the label says. Nothing is said of so few
    images that all might be right by chance, or so few by a network halfway between chance and always right.
    """
    if classes < 1 or classes ** -len(right) > _GUESSED:
        return
    chance, count = 1 / classes, sum(right)
    by_guessing = binomtest(count, len(right), chance, "greater").pvalue > _GUESSED
    if by_guessing and binomtest(count, len(right), (1 + chance) / 2, "less").pvalue <= _GUESSED:
        _log.warning(
            "%s gets %d of %d images right, no more than guessing among %d classes may: "
            "are its weights, its preprocessing and the order of its classes those it was trained with?",
            *(name, count, len(right), classes),
        )


def network_row(run: Run, trained: Trained, *, told: bool = True) -> dict[str, object]:
    """The network's row of the result set, with what it gets right untouched and under attack.

    A network that returns a number, and one whose images nobody has labelled, get nothing right or wrong: their
    accuracies are missing, as they are where they cannot be `told`.
    """
    shares = {"images": 0, "accuracy": math.nan, "accuracy_among_classes": math.nan, "robust_accuracy": math.nan}
    return {
        "network": trained.network.name,
        "recipe": trained.recipe,
        "seed": trained.seed,
        "architecture": trained.architecture,
        **(_shares(run, trained) if told and _asked(run, trained) else shares),
        "parameters": sum(parameter.numel() for parameter in trained.network.module.parameters()),
        "weights": trained.weights,
        "log": trained.log,
    }


def accuracies_lacking(run: Run, trained: Trained) -> tuple[int, int]:
    """How many images are still to be predicted untouched, and how many to be attacked."""
    if not _asked(run, trained):
        return 0, 0
    untouched, attacked = _questions(run)
    return _lacking(run, trained, untouched), _lacking(run, trained, attacked)


def _asked(run: Run, trained: Trained) -> bool:
    return trained.network.output != "number" and run.dataset.labelled


def _shares(run: Run, trained: Trained) -> dict[str, float]:
    """How many images were asked about, and the shares of them that are right."""
    network, attack = trained.network, run.table.attack
    untouched, attacked = _questions(run)
    accuracy = _of_images(run, trained, untouched, partial(accuracy_of, network))
    classes = len({output for output in network.label_map or () if output >= 0}) or len(run.dataset.classes)
    warn_of_guessing(f"{network.name} by {trained.recipe}", accuracy.correct_among_classes.tolist(), classes)
    share = math.nan
    if attack.images:
        under = partial(robust_accuracy_of, network, attack=attack, seed=run.table.seed)
        share = _of_images(run, trained, attacked, under).correct.mean()
    return {
        "images": len(accuracy),
        "accuracy": accuracy.correct.mean(),
        "accuracy_among_classes": accuracy.correct_among_classes.mean(),
        "robust_accuracy": share,
    }


@dataclass(frozen=True)
class _Question:
    """What a network is asked about: how many images (None for all), what, and the columns of the answer."""

    wanted: int | None
    what: str
    schema: pa.Schema


def _questions(run: Run) -> tuple[_Question, _Question]:
    """The accuracy, and that under attack."""
    attack = run.table.attack
    under = f"accuracy under attack (epsilon {attack.epsilon}, {attack.steps} steps)"
    return (
        _Question(run.table.dataset.accuracy_images, "accuracy", ACCURACY),
        _Question(attack.images, under, ROBUST_ACCURACY),
    )


def _lacking(run: Run, trained: Trained, question: _Question) -> int:
    ids = run.ids(run.chosen(trained.network, question.wanted))
    identified = identity(run, [trained], ids, question.what)
    key = key_of(identified)
    if run.store.has(key):
        return 0
    finished = FinishedImages(run.store, key, question.schema, identified["code"])
    return sum(finished.lacks(key, [image]) for image in ids)


def _of_images(
    run: Run, trained: Trained, question: _Question, measured: Callable[[Batch], pd.DataFrame]
) -> pd.DataFrame:
    """What is measured of a network batch by batch, a row per image of the split."""
    chosen, schema = run.chosen(trained.network, question.wanted), question.schema
    name = f"{trained.network.name} by {trained.recipe}: {question.what.partition(' (')[0]}"

    identified = identity(run, [trained], run.ids(chosen), question.what)
    key = key_of(identified)

    def compute() -> pd.DataFrame:
        finished = FinishedImages(run.store, key, schema, identified["code"])
        parts = [part for part in run.batches_of(chosen) if finished.lacks(key, run.ids(part))]
        todo = [position for part in parts for position in part]
        run.progress.advance(name, len(chosen) - len(todo), known=True)
        coming = batches(run.dataset, run.split, todo, run.table.batch, trained.network, run.device)
        for batch, own in worked_on(coming, measured):
            finished.add({key: own})
            run.progress.advance(name, len(batch.ids))
        return finished.table(key, run.ids(chosen))

    run.progress.advance(name, 0, len(chosen))
    stored = run.store.has(key)
    table = run.stored(identified, schema, compute)
    run.progress.advance(name, len(chosen) if stored else 0, known=True)
    run.store.finished_images(key).unlink(missing_ok=True)
    return table
