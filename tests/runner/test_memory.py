"""Memory does not grow with the number of images: a whole run of 5,000."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from rich.progress import Progress as Bars

import bench
from bench.progress import CELLS, Progress
from bench.results.cell_store import Store
from bench.runner import run as running
from bench.runner.records import Run
from bench.suites.load import load_suite

IMAGES, SETTLED, GROWTH = 5000, 500, 100e6
# The larger the chunk, the larger the holes that anything small leaves between two of them.
CHUNK = 256
STATUS = Path("/proc/self/statm")
# Few points of a curve: what is kept of an image does not depend on them, and the test takes minutes as it is.
SUITE = f"""
name = "many"
gallery = 0
[dataset]
name = "planted"
split = "test"
test_images = {IMAGES}
accuracy_images = 8
[[networks]]
architecture = "small_resnet"
weights = "{Path(bench.__file__).parent}/trained/small_resnet-standard.safetensors"
[[attributions]]
name = "simple_gradient"
[[metrics]]
name = "deletion"
step = 512
[[metrics]]
name = "insertion"
step = 512
"""


@dataclass(frozen=True)
class Watching(Progress):
    """Notes the resident memory whenever a bar moves."""

    resident: list[tuple[int, int]] = field(default_factory=list)

    def advance(self, name: str, done: int, more: int = 0, *, known: bool = False, stage: str = "") -> None:
        if name != CELLS:
            return
        before = self.resident[-1][0] if self.resident else 0
        pages = int(STATUS.read_text().split()[1])
        self.resident.append((before + done, pages * os.sysconf("SC_PAGE_SIZE")))


@pytest.mark.long
@pytest.mark.skipif(not STATUS.exists(), reason="resident memory is read from /proc")
def test_memory_is_flat_in_the_number_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "remembered_chunk", lambda *_: CHUNK)
    path = tmp_path / "many.toml"
    path.write_text(SUITE, encoding="utf-8")
    watching = Watching(Bars(disable=True))
    running.run_suite(Run(load_suite(str(path)), Store(tmp_path), torch.device("cpu"), watching))
    pairs = 2
    later = [resident for done, resident in watching.resident if done > pairs * SETTLED]
    assert watching.resident[-1][0] >= pairs * IMAGES
    assert max(later) - later[0] < GROWTH
    print(f"grew by {(max(later) - later[0]) / 1e6:.0f} MB after {SETTLED} images")  # noqa: T201
