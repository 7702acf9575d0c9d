"""A page on the speed of one card: `python -m tests.perf.gpu_page --out gpu.md`, where torch and heatmark are.

For each network, precision and compiler: curves, path integrals, ROAD and Guided IG as shares of the bare network's
speed in the same form, the plain loop and Quantus (where it is installed) on the same card, images x methods an hour,
and where the rest goes: kernels launched for each network input, host seconds for each chunk. One run is enough to
mend what is slow. `--device cpu --networks small_resnet --size 64 --images 2 --points 8` tries it anywhere.
"""

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from bench.api import Attribution, Compiler, Explained, Network, Precision
from bench.api.module_state import frozen_for_evaluation
from bench.engine.compiled import works
from bench.engine.predict import fastest_chunk, forwards_only, logits_in_chunks
from bench.engine.substrates import rise_blur
from bench.methods.attributions.guided_ig import GuidedIg
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.faithfulness.insertion import Insertion
from bench.metrics.faithfulness.road import Road
from bench.scoring.measure import measure
from bench.scoring.passes import passes_of
from tests.perf.bare_speed import random_maps, untrained
from tests.perf.contestants import wait

VARIANTS: dict[str, list[tuple[Precision, Compiler]]] = {
    "cuda": [
        ("fp32", "none"),
        ("tf32", "none"),
        ("bf16", "none"),
        ("fp32", "inductor"),
        ("tf32", "inductor"),
        ("bf16", "inductor"),
        ("bf16", "cudagraphs"),
    ],
    "cpu": [("fp32", "none"), ("bf16", "none")],
}
TRIALS = 3
HOUR = 3600


@dataclass(frozen=True)
class Sizes:
    """How much is timed: images of so many pixels, points of a curve, nodes and steps of a path."""

    size: int = 224
    images: int = 16
    points: int = 224
    nodes: int = 50
    steps: int = 20


@dataclass(frozen=True)
class Row:
    """What one kind of work takes: milliseconds for each network input, beside the bare network in the same form.

    `kernels` (operators on a CPU) are launched for each input; `host` milliseconds pass on the host for each chunk.
    """

    network: str
    precision: str
    compiler: str
    chunk: int
    work: str
    inputs: int
    ms: float
    bare_ms: float
    share: float
    kernels: float
    host_ms_a_chunk: float
    images_x_methods_an_hour: float


