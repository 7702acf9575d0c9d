"""Networks by name: torchvision's (`resnet50`), `timm:NAME`, `hf:NAME` and EfficientNet-Lite."""

from torch import nn

from bench.errors import HeatmarkError, nearest
from bench.pretrained import efficientnet_lite, from_timm, from_torchvision, from_transformers
from bench.pretrained.record import About, Pretrained
from bench.settings import LIBRARIES


def is_named(architecture: str) -> bool:
    """Whether a library has a network of this name, as far as the name says."""
    return (
        architecture.startswith(LIBRARIES)
        or architecture in efficientnet_lite.SIDES
        or architecture in from_torchvision.names()
    )


def untrained(architecture: str, outputs: int, others: tuple[str, ...] = (), *, download: bool = False) -> nn.Module:
    """A network of a library with random weights.

    HeatmarkError with the nearest of all names, `others` among them, where no library has it.
    """
    source, _, name = architecture.partition(":")
    if source == "timm":
        return from_timm.untrained(name, outputs)
    if source == "hf":
        return from_transformers.untrained(name, outputs, download=download)
    if architecture in efficientnet_lite.SIDES:
        return efficientnet_lite.untrained(architecture, outputs)
    _check(architecture, others)
    return from_torchvision.untrained(architecture, outputs)


def about(architecture: str, weights: str = "DEFAULT") -> About:
    """What its library says about the weights of a network, without loading them; not of Hugging Face's."""
    source, _, name = architecture.partition(":")
    if source == "timm":
        return from_timm.about(name)
    if architecture in efficientnet_lite.SIDES:
        return efficientnet_lite.about(architecture)
    _check(architecture, ())
    return from_torchvision.about(architecture, weights)


def pretrained(architecture: str, weights: str = "DEFAULT", *, download: bool = False) -> Pretrained:
    """A network of a library with its weights; nothing is downloaded unless that is allowed.

    `weights` names torchvision's; those of all others are in the name of the network. HeatmarkError with the
    nearest name, or one line that says which file is needed and where to put it.
    """
    source, _, name = architecture.partition(":")
    if source not in ("timm", "hf") and architecture not in efficientnet_lite.SIDES:
        _check(architecture, ())
        return from_torchvision.pretrained(architecture, weights, download=download)
    if weights != "DEFAULT":
        raise HeatmarkError(f'{architecture}: weights {weights!r}: its name says which; expected "DEFAULT" or a file')
    if source == "timm":
        return from_timm.pretrained(name, download=download)
    if source == "hf":
        return from_transformers.pretrained(name, download=download)
    return efficientnet_lite.pretrained(architecture)


def _check(architecture: str, others: tuple[str, ...]) -> None:
    known = from_torchvision.names()
    if architecture not in known:
        names = [*others, *known, *efficientnet_lite.SIDES]
        raise HeatmarkError(f"no architecture {architecture!r}; {nearest(architecture, names)}")
