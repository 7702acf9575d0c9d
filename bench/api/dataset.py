"""The contract of a data set: images in [0, 1] with labels, ids, truth maps or fixations."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api.plugin import Plugin

# The image without the parts of these levels of its truth map.
Without = Callable[[tuple[float, ...]], Tensor]


@dataclass(frozen=True)
class Sample:
    """One image of a data set: `image` (channel, height, width) in [0, 1], `truth` (height, width) in [0, 1].

    `fixations` (count, 4): x, y in pixels from the top left corner (a pixel's centre is at .5), duration in
    ms, viewing. `without` gives the image as it is when parts are gone that are levels of the truth map, for data sets
    that have such images; else parts are painted over.
    """

    id: str
    image: Tensor
    label: int
    truth: Tensor | None = None
    fixations: Tensor | None = None
    without: Without | None = None


@dataclass(frozen=True)
class Dataset(Plugin):
    """Images in [0, 1] with labels, stable ids and, where there is one, a truth map or fixations.

    Images that are not `redistributable` are shown in one's own report and left out of a published one. Where they
    are not `labelled`, nobody has said what they show: every label is 0, and no accuracy is measured. What networks
    learn from images that are `made` they do not know again in a photograph.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "val")
    redistributable: ClassVar[bool] = False
    labelled: ClassVar[bool] = True
    made: ClassVar[bool] = False

    @property
    def present(self) -> tuple[str, ...]:
        """The splits that have images here, which may be fewer than `splits` where only a part was copied."""
        return self.splits

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Class names; a label is a position in them."""

    @property
    def wordnet_ids(self) -> tuple[str, ...]:
        """The WordNet id of each class, such as n01440764, by which networks find their output for it; or none."""
        return ()

    @abstractmethod
    def ids(self, split: str) -> tuple[str, ...]:
        """A stable id for each image of the split, in a fixed order; cheap, no image is read."""

    @abstractmethod
    def labels(self, split: str) -> tuple[int, ...]:
        """The label of each image of the split, in the order of `ids`; cheap, no image is read."""

    @abstractmethod
    def sample(self, split: str, position: int) -> Sample:
        """One image with its label and truth.

        Raises HeatmarkError naming the path when a file is missing or cannot be read.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of everything that decides the samples: settings, and names and sizes of files."""
