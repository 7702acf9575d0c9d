import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.api import Network
from bench.engine.predict import clean_logits, logits_in_chunks
from bench.methods.attributions.random_map import RandomMap
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.deletion import Deletion
from bench.runner.networks import NetworkLoader
from bench.runner.speed import Audit, _drift, _flips, audit_precision, tuned
from bench.scoring.measure import explained_by
from tests.support.parallel_runs import SUITE, TRAINED, job_of, run_of


def test_an_audit_measures_drift_against_fp32(network: Network, request_of) -> None:
    request = request_of(4)
    single = replace(network, module=network.module.float())
    request = request.with_images(request.images.float())
    clean = clean_logits(single, request.images)
    explained = [explained_by(method, single, request, clean) for method in (SimpleGradient(), RandomMap())]
    result = audit_precision([Deletion()], explained, "bf16")
    assert result.images == 4
    assert 0 < result.drift < 0.05
    assert audit_precision([Deletion()], explained, "fp32").drift == 0


def test_an_audit_of_mixed_precision_says_how_much_was_computed_twice(
    network: Network, request_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A processor that is not quick in bfloat16 computes the same numbers slowly.
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64", "avx512_bf16": True})
    request = request_of(2)
    single = replace(network, module=network.module.float(), tolerance=2e-3)
    request = request.with_images(request.images.float())
    explained = [explained_by(RandomMap(), single, request, clean_logits(single, request.images))]
    record = audit_precision([Deletion(step=1)], explained, "mixed").record(0.002)
    assert 0 < record["again"] < 1
    assert record["drift"] <= record["off"] <= 2e-3
    assert audit_precision([Deletion()], explained, "bf16").again == 0


def test_clean_predictions_stay_in_the_precision_of_the_module(network: Network) -> None:
    single = replace(network, module=network.module.float(), precision="bf16")
    images = torch.randn(3, 3, 12, 10)
    torch.testing.assert_close(clean_logits(single, images), single.logits(images).detach(), rtol=0, atol=1e-6)
    assert not torch.equal(logits_in_chunks(single, images), clean_logits(single, images))


def test_a_rank_flips_only_where_it_was_significant() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (2, 20))
    apart = np.array([[0.5], [0.1]]) + noise
    assert _flips(apart, apart[::-1]) == 1
    assert _flips(apart, apart) == 0
    assert _flips(noise - noise.mean(1, keepdims=True), -noise) == 0


@pytest.mark.parametrize(("drift", "flips", "passes"), [(0.001, 0, True), (0.003, 0, False), (0.001, 1, False)])
def test_an_audit_passes_on_drift_and_ranks(drift: float, flips: int, passes: bool) -> None:
    assert Audit("bf16", "none", 8, drift, flips, 2.0).passes(0.002) is passes


def test_a_number_where_fp32_has_none_is_the_largest_drift() -> None:
    exact = np.array([0.5, np.nan, np.inf])
    assert _drift(exact, np.array([0.4, np.nan, np.inf])) == pytest.approx(0.1)
    assert _drift(exact, np.array([0.5, 0.5, np.inf])) == np.inf
    assert _drift(exact, np.array([np.nan, np.nan, np.inf])) == np.inf
    assert _drift(exact[1:], exact[1:]) == 0


def test_a_precision_that_scores_what_has_no_score_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_of(job_of(tmp_path, f'{SUITE.format(weights=TRAINED)}[engine]\nprecision = "bf16"\n', "store"))
    found = Audit("bf16", "none", 8, np.inf, 0, 2.0)
    monkeypatch.setattr("bench.runner.speed.audit_precision", lambda *_: found)
    trained = NetworkLoader.of(run.suite, 0, run.store.networks, run.device, run.progress).load()[0]
    with caplog.at_level(logging.WARNING):
        left = tuned(run, trained)
    assert left.network.precision == "fp32"
    assert caplog.messages == ["small_plain goes on without bf16: it scores what has no score in fp32"]
    assert not json.loads(json.dumps(left.audits, allow_nan=False))[0]["passed"]
