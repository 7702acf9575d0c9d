"""What many tests share: golden numbers and the networks they were made with."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

GOLDEN = Path(__file__).parent / "golden"


def tiny_network(weights: dict[str, np.ndarray], dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """The `tinynet` of the golden numbers: two convolutions, ReLU, a 2x2 max-pool, global average, linear."""
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, len(weights["b3"])),
    ).to(dtype)
    with torch.no_grad():
        for layer, number in ((module[0], 1), (module[3], 2), (module[7], 3)):
            layer.weight.copy_(torch.from_numpy(weights[f"w{number}"]))
            layer.bias.copy_(torch.from_numpy(weights[f"b{number}"]))
    return module.eval()


def golden(name: str, prefix: str = "") -> dict[str, np.ndarray]:
    """The arrays of tests/golden/NAME.npz whose name begins with `prefix`, the prefix taken off."""
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return {key.removeprefix(prefix): arrays[key] for key in arrays.files if key.startswith(prefix)}


def as_tensor(array: np.ndarray) -> Tensor:
    """An array as a tensor of its own dtype."""
    return torch.from_numpy(np.ascontiguousarray(array))
