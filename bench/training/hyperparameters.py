"""The settings of training: how long, how fast, and how images are varied."""

from dataclasses import dataclass, field
from typing import Literal

from bench.settings import check_counts, check_finite


@dataclass(frozen=True)
class Augmentation:
    """How training images are varied; the defaults vary nothing.

    `rotation` in degrees to either side, corners black; `flip` the share of images mirrored left to right; `blur`
    the odd width in pixels of a Gaussian of standard deviation 0.1 to 2; `brightness`, `contrast`, `saturation` and
    `hue` as in torchvision's ColorJitter, in random order; `crop` cuts the resized image in its centre or anywhere,
    or takes a window of 8% to 100% of the image, 3:4 to 4:3, and resizes that (`random_resized`).

    Gong et al. (2024) rotate by 30, flip half, blur by 5 and jitter on Imagenette; they flip half and use a random
    crop on CUB-GHA.
    """

    crop: Literal["centre", "random", "random_resized"] = "centre"
    flip: float = 0.0
    rotation: float = 0.0
    blur: int = 0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        check_counts(self)
        check_finite(self)
        if not 0 <= self.flip <= 1:
            raise ValueError(f"flip {self.flip}: expected a share between 0 and 1")
        if self.blur and (self.blur < 0 or self.blur % 2 == 0):
            raise ValueError(f"blur {self.blur}: expected an odd width, or 0")
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"hue {self.hue}: expected 0 to 0.5")
        for name in ("rotation", "brightness", "contrast", "saturation"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} {getattr(self, name)}: expected 0 or more")


@dataclass(frozen=True)
class Training:
    """How long and how fast: everything of training that is not the recipe.

    `start`: a file of weights to go on from (fine-tuning); from scratch without one. `warm_up`: the share of all
    steps in which the rate rises linearly; `milestones`: the shares at which the schedule `steps` divides it
    by ten. `keep`: the weights of the last epoch, or of the one with the highest accuracy on `validation_images`
    of the data set's `val` split. `precision`: of the recipe's forward passes (autocast). `batch` is the whole
    one, which the processes of a data-parallel training share.
    """

    epochs: int = 20
    batch: int = 64
    start: str | None = None
    optimiser: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Literal["constant", "cosine", "steps"] = "cosine"
    warm_up: float = 0.1
    milestones: tuple[float, ...] = (1 / 3, 2 / 3, 8 / 9)
    precision: Literal["float32", "bfloat16"] = "float32"
    augmentation: Augmentation = field(default_factory=Augmentation)
    images: int | None = None
    validation_images: int = 500
    keep: Literal["last", "best"] = "last"
    workers: int = 0

    def __post_init__(self) -> None:
        check_counts(self)
        check_finite(self)
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate {self.learning_rate}: expected more than 0")
        for name in ("momentum", "warm_up"):
            _check_share(name, getattr(self, name))
        for beta in self.betas:
            _check_share("betas", beta)
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay {self.weight_decay}: expected 0 or more")
        if not all(0 <= one <= 1 for one in self.milestones) or list(self.milestones) != sorted(self.milestones):
            raise ValueError(f"milestones {list(self.milestones)}: expected shares between 0 and 1, ascending")


def _check_share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} {value}: expected 0 or more, and less than 1")
