"""The photographs inside scikit-image, whole: no download, and free to be shown."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from bench.api import Dataset, Sample
from bench.data.textures import file_hash, file_path
from bench.data.transforms import read_image
from bench.errors import HeatmarkError, nearest

# Those of which scikit-image's documentation says that they are in the public domain, under CC0, or under no known
# restriction: the moon and the motorcycles have no such line.
_FILES = (
    *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png"),
    *("grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "retina.jpg", "rocket.jpg"),
)


@dataclass(frozen=True)
class Photographs(Dataset):
    """Thirteen photographs that come inside scikit-image's wheel.

    A person, a cat, a cup of coffee, a cameraman, a rocket, a clock in motion, coins, surfaces from near, galaxies,
    tissue, a retina: what anybody might ask a network of ImageNet about, named by nobody as one of its classes. So
    they are not labelled, and it is the prediction that is explained. All may be published.
    """

    reference: ClassVar[str] = "van der Walt et al., 2014, scikit-image, PeerJ 2:e453, which names the photographers"
    splits: ClassVar[tuple[str, ...]] = ("test",)
    redistributable: ClassVar[bool] = True
    labelled: ClassVar[bool] = False

    @property
    def classes(self) -> tuple[str, ...]:
        """One for all."""
        return ("photograph",)

    def ids(self, split: str) -> tuple[str, ...]:
        """The names of the files."""
        self._check(split)
        return _FILES

    def labels(self, split: str) -> tuple[int, ...]:
        """0 for all."""
        return (0,) * len(self.ids(split))

    def sample(self, split: str, position: int) -> Sample:
        """A photograph of its own size; HeatmarkError where scikit-image came without it."""
        if not 0 <= position < len(self.ids(split)):
            raise HeatmarkError(f"photographs: no image {position}, there are {len(_FILES)}")
        image = read_image(file_path(_FILES[position]))
        return Sample(_FILES[position], image, 0)

    def fingerprint(self) -> str:
        """The names and the bytes of all files."""
        return hashlib.sha256(repr([(file, file_hash(file)) for file in _FILES]).encode()).hexdigest()

    def _check(self, split: str) -> None:
        if split not in self.splits:
            raise HeatmarkError(f"photographs has no split {split!r}; {nearest(split, self.splits)}")
