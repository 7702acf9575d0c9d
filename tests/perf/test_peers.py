"""The engine against other libraries on real photographs: how fast, and how far the scores are apart."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from bounds import bound
from contest import Contestant, contest, keep
from peers import Scores, peers
from pytest_benchmark.fixture import BenchmarkFixture

from bench.api import Attribution
from bench.data import load
from bench.engine import clean_logits, fastest_chunk
from bench.handed import Explained, Precision, Request
from bench.measure import explained_by, measure
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.faithfulness.insertion import Insertion
from bench.progress import progress
from bench.randomness import ImageRandom
from bench.suite import load_suite
from bench.zoo import networks_of

CPU = torch.device("cpu")
IMAGES = 2
METHODS: dict[str, Attribution] = {"simple gradient": SimpleGradient(), "IG": IntegratedGradients(nodes=10)}
OURS: list[tuple[Precision, float | None]] = [("fp32", None), ("bf16", None), ("fp32", 0.005), ("bf16", 0.005)]


def explained(method: Attribution, part: int, kept: Path) -> Explained:
    """A few photographs of Imagenette, evenly spaced over its classes."""
    suite = load_suite("imagenette")
    with progress() as bars:
        (trained,) = networks_of(suite, 0, kept, CPU, bars)
    positions = [(IMAGES * part + row) * 60 + 7 for row in range(IMAGES)]
    batch = load(suite.dataset, "val", positions, trained.network, CPU)
    clean = clean_logits(trained.network, batch.images)
    request = Request(batch.images, clean.argmax(1), ImageRandom(0, "run", batch.ids))
    return explained_by(method, trained.network, request, clean)


def ours(own: Explained, precision: Precision, tolerance: float | None, scores: dict[str, Scores]) -> Contestant:
    network = replace(own.network, precision=precision)
    network = replace(network, chunk=fastest_chunk(network, own.images))
    pairs = [
        (metric, replace(own, network=network))
        for metric in (Deletion(tolerance=tolerance), Insertion(tolerance=tolerance))
    ]
    name = f"heatmark {precision}" + ("" if tolerance is None else f", adaptive {tolerance:g}")

    def run() -> None:
        scores[name] = {
            metric.name: scored.score.numpy() for (metric, _), scored in zip(pairs, measure(pairs), strict=True)
        }

    # An adaptive run does the same job with fewer passes: it is timed for all of them.
    passes = len(own.images) * (2 * (own.images.shape[-1] - 1) + 1) + 1
    return Contestant(name, run, passes, f"chunk {network.chunk}")


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("method", METHODS)
# What peers warn of is theirs.
@pytest.mark.filterwarnings("ignore")
def test_other_libraries(method: str, part: int, real_data: Path, tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    for library in ("quantus", "torchcam"):
        pytest.importorskip(library, reason=f"{library} is installed by `nox -s perf` only")
    own = explained(METHODS[method], part, tmp_path)
    scores: dict[str, Scores] = {}
    module = deepcopy(own.network.module).to(memory_format=torch.contiguous_format)
    contestants = [
        *(ours(own, *how, scores) for how in OURS),
        *peers(module, own, scores),
        bound(own.network, IMAGES * 50),
    ]
    number = len(METHODS) * part + list(METHODS).index(method)
    contest(benchmark, "peers", "squeezenet1_1, 224 px, cpu", contestants, 1, number, warm_up=False)
    rows = [
        (method, image, metric, name, score)
        for name, of in scores.items()
        for metric, values in of.items()
        for image, score in zip(own.rng.image_ids, values.tolist(), strict=True)
    ]
    columns = ["method", "image", "metric", "contestant", "score"]
    keep("scores.csv", pd.DataFrame(rows, columns=columns), columns[:-1])
