"""Architectures: small ones of our own, torchvision's and timm's by name, a user's callable; and their weights."""

import hashlib
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.api.source_code import code_of
from bench.errors import HeatmarkError, nearest

# torchvision's weights for these want another mean and deviation than all its others; the networks see to it.
_OPTIONS = {name: {"transform_input": True, "init_weights": True} for name in ("googlenet", "inception_v3")}
_UNREADABLE = (SafetensorError, RuntimeError, OSError, EOFError, ValueError, KeyError, UnpicklingError)


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


SMALL: dict[str, Callable[[int], nn.Module]] = {"small_plain": small_plain, "small_resnet": small_resnet}


def build(architecture: str, outputs: int) -> nn.Module:
    """An untrained network with this many outputs.

    `architecture` is one of `SMALL`, a torchvision classifier, or `timm:NAME`. HeatmarkError with the nearest
    name where there is none.
    """
    if architecture in SMALL:
        return SMALL[architecture](outputs)
    if architecture.startswith("timm:"):
        return _from_timm(architecture.removeprefix("timm:"), outputs)
    from torchvision.models import get_model, list_models  # its import takes a second

    known = list_models(module=importlib.import_module("torchvision.models"))
    if architecture not in known:
        raise HeatmarkError(f"no architecture {architecture!r}; {nearest(architecture, [*SMALL, *known])}")
    network: nn.Module = get_model(architecture, weights=None, num_classes=outputs, **_OPTIONS.get(architecture, {}))
    return network


def is_callable(architecture: str) -> bool:
    """Whether the name stands for somebody's own callable, `package.module:function` or `file.py:function`."""
    return ":" in architecture and not architecture.startswith("timm:")


def call(architecture: str, argument: str | int) -> nn.Module:
    """The network that somebody's own callable makes of the path of its weights, or of the number of outputs.

    The callable returns a module, or a tuple that begins with one. HeatmarkError where it cannot be called so.
    """
    source, _, function = architecture.rpartition(":")
    try:
        made = getattr(_module(source), function)(argument)
    except (ImportError, AttributeError, TypeError, OSError) as error:
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


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill a network from a state dict file (safetensors, or a PyTorch file read with `weights_only`).

    HeatmarkError naming the file and the first key that does not fit.
    """
    state = read_weights(path)
    expected = module.state_dict()
    missing, unknown = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    # A counter that files from before torch 0.4.1 lack, torchvision's among them.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing:
        raise HeatmarkError(f"{path} lacks the weight {missing[0]!r}; {nearest(missing[0], unknown or state)}")
    if unknown:
        raise HeatmarkError(f"{path} has the weight {unknown[0]!r}, which the network has not")
    for name, values in state.items():
        if values.shape != expected[name].shape:
            raise HeatmarkError(
                f"{path}: {name} has the shape {tuple(values.shape)}, the network's is {tuple(expected[name].shape)}"
            )
    module.load_state_dict(state)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The state dict in a file; HeatmarkError where it is missing or is not one."""
    if not path.is_file():
        raise HeatmarkError(f"no weights at {path}")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except _UNREADABLE as error:
        raise HeatmarkError(f"{path} is not a file of weights: {str(error).splitlines()[0]}") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(values, Tensor) for values in state.values()):
        raise HeatmarkError(f"{path} holds no state dict: expected weight names and tensors")
    return state


def weights_hash(module: nn.Module) -> str:
    """The SHA-256 of all weights and buffers: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, values in sorted(module.state_dict().items()):
        array = values.detach().cpu().contiguous()
        digest.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
        digest.update(
            array.reshape(-1).view(torch.uint8).numpy().tobytes() if array.ndim else str(array.item()).encode()
        )
    return digest.hexdigest()


def _from_timm(name: str, outputs: int) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise HeatmarkError(f'timm:{name} needs timm: pip install "heatmark[timm]"') from error
    if name not in timm.list_models():
        raise HeatmarkError(f"timm has no architecture {name!r}; {nearest(name, timm.list_models())}")
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=outputs)
    return network


def _module(source: str) -> ModuleType:
    if not source.endswith(".py"):
        return importlib.import_module(source)
    spec = importlib.util.spec_from_file_location(Path(source).stem, source)
    if spec is None or spec.loader is None:
        raise ImportError(f"no Python file {source}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
