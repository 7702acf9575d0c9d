"""The engine against other libraries on real photographs: how fast, and how far the scores are apart."""

from copy import deepcopy

import pandas as pd
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.api import Attribution, Network
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.scoring.measure import explained_by
from tests.perf.bare_speed import bound
from tests.perf.contestants import contest, keep
from tests.perf.heatmark_runs import OURS, ours, photographs
from tests.perf.peers import Scores, peers

# Photographs at a time, each of another class.
IMAGES, OF_A_CLASS = 2, 60
METHODS: dict[str, Attribution] = {"simple gradient": SimpleGradient(), "IG": IntegratedGradients(nodes=10)}


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("method", METHODS)
# What peers warn of is theirs.
@pytest.mark.filterwarnings("ignore")
def test_other_libraries(method: str, part: int, squeezenet: Network, benchmark: BenchmarkFixture) -> None:
    for library in ("quantus", "torchcam"):
        pytest.importorskip(library, reason=f"{library} is installed by `nox -s perf` only")
    shown = [(IMAGES * part + row) * OF_A_CLASS + 7 for row in range(IMAGES)]
    own = explained_by(METHODS[method], squeezenet, *photographs(squeezenet, shown))
    scores: dict[str, Scores] = {}
    module = deepcopy(squeezenet.module).to(memory_format=torch.contiguous_format)
    contestants = [
        *(ours([own], how, scores) for how in OURS),
        *peers(module, own, scores),
        bound(squeezenet, IMAGES * 50),
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