def rows_of(network: Network, device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """Everything that is timed of a network in one form."""
    explained = random_maps(replace(network, precision="fp32", compiler="none"), sizes.images, device)
    network = replace(network, chunk=fastest_chunk(network, explained.images))
    explained = replace(explained, network=network)
    forward = bare_forward(network, explained.images)
    for name, work in _predictions(explained, sizes).items():
        yield _row(network, name, work, forward, sizes)
    if network.precision == "fp32" and network.compiler == "none":
        gradient = bare_gradient(network, explained.images)
        for method in (IntegratedGradients(nodes=sizes.nodes), GuidedIg(steps=sizes.steps)):
            yield _row(network, method.name, _explaining(method, explained), gradient, sizes)


def _predictions(explained: Explained, sizes: Sizes) -> dict[str, Callable[[], object]]:
    step = sizes.size**2 // sizes.points
    curves = [(Deletion(step=step), explained), (Insertion(step=step), explained)]
    works_: dict[str, Callable[[], object]] = {
        "curves": lambda: measure(curves),
        "ROAD": lambda: measure([(Road(), explained)]),
    }
    if explained.network.compiler == "none":
        works_["plain loop"] = lambda: plain_loop(explained, sizes.points)
    if explained.network.precision == "fp32" and explained.network.compiler == "none" and find_spec("quantus"):
        works_["Quantus, deletion"] = lambda: _quantus(explained, sizes)
    return works_


def _explaining(method: Attribution, explained: Explained) -> Callable[[], object]:
    return lambda: method.explain(explained.network, explained.request)


def _row(network: Network, name: str, work: Callable[[], object], bare: float, sizes: Sizes) -> Row:
    forward, backward = passes_of(network, work)
    inputs = max(forward, backward) or _inputs(name, sizes)
    seconds = best(work)
    kernels, host = launched(work)
    return Row(
        *(network.name, network.precision, network.compiler, network.chunk, name, inputs),
        ms=1e3 * seconds / inputs,
        bare_ms=1e3 * bare,
        share=bare * inputs / seconds,
        kernels=kernels / inputs,
        host_ms_a_chunk=1e3 * host / max(inputs / network.chunk, 1),
        images_x_methods_an_hour=HOUR * sizes.images / seconds,
    )


def _inputs(name: str, sizes: Sizes) -> int:
    """Inputs of work whose passes are not counted by a hook: a compiled network is another module."""
    if name == "ROAD":
        return sizes.images * 2 * len(Road().shares)
    return sizes.images * (2 * (sizes.points - 1) + 1) + 1


def bare_forward(network: Network, images: Tensor) -> float:
    """Seconds for each input that lies in memory already, in the network's fastest form and chunk."""
    with forwards_only(network, images) as ready:
        inputs = images[torch.arange(network.chunk, device=images.device) % len(images)].clone()
        return best(lambda: [ready.module(inputs) for _ in range(4)]) / (4 * network.chunk)


def bare_gradient(network: Network, images: Tensor) -> float:
    """Seconds for each gradient of the first logit in inputs that lie in memory already."""
    inputs = images[torch.arange(network.chunk, device=images.device) % len(images)].clone().requires_grad_()
    with frozen_for_evaluation(network.module):
        work = lambda: torch.autograd.grad(network.module(inputs)[:, 0].sum(), inputs)  # noqa: E731 - timed twice
        return best(work) / network.chunk


def best(work: Callable[[], object]) -> float:
    """The least seconds of a few trials, after one that does not count."""
    seconds = []
    for _ in range(TRIALS + 1):
        wait()
        began = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def launched(work: Callable[[], object]) -> tuple[int, float]:
    """Kernels that were launched (operators, where there is no GPU), and seconds of this process's own time."""
    cuda = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with profile(activities=activities) as seen:
        work()
        wait()
    kinds = seen.key_averages()
    device = torch.autograd.DeviceType.CUDA if cuda else torch.autograd.DeviceType.CPU
    kernels = sum(own.count for own in kinds if own.device_type == device and (cuda or own.key.startswith("aten::")))
    began = time.process_time()
    work()
    return kernels, time.process_time() - began


@torch.no_grad()
def plain_loop(explained: Explained, points: int) -> list[Tensor]:
    """Deletion and insertion as they are written down: all images together, one step after the other."""
    images, rows = explained.images, torch.arange(len(explained.images), device=explained.images.device)
    order = explained.heatmaps.flatten(1).argsort(dim=1, descending=True, stable=True)
    step = order.shape[1] // points
    curves = []
    for start, end in ((images, torch.zeros_like(images)), (rise_blur(images), images)):
        shown, target = start.contiguous().clone().flatten(2), end.contiguous().flatten(2)
        for at in range(0, order.shape[1] + step, step):
            logits = explained.network.module(shown.view(images.shape))
            curves.append(logits.softmax(1)[rows, explained.targets])
            pixels = order[:, None, at : at + step].expand(-1, images.shape[1], -1)
            shown.scatter_(2, pixels, target.gather(2, pixels))
    return curves


def _quantus(explained: Explained, sizes: Sizes) -> None:
    from quantus import PixelFlipping

    metric = PixelFlipping(features_in_step=sizes.size**2 // sizes.points, normalise=False, disable_warnings=True)
    metric(
        model=explained.network.module,
        x_batch=explained.images.contiguous().cpu().numpy(),
        y_batch=explained.targets.cpu().numpy(),
        a_batch=explained.heatmaps[:, None].cpu().numpy(),
        device=str(explained.images.device),
        batch_size=explained.network.chunk,
    )


def page(rows: Sequence[Row], device: torch.device, sizes: Sizes) -> str:
    """The page in Markdown."""
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "a processor"
    frame = pd.DataFrame([asdict(row) for row in rows])
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + " --- |" * len(frame.columns)]
    lines += ["| " + " | ".join(_said(value) for value in row) + " |" for row in frame.itertuples(index=False)]
    about = (
        f"Measured on {card} with torch {torch.__version__}: {sizes.images} images of {sizes.size} x {sizes.size} "
        f"pixels, {sizes.points} points a curve, {sizes.nodes} nodes and {sizes.steps} steps a path. `share` is that "
        "of the bare network's speed in the same precision, compiled alike, its inputs in memory already."
    )
    return "\n".join(["# Speed on one device", "", about, "", *lines, ""])


def _said(value: object) -> str:
    return f"{value:,.3g}" if isinstance(value, float) else str(value)


def measured(names: Sequence[str], device: torch.device, sizes: Sizes, *, compile_too: bool) -> Iterator[Row]:
    """All rows of some networks; a compiler that does not work here is left out."""
    for name in names:
        plain = untrained(name, sizes.size, device)
        for precision, compiler in VARIANTS[device.type]:
            network = replace(plain, precision=precision, compiler=compiler)
            if compiler != "none":
                images = torch.randn(network.chunk, 3, sizes.size, sizes.size, device=device)
                if not compile_too or not works(
                    network, lambda own=network, shown=images: logits_in_chunks(own, shown)
                ):
                    continue
            yield from rows_of(network, device, sizes)


def main(arguments: Sequence[str] | None = None) -> None:
    """Time everything and write the page, and the rows beside it as CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--networks", default="resnet50,vit_b_16")
    parser.add_argument("--out", type=Path, default=Path("gpu.md"))
    parser.add_argument("--no-compile", action="store_true")
    for name, value in asdict(Sizes()).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    said = parser.parse_args(arguments)
    sizes = Sizes(**{name: getattr(said, name) for name in asdict(Sizes())})
    device = torch.device(said.device)
    rows = list(measured(said.networks.split(","), device, sizes, compile_too=not said.no_compile))
    pd.DataFrame([asdict(row) for row in rows]).to_csv(said.out.with_suffix(".csv"), index=False)
    said.out.write_text(page(rows, device, sizes), encoding="utf-8")


if __name__ == "__main__":
    main()
