"""A small data set and network to train in tests of training; run as a script it trains once, as a process to kill."""

import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from bench.api import Dataset, Network, Preprocess, Recipe, Sample
from bench.api.randomness import generator
from bench.methods.recipes.gradient_regularized import GradientRegularized
from bench.methods.recipes.input_noise import InputNoise
from bench.methods.recipes.trades import Trades
from bench.progress import silent
from bench.training.checkpoints import write_trained
from bench.training.distributed import rank, team
from bench.training.hyperparameters import Training
from bench.training.loop import TrainingJob, train

SILENT = silent()


@dataclass(frozen=True)
class Stripes(Dataset):
    """Stripes that stand, lie or slope, in noise."""

    count: int = 24
    with_truth: bool = True

    @property
    def classes(self):
        return ("standing", "lying", "sloping")

    def ids(self, split):
        return tuple(f"{split}/{i}" for i in range(self.count))

    def labels(self, split):
        return tuple(i % 3 for i in range(self.count))

    def sample(self, split, position):
        rng = generator("stripes", split, position)
        rows, columns = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
        label = position % 3
        wave = torch.sin(2 * (columns, rows, rows + columns)[label] + rng.uniform(0, 6))
        image = (0.5 + 0.3 * wave + 0.1 * torch.from_numpy(rng.standard_normal((3, 12, 12)))).clamp(0, 1)
        truth = (rows > 5).float() if self.with_truth else None
        return Sample(f"{split}/{position}", image.float(), label, truth)

    def fingerprint(self):
        return f"stripes {self.count}"


def network(*, batch_norm: bool = True, dropout: float = 0.2) -> Network:
    """A small network with what makes training depend on more than its weights."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6) if batch_norm else nn.Identity(),
        nn.Softplus(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(24, 3),
    )
    return Network(module, name="tiny", preprocess=Preprocess((12, 12), mean=(0.5,) * 3, std=(0.25,) * 3))


def trained(recipe: Recipe, training: Training, checkpoint: Path, seed: int = 0, **of_network):
    """The weights and the log of a training."""
    own = network(**of_network)
    log = train(TrainingJob(recipe, Stripes(), training, seed), own, torch.device("cpu"), checkpoint, SILENT)
    return own.module.state_dict(), log


RECIPES = {
    "noise": InputNoise(),
    "regularised": GradientRegularized(regulariser="l2", scale=10.0),
    "trades": Trades(steps=2),
}

STEADY = Training(epochs=3, batch=7, optimiser="sgd", warm_up=0.0)


def killed(recipe: Recipe, step: int, delay: float) -> Recipe:
    """The recipe; some seconds after its loss was asked for the `step`th time an alarm ends the process."""

    class Mortal(type(recipe)):
        def loss(self, *given):
            nonlocal step
            step -= 1
            if step == -1:
                signal.setitimer(signal.ITIMER_REAL, delay)
            return super().loss(*given)

    return Mortal(**recipe.settings)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, alone = Path(sys.argv[1]), sys.argv[2] == "alone"
    names = [argument for argument in sys.argv[3:] if argument in RECIPES]
    kill = sys.argv[3 + len(names) :]
    with team(torch.device("cpu")):
        for name in names:
            recipe = killed(RECIPES[name], int(kill[0]), float(kill[1])) if kill else RECIPES[name]
            own = network() if alone else network(batch_norm=False, dropout=0.0)
            training = replace(STEADY, epochs=16) if alone else STEADY
            job = TrainingJob(recipe, Stripes(), training, 0)
            train(job, own, torch.device("cpu"), folder / f"{name}.partial", SILENT)
            if rank() == 0:
                write_trained(folder / f"{name}.safetensors", own.module, {})
