"""Small networks and a request on which plug-ins are tried: quick, in float64, the same every time."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.api import Attribution, ImageRandom, Network, Request


@dataclass(frozen=True)
class TargetGradient(Attribution):
    """The gradient of the target logit: maps for metrics to be tried on."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Gradients (batch, channel, height, width)."""
        images = request.images.requires_grad_()
        (gradients,) = torch.autograd.grad(network.logits_of(images, request.targets).sum(), images)
        return gradients


def small_network(chunk: int = 4) -> Network:
    """A small random classifier of five classes in float64, for 16 x 16 RGB images."""
    return _made("small", chunk, _convolutional)


def small_transformer(chunk: int = 4) -> Network:
    """A small random vision transformer of five classes in float64, for 16 x 16 RGB images."""
    return _made("small_transformer", chunk, _Transformer)


def small_request(count: int = 3, height: int = 16, width: int = 16) -> Request:
    """A request for smooth random images with a random truth."""
    rng = ImageRandom(0, "check", tuple(f"image-{i}" for i in range(count)))
    like = torch.empty(0, dtype=torch.float64)
    images = nn.functional.avg_pool2d(rng.normal((3, height + 2, width + 2), like), 3, 1) * 2
    truth = torch.zeros(count, height, width, dtype=torch.float64)
    truth[:, height // 4 : height // 2, width // 4 : width // 2] = 1
    targets = torch.arange(count) % 5
    return Request(images, targets, rng, truth, references=images.flip(0) * 0.5)


def _made(name: str, chunk: int, make: Callable[[], nn.Module]) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = make()
    return Network(module.double().eval(), name=name, chunk=chunk)


def _convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


class _Transformer(nn.Module):
    """Patches of 4 x 4 pixels, a class token, two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, norm_first=True) for _ in range(2)
        )
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(images).flatten(2).mT
        tokens = torch.cat([self.token.expand(len(images), -1, -1), patches], 1)
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(tokens[:, 0])
        return logits
