"""The contract of a training recipe: the loss."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api.network import Network
from bench.api.plugin import Plugin
from bench.settings import OutputKind


@dataclass(frozen=True)
class Recipe(Plugin):
    """How a network is trained: the loss is the whole difference between recipes."""

    needs_truth: ClassVar[bool] = False
    output_kinds: ClassVar[tuple[OutputKind, ...]] = ("logits",)

    @abstractmethod
    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """The scalar to minimise.

        `images` (batch, channel, height, width) normalised; `labels` (batch,) in the network's outputs;
        `truth` (batch, height, width) in [0, 1]; `rng` a CPU generator, the only source of chance.
        """

    def penalty(self, network: Network, images: Tensor, labels: Tensor, rng: torch.Generator) -> Tensor | None:  # noqa: ARG002
        """What the loss adds to the error before it is scaled, (batch,), for the training log; None without one."""
        return None
