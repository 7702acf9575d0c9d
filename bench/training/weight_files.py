"""Files of weights as people have them: state dicts, inside checkpoints too, whatever their names begin with."""

import hashlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.data.hub_files import UNREADABLE
from bench.errors import HeatmarkError, nearest
from bench.files import unsealed

# Where training scripts keep the state dict in a checkpoint.
_INSIDE = ("state_dict", "model_state_dict", "model", "network", "net", "weights")
# As many names may differ by a slip, and the nearest is what was meant.
_SLIPS = 4
# What DataParallel, Lightning and others put before every name.
_PREFIXES = ("module.", "model.", "_orig_mod.")


def filled(module: nn.Module, path: Path, make: Callable[[int], nn.Module] | None = None) -> nn.Module:
    """The network, filled from a file of weights.

    With `make` it is the one that this makes for as many outputs as the last layer in the file has, where they are
    others. HeatmarkError naming the file and the first name that does not fit.
    """
    if make is not None:
        expected, state = module.state_dict(), _named_as(read_weights(path), module.state_dict())
        pairs = [(values.shape, expected[name].shape) for name, values in state.items() if name in expected]
        other = {given[0] for given, own in pairs if given != own and given[1:] == own[1:]}
        module = make(other.pop()) if len(other) == 1 else module
    load_weights(module, path)
    return module


def outputs_of(module: nn.Module) -> int | None:
    """How many outputs the last layer of a network has; None where it has none that says so."""
    counts = [
        part.out_features if isinstance(part, nn.Linear) else part.out_channels
        for part in module.modules()
        if isinstance(part, nn.Linear | nn.Conv2d)
    ]
    return counts[-1] if counts else None


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill a network from a state dict file (safetensors, or a PyTorch file read with `weights_only`).

    HeatmarkError naming the file and the first key that does not fit.
    """
    expected = module.state_dict()
    state = _named_as(read_weights(path), expected)
    missing, unknown = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    # A counter that files from before torch 0.4.1 lack, torchvision's among them.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    _check_architecture(path, len(missing), len(unknown), len(expected))
    if missing:
        raise HeatmarkError(f"{path} lacks the weight {missing[0]!r}; {nearest(missing[0], unknown or state)}")
    if unknown:
        raise HeatmarkError(f"{path} has the weight {unknown[0]!r}, which the network has not")
    for name, values in state.items():
        if values.shape != expected[name].shape:
            raise HeatmarkError(
                f"{path}: {name} has the shape {tuple(values.shape)}, the network's is {tuple(expected[name].shape)}"
            )
    broken = not_finite(module, state)
    if broken:
        raise HeatmarkError(f"{path}: {broken} is not finite; expected weights of a training that did not diverge")
    module.load_state_dict(state)


def not_finite(module: nn.Module, state: Mapping[str, Tensor]) -> str:
    """The first weight that is not finite; empty where none is. A buffer may hold -inf, as masks of attention do."""
    buffers = {name for name, _ in module.named_buffers()}
    for name, values in state.items():
        if not (values.masked_fill(values.isneginf(), 0) if name in buffers else values).isfinite().all():
            return name
    return ""


def _check_architecture(path: Path, missing: int, unknown: int, expected: int) -> None:
    """One line with counts where so many names do not fit that the nearest of one of them would help nobody."""
    if missing + unknown > max(_SLIPS, expected // 10):
        raise HeatmarkError(
            f"{path} lacks {missing} of the network's {expected} weights and has {unknown} that it has not: "
            "are these the weights of another architecture?"
        )


def read_weights(path: Path) -> dict[str, Tensor]:
    """The state dict in a file; HeatmarkError where it is missing or is not one."""
    if not path.is_file():
        raise HeatmarkError(f"no weights at {path.absolute()}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of protocols and layouts, which are read right or refused
            state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except UnpicklingError as error:
        reason = "it is none, or holds more than tensors and would run code when read"
        raise HeatmarkError(f"{path} is not a file of weights: {reason}") from error
    except UNREADABLE as error:
        raise HeatmarkError(
            f"{path} is not a file of weights: {(str(error).splitlines() or ['it is empty'])[0]}"
        ) from error
    inside: list[Any] = [state, *(state.get(key) for key in _INSIDE)] if isinstance(state, dict) else []
    found: dict[str, Tensor] | None = next((own for own in inside if _is_state_dict(own)), None)
    if found is None:
        keys = f", its keys are {', '.join(map(str, list(state)[:5]))}" if isinstance(state, dict) and state else ""
        raise HeatmarkError(f"{path} holds no state dict: expected weight names and tensors{keys}")
    for name, values in found.items():
        if values.layout != torch.strided or values.is_meta or values.is_quantized:
            kind = "without values" if values.is_meta else "quantised" if values.is_quantized else "sparse"
            raise HeatmarkError(f"{path}: {name} is {kind}; expected plain tensors")
    return found


def about_beside(path: Path) -> dict[str, Any]:
    """What the JSON file beside weights says, nothing where there is none; HeatmarkError where it is damaged."""
    about = path.with_suffix(".json")
    try:
        return unsealed(about.read_bytes(), must=False) if about.exists() else {}
    except ValueError as error:
        raise HeatmarkError(f"{about} is not what `heatmark train --out` writes beside weights: {error}") from error


def weights_hash(module: nn.Module) -> str:
    """The SHA-256 of all weights and buffers: names, types, shapes and bytes."""
    return state_hash(module.state_dict())


def state_hash(state: Mapping[str, Tensor]) -> str:
    """The same of a state dict."""
    digest = hashlib.sha256()
    for name, values in sorted(state.items()):
        array = values.detach().cpu().contiguous()
        digest.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
        digest.update(
            array.reshape(-1).view(torch.uint8).numpy().tobytes() if array.ndim else str(array.item()).encode()
        )
    return digest.hexdigest()


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(own, Tensor) for own in value.values())


def _named_as(state: dict[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict without what stands before every name, as far as the network's own names lack it."""
    while expected.keys().isdisjoint(state):
        prefix = next((own for own in _PREFIXES if all(name.startswith(own) for name in state)), None)
        if prefix is None:
            break
        state = {name.removeprefix(prefix): values for name, values in state.items()}
    return state
