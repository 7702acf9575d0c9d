"""The engine as a contestant on real photographs, in every way in which it may be set up."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bench.api import Compiler, Explained, ImageRandom, Network, Precision, Request
from bench.data.batches import load
from bench.engine import clean_logits, fastest_chunk, logits_in_chunks
from bench.engine.openvino_passes import is_installed
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.faithfulness.insertion import Insertion
from bench.scoring.measure import measure
from bench.suites.load import load_suite
from tests.perf.contestants import Contestant
from tests.perf.peers import Scores

How = tuple[Precision, Compiler, float | None]
MIXED: list[How] = [("mixed", "openvino", None), ("mixed", "openvino", 0.005)]
OURS: list[How] = [
    ("fp32", "none", None),
    ("fp32", "inductor", None),
    ("bf16", "inductor", None),
    ("fp32", "none", 0.005),
    ("fp32", "inductor", 0.005),
    ("bf16", "inductor", 0.005),
    *([("fp32", "openvino", None), *MIXED] if is_installed() else []),
]


def photographs(network: Network, positions: Sequence[int]) -> tuple[Request, Tensor]:
    """Photographs of Imagenette, and what the network says of them."""
    batch = load(load_suite("imagenette").dataset, "val", positions, network, torch.device("cpu"))
    clean = clean_logits(network, batch.images)
    return Request(batch.images, clean.argmax(1), ImageRandom(0, "run", batch.ids)), clean


def ours(explanations: Sequence[Explained], how: How, scores: dict[str, Scores]) -> Contestant:
    """Deletion and insertion of some explanations of the same photographs; `scores` is filled when it runs."""
    precision, compiler, tolerance = how
    images = explanations[0].images
    network = replace(explanations[0].network, precision=precision)
    network = replace(network, chunk=fastest_chunk(network, images), compiler=compiler)
    metrics = Deletion(tolerance=tolerance), Insertion(tolerance=tolerance)
    pairs = [(metric, replace(own, network=network)) for metric in metrics for own in explanations]
    name = f"heatmark {precision}" + (f" {compiler}" if compiler != "none" else "")
    name += "" if tolerance is None else f", adaptive {tolerance:g}"

    def run() -> None:
        whole = np.concatenate([scored.score.numpy() for scored in measure(pairs)]).reshape(len(metrics), -1)
        scores[name] = {metric.name: own for metric, own in zip(metrics, whole, strict=True)}

    for each in ("fp32", "bf16") if precision == "mixed" else (precision,):
        logits_in_chunks(replace(network, precision=each), images[:1])  # compiles before the clock starts
    # An adaptive run does the same job with fewer passes: it is timed for all of them.
    return Contestant(name, run, least_inputs(len(explanations), images), f"chunk {network.chunk}")


def least_inputs(methods: int, images: Tensor) -> int:
    """What must be predicted: blurred images once each, the blank one once, and what lies between the ends."""
    return len(images) * (methods * 2 * (images.shape[-1] - 1) + 1) + 1
