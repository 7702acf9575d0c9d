"""Architectures: small ones of our own, those of other libraries by name, a user's callable."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api.source_code import code_of
from bench.errors import HeatmarkError
from bench.pretrained.by_name import untrained
from bench.settings import LIBRARIES
from bench.training.exact_networks import EXACT
from bench.training.part_networks import PARTS


class _Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut; each non-linearity is a module of its own."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_convolution(inputs, outputs, stride), nn.ReLU(), *_convolution(outputs, outputs, 1))
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*_convolution(inputs, outputs, stride, side=1))
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps (batch, outputs, height / stride, width / stride)."""
        features: Tensor = self.relu(self.body(images) + self.shortcut(images))
        return features


def _convolution(inputs: int, outputs: int, stride: int, side: int = 3) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False), nn.BatchNorm2d(outputs)


def small_resnet(outputs: int) -> nn.Module:
    """A residual network of 79,000 weights for images of about 64 pixels."""
    return nn.Sequential(
        *_convolution(3, 16, 2, side=5),
        nn.ReLU(),
        _Residual(16, 16, 1),
        _Residual(16, 32, 2),
        _Residual(32, 64, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, outputs),
    )


def small_plain(outputs: int) -> nn.Module:
    """A plain convolutional network of 63,000 weights with max-pools for images of about 64 pixels."""
    return nn.Sequential(
        *_convolution(3, 16, 2, side=5),
        nn.ReLU(),
        *_convolution(16, 32, 1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        *_convolution(32, 64, 1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        *_convolution(64, 64, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, outputs),
    )


class _Tokens(nn.Module):
    """Places of a feature map as tokens, with their positions, behind a class token."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, side * side + 1, width) * 0.02)

    def forward(self, maps: Tensor) -> Tensor:
        """Tokens (batch, 1 + place, width) of maps (batch, width, height, width)."""
        if maps.shape[2:] != (self.side, self.side):
            raise HeatmarkError(f"small_vit takes images of {8 * self.side} x {8 * self.side} pixels")
        places = maps.flatten(2).mT
        return torch.cat([self.token.expand(len(maps), -1, -1), places], 1) + self.positions


class _Block(nn.Module):
    """Attention of all tokens to all, and a layer for each; layer norms come first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.layers = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, token, width)."""
        query, key, value = self.qkv(self.norm1(tokens)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.projection(attended.transpose(1, 2).flatten(2))
        new: Tensor = tokens + self.layers(self.norm2(tokens))
        return new


class _ClassToken(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        """The first token."""
        return tokens[:, 0]


def small_vit(outputs: int) -> nn.Module:
    """A vision transformer of 250,000 weights with a class token, for images of 64 x 64 pixels.

    Its 8 x 8 patches overlap, by three convolutions (Xiao et al., 2021, arXiv:2106.14881), without which it would need
    far more images.
    """
    width = 80
    return nn.Sequential(
        *_convolution(3, 16, 2, side=5),
        nn.GELU(),
        *_convolution(16, 40, 2),
        nn.GELU(),
        nn.Conv2d(40, width, 3, 2, 1),
        _Tokens(width, 8),
        *(_Block(width, 4) for _ in range(4)),
        nn.LayerNorm(width),
        _ClassToken(),
        nn.Linear(width, outputs),
    )


SMALL: dict[str, Callable[[int], nn.Module]] = {
    "small_plain": small_plain,
    "small_resnet": small_resnet,
    "small_vit": small_vit,
}
OURS = SMALL | EXACT | PARTS


def build(architecture: str, outputs: int, *, download: bool = False) -> nn.Module:
    """An untrained network, or one whose weights are set by hand, with this many outputs.

    `architecture` is one of `OURS`, a torchvision classifier, `timm:NAME`, `hf:NAME` or an EfficientNet-Lite.
    HeatmarkError with the nearest name where there is none.
    """
    if architecture in OURS:
        return OURS[architecture](outputs)
    return untrained(architecture, outputs, tuple(OURS), download=download)


def is_callable(architecture: str) -> bool:
    """Whether the name stands for somebody's own callable, `package.module:function` or `file.py:function`."""
    return ":" in architecture and not architecture.startswith(LIBRARIES)


def call(architecture: str, *arguments: str | int) -> nn.Module:
    """The network that somebody's own callable makes of the path of its weights, the number of outputs, or nothing.

    The callable, a function written in that file or package or a class of modules, returns a module, or a tuple that
    begins with one. HeatmarkError where it is something else, and is then not called, or where it fails.
    """
    source, _, name = architecture.rpartition(":")
    try:
        made = _maker(source, name)(*arguments)
    except HeatmarkError:
        raise
    except (Exception, SystemExit) as error:
        raise HeatmarkError(f"architecture {architecture!r}: {type(error).__name__}: {error}") from error
    module = made[0] if isinstance(made, tuple) else made
    if not isinstance(module, nn.Module):
        raise HeatmarkError(f"architecture {architecture!r} made {type(module).__name__}; expected a torch.nn.Module")
    return module


def code_of_callable(architecture: str) -> str:
    """A hash of the code of somebody's own callable and of what it imports; empty for an architecture by name."""
    if not is_callable(architecture):
        return ""
    source = architecture.rpartition(":")[0]
    spec = None if source.endswith(".py") else importlib.util.find_spec(source)
    path = Path(source) if source.endswith(".py") else Path(spec.origin or "") if spec else Path()
    return code_of(path) if path.is_file() else ""


def _maker(source: str, name: str) -> Callable[..., Any]:
    """What makes a network, by name; nothing of Python's own library makes one."""
    where = f"architecture {source}:{name}"
    if source.partition(".")[0] in sys.stdlib_module_names:
        raise HeatmarkError(f"{where}: {source} is Python's own library and makes no networks")
    found = getattr(_module(source), name)
    if inspect.isclass(found) and issubclass(found, nn.Module):
        return found
    if not inspect.isfunction(found):
        kind = type(found).__name__
        raise HeatmarkError(f"{where} is a {kind}; expected a function or a class of torch.nn.Module")
    if found.__module__.partition(".")[0] in sys.stdlib_module_names:
        raise HeatmarkError(f"{where} is a function of {found.__module__}, which makes no networks")
    return found


def _module(source: str) -> ModuleType:
    if not source.endswith(".py"):
        return importlib.import_module(source)
    spec = importlib.util.spec_from_file_location(Path(source).stem, source)
    if spec is None or spec.loader is None:
        raise ImportError(f"no Python file {source}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
