"""torchvision's classifiers and their weights: `resnet50`, weights `IMAGENET1K_V2` or `DEFAULT`."""

import importlib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from torch import nn

from bench.api import Preprocess
from bench.data.hub_files import UNREADABLE, checkpoint
from bench.data.imagenet_classes import WNIDS
from bench.errors import HeatmarkError, nearest
from bench.pretrained.record import About, Pretrained

# Untrained, these take long to draw weights unless told how, and take other images than all others unless told so.
_OPTIONS = {name: {"transform_input": True, "init_weights": True} for name in ("googlenet", "inception_v3")}


@cache
def names() -> tuple[str, ...]:
    """All classifiers of torchvision."""
    from torchvision.models import list_models  # its import takes a second

    return tuple(list_models(module=importlib.import_module("torchvision.models")))


def untrained(name: str, outputs: int) -> nn.Module:
    """The network with random weights."""
    from torchvision.models import get_model

    network: nn.Module = get_model(name, weights=None, num_classes=outputs, **_OPTIONS.get(name, {}))
    return network


def about(name: str, weights: str = "DEFAULT") -> About:
    """What torchvision says about these weights of a network; none is loaded."""
    chosen = _weights(name, weights)
    transforms = chosen.transforms()
    categories = tuple(chosen.meta["categories"])
    preprocess = Preprocess(
        size=tuple((transforms.crop_size * 2)[:2]),
        resize=transforms.resize_size[0] if len(transforms.resize_size) == 1 else tuple(transforms.resize_size),
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        interpolation=transforms.interpolation.value,
        antialias=transforms.antialias is not False,
    )
    ids = WNIDS if len(categories) == len(WNIDS) else ()
    return About(preprocess, categories, ids, f"torchvision {chosen}, {Path(urlparse(chosen.url).path).name}")


def pretrained(name: str, weights: str, *, download: bool) -> Pretrained:
    """The network with these weights; HeatmarkError that says which file is needed where it is not here."""
    from torchvision.models import get_model

    chosen = _weights(name, weights)
    path = checkpoint(chosen.url, f"{name} with weights {chosen.name}", download=download)
    try:
        return Pretrained(get_model(name, weights=chosen), about(name, weights))
    except UNREADABLE as error:
        raise HeatmarkError(f"{path} is not a file of these weights: {' '.join(str(error).split())[:200]}") from error


def _weights(name: str, weights: str) -> Any:
    from torchvision.models import get_model_weights

    known = get_model_weights(name)
    if weights == "DEFAULT":
        return known.DEFAULT
    # Weights of features alone come with a classifier of NaN, and without names of classes.
    classify = [own for own, made in known.__members__.items() if made.meta["categories"] is not None]
    if weights not in classify:
        hint = nearest(weights, ["DEFAULT", *classify])
        if weights in known.__members__:
            raise HeatmarkError(f"torchvision's weights {weights!r} of {name} are without a classifier; {hint}")
        raise HeatmarkError(f"torchvision has no weights {weights!r} of {name}; {hint}")
    return known[weights]
