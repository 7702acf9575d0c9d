"""Where networks compute: devices by name, and whether a network is where it is said to be."""

import torch
from torch import nn

from bench.errors import HeatmarkError


def device_named(name: str | torch.device, where: str = "device") -> torch.device:
    """A torch device by name; `auto` takes a GPU where there is one. HeatmarkError where it cannot be used here.

    `where` begins the message.
    """
    if not isinstance(name, str | torch.device):
        raise HeatmarkError(f"{where}: expected the name of a device, as 'cpu' or 'cuda:0', got {name!r}")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        one = torch.ones(1, device=name)
        one.item()  # which a device without values, as `meta`, cannot
    except (RuntimeError, AssertionError, NotImplementedError, ValueError) as error:
        raise HeatmarkError(f"{where} {name}: {(str(error).splitlines() or ['no such device'])[0]}") from error
    return one.device


def device_of_network(module: nn.Module) -> torch.device:
    """Where the weights of a network lie, the CPU where it has none."""
    return next((own.device for own in (*module.parameters(), *module.buffers())), torch.device("cpu"))


def check_place(module: nn.Module, device: str | torch.device) -> None:
    """Raises HeatmarkError where a network lies on another device than it is said to compute on."""
    place, wanted = device_of_network(module), device_named(device)
    if place != wanted:
        raise HeatmarkError(
            f"device: the model lies on {place}, not on {wanted}; move it there, model.to({str(wanted)!r}), or leave "
            "`device` out"
        )
