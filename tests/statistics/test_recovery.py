"""Maps made worse by known steps: which metric recovers their order, on simulated scores and on a whole run."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kendalltau

from bench.api import ImageRandom, Network, Request
from bench.methods.attributions.degraded_truth import DegradedTruth
from bench.progress import progress
from bench.report.page import page
from bench.report.view import view_of
from bench.results.cell_store import Store
from bench.results.result_set import Results
from bench.runner.records import Run
from bench.runner.run import run_suite
from bench.statistics.build import board_of
from bench.statistics.metric_audit import findings
from bench.suites.load import load_suite
from tests.support.simulated_results import result_set

STEPS = (0.2, 0.4, 0.6, 0.8, 1.0)


def simulated(noise: float, reversed_metric: str = "") -> Results:
    """A result set with five worse truths, whose quality falls by .1 a step beside noise of each image."""
    results = result_set(60, controls=("random_map", "oracle"))
    names = {f"degraded_truth(noise={step})": step for step in STEPS}
    rng, rows = np.random.default_rng(1), [results.scores]
    oracle = results.scores[results.scores.attribution.eq("oracle") & results.scores.metric.ne("pointing_game")]
    for name, step in names.items():
        sign = np.where(oracle.metric.eq("deletion"), 1, -1) * np.where(oracle.metric.eq(reversed_metric), -1, 1)
        worse = oracle.score + sign * 0.5 * step + rng.normal(0, noise, len(oracle))
        rows.append(oracle.assign(attribution=name, score=worse))
    cards = {
        name: {"name": "degraded_truth", "control": True, "needs_truth": True, "degraded": step}
        for name, step in names.items()
    }
    manifest = {**results.manifest, "attributions": {**results.manifest["attributions"], **cards}}
    scores = pd.concat(rows, ignore_index=True)
    return replace(results, scores=scores, manifest=manifest)


def test_a_metric_that_falls_with_every_step_recovers_the_order_and_one_that_rises_does_not() -> None:
    board = board_of(simulated(0.05, reversed_metric="deletion"))
    assert board.recovered["insertion"].tau == 1
    assert not board.recovered["insertion"].fails
    # The truth itself stays first, so that five of fifteen pairs are right.
    assert board.recovered["deletion"].tau < 0
    assert board.recovered["deletion"].fails
    assert "pointing_game" not in board.recovered
    by_label = dict(zip(board.metrics.label, findings(board), strict=True))
    assert any("does not recover the order" in reason for reason in by_label["deletion"].reasons)
    assert not any("recover" in reason for reason in by_label["insertion"].reasons)


def test_a_board_that_asks_about_metrics_names_those_that_fail() -> None:
    results = simulated(0.05, reversed_metric="deletion")
    results.manifest["question"] = "metrics"
    view = view_of(results)
    assert view.verdict.sentence.startswith("1 of 2 metrics recover the order")
    assert view.verdict.sentence.endswith("; Deletion does not.")
    assert view.verdict.badge.text == "1 of 2 metrics fail"
    text = page(results, view, [])
    assert '<details id="audit" open>' in text
    assert '<details id="audit" open>' not in page(simulated(0.05), view_of(simulated(0.05)), [])
    whole = replace(results, scores=results.scores[~results.scores.attribution.str.startswith("degraded")])
    assert view_of(whole).verdict.badge.text == "cannot be tested: no worse maps"


def test_tau_is_kendalls_of_the_means_and_its_interval_is_wider_with_more_noise() -> None:
    results = simulated(1.5)
    board = board_of(results)
    own = results.scores[results.scores.metric.eq("insertion")]
    order = ["oracle", *(f"degraded_truth(noise={step})" for step in STEPS)]
    means = own.groupby("attribution").score.mean()[order]
    found = board.recovered["insertion"]
    assert found.tau == pytest.approx(kendalltau(-np.arange(6), means).statistic)
    assert found.low <= found.tau <= found.high
    assert found.high - found.low > 0.2
    assert (found.steps, found.images) == (6, 60)


def test_maps_made_worse_are_no_entries_of_a_board_and_change_nothing_on_it() -> None:
    with_them, without = board_of(simulated(0.1)), board_of(result_set(60, controls=("random_map", "oracle")))
    assert list(with_them.entries.attribution) == list(without.entries.attribution)
    np.testing.assert_array_equal(with_them.centres, without.centres)
    assert [one.verdict for one in findings(with_them)] == [one.verdict for one in findings(without)]
    assert board_of(result_set(60)).recovered == {}


def test_more_noise_takes_more_of_the_same_pixels() -> None:
    truth = torch.zeros(2, 24, 24, dtype=torch.float64)
    truth[:, 4:12, 4:12] = 1
    request = Request(torch.zeros(2, 3, 24, 24).double(), torch.zeros(2).long(), ImageRandom(0, "x", ("a", "b")), truth)
    network = Network(torch.nn.Identity())
    maps = [DegradedTruth(noise=noise).attribute(network, request)[:, 0] for noise in (0.0, *STEPS)]
    assert torch.equal(maps[0], truth)
    for step, (before, after) in enumerate(pairwise(maps)):
        assert ((before == truth) | (after == before)).all(), step
        assert (after == truth).double().mean().item() == pytest.approx(1 - STEPS[step], abs=0.06)
    with pytest.raises(ValueError, match=r"noise 1\.5: expected a share"):
        DegradedTruth(noise=1.5)


SUITE = """
name = "steps"
target = "label"
gallery = 2
[dataset]
name = "pairs"
images = 12
[[networks]]
architecture = "exact_linear"
preprocess = { size = [16, 16], mean = [0.0, 0.0, 0.0], std = [1.0, 1.0, 1.0] }
[[attributions]]
name = "input_x_gradient"
[[attributions]]
name = "random_map"
[[attributions]]
name = "oracle"
[[metrics]]
name = "sim"
[[metrics]]
name = "pointing_game"
[[metrics]]
name = "seconds"
"""


def test_a_run_says_which_metric_recovers_the_order_and_its_page_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "steps.toml"
    path.write_text(SUITE + "".join(f'[[attributions]]\nname = "degraded_truth"\nnoise = {own}\n' for own in STEPS))
    with progress() as bars:
        results = run_suite(Run(load_suite(str(path)), Store(tmp_path), torch.device("cpu"), bars))
    view = view_of(results)
    assert view.board.recovered["sim"].tau == 1
    assert {line.code for line in view.lines} == {"input_x_gradient", "random_map", "oracle"}
    text = page(results, view, [])
    assert "worse maps in order" in text
    assert "1.00 <small>" in text
