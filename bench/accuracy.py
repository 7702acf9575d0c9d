"""What a network gets right, so that no recipe wins by destroying accuracy unseen."""

import pandas as pd
import pyarrow as pa
import torch

from bench.attacks import pgd
from bench.cells import Trained
from bench.data import Batch
from bench.engine import clean_logits
from bench.handed import Network
from bench.randomness import ImageRandom
from bench.suite_tables import AttackTable

ACCURACY = pa.schema([("image", pa.string()), ("correct", pa.bool_()), ("correct_among_classes", pa.bool_())])


ROBUST_ACCURACY = pa.schema([("image", pa.string()), ("correct", pa.bool_())])


def accuracy_of(network: Network, batch: Batch) -> pd.DataFrame:
    """Whether each image's label has the highest of all outputs, and the highest of those that stand for a class."""
    logits = clean_logits(network, batch.images)
    known = torch.tensor(network.known_outputs(logits.shape[1]), device=logits.device)
    best_of_all, best_known = logits.argmax(1), known[logits[:, known].argmax(1)]
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
    best = clean_logits(network, images).argmax(1)
    return pd.DataFrame({"image": list(batch.ids), "correct": (best == batch.outputs).cpu().numpy()})


def network_row(trained: Trained, accuracy: pd.DataFrame, robust: pd.DataFrame) -> dict[str, object]:
    """The network's row of the result set."""
    return {
        "network": trained.network.name,
        "recipe": trained.recipe,
        "seed": trained.seed,
        "architecture": trained.architecture,
        "images": len(accuracy),
        "accuracy": accuracy.correct.mean(),
        "accuracy_among_classes": accuracy.correct_among_classes.mean(),
        "robust_accuracy": robust.correct.mean(),
        "parameters": sum(parameter.numel() for parameter in trained.network.module.parameters()),
        "weights": trained.weights,
        "log": trained.log,
    }
