"""A plan counts exactly what a run then does, says what is there, and estimates the rest."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from bench.api.registry import find
from bench.cli import app
from bench.parallel import plan as planning
from bench.parallel import throughput
from bench.parallel.plan import Plan, plan_of
from bench.parallel.throughput import Throughput, Timing, measured
from bench.parallel.units import Job
from bench.progress import silent
from bench.racing.race import run_decided
from bench.results.cell_store import Store
from bench.runner import run as running
from bench.runner.blocks import blocks_of
from bench.runner.records import Run, Trained
from bench.runner.run import ready_networks, run_suite
from bench.suites.load import with_plugins
from bench.suites.read import read_suite

# Of a network without attention; a plan counts what a suite asks for.
UNSUPPORTED = ("attention_map", "attention_rollout", "chefer_relevance", "gradient_attention", "legrad")
GIVEN = Throughput(1e-3, 1e-3, 3e-3)
FEW = {"dataset": {"images": 1, "accuracy_images": 40, "references": 2}, "attack": {"images": 2, "steps": 3}}
SMALL = ("small_plain", "small_resnet")


def job_of(suite: str, store: Path, overrides: dict[str, Any], only: dict[str, list[str] | None] | None = None) -> Job:
    threads = torch.get_num_threads()
    (store / "chunks.json").write_text(json.dumps({f"{name} 64x64 fp32 cpu {threads} threads": 16 for name in SMALL}))
    return Job(read_suite(suite, overrides, only), store, "cpu")


def run_of(job: Job) -> Run:
    return Run(with_plugins(job.suite), Store(job.store), torch.device("cpu"), silent())


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Passes of all networks of runs, from when they are set up."""
    counts = {"forward": 0, "backward": 0}

    def backward(gradients: Tensor) -> None:
        counts["backward"] += len(gradients)

    def forward(_: nn.Module, __: tuple[object, ...], outputs: Tensor) -> None:
        counts["forward"] += len(outputs)
        if outputs.requires_grad:
            outputs.register_hook(backward)

    original: Callable[[Run, Trained], Trained] = running.looked_at_full

    def ready(run: Run, trained: Trained) -> Trained:
        found = original(run, trained)
        found.network.module.register_forward_hook(forward)
        return found

    monkeypatch.setattr(running, "looked_at_full", ready)
    return counts


def passes(planned: Plan) -> dict[str, int]:
    return {"forward": planned.forward, "backward": planned.backward}


PARTS = """
name = "parts"
batch = 2
gallery = 1
[dataset]
name = "planted"
train_images = 16
val_images = 8
test_images = 12
images = 5
accuracy_images = 8
references = 2
[attack]
images = 3
steps = 2
[[networks]]
architecture = "small_plain"
training = { epochs = 2, batch = 8 }
seeds = [0, 1]
[[attributions]]
name = "simple_gradient"
[[attributions]]
name = "smooth_grad"
samples = 3
[[metrics]]
name = "gini"
[[metrics]]
name = "deletion"
step = 1024
[[metrics]]
name = "training_stability"
"""


@pytest.mark.parametrize("network", ["small_plain", pytest.param("small_resnet", marks=pytest.mark.long)])
def test_passes_of_the_embedded_suite_are_predicted_exactly(
    tmp_path: Path, counted: dict[str, int], network: str
) -> None:
    weights = f"$SUITE/../trained/{network}-standard.safetensors"
    job = job_of("embedded", tmp_path, FEW | {"networks": [{"architecture": network, "weights": weights}]})
    planned = plan_of(job, run_of(job), GIVEN)
    run_suite(run_of(job))
    assert counted == passes(planned)
    again = plan_of(job, run_of(job), GIVEN)
    assert (again.stored, passes(again)) == (again.cells, {"forward": 0, "backward": 0})


def test_a_plan_counts_trainings_and_networks_that_are_compared(tmp_path: Path, counted: dict[str, int]) -> None:
    (tmp_path / "parts.toml").write_text(PARTS)
    job = job_of(str(tmp_path / "parts.toml"), tmp_path, {})
    before = plan_of(job, run_of(job), GIVEN)
    assert not list((tmp_path / "networks").glob("*.safetensors"))
    trainings = [task for task in before.tasks if task.what == "training"]
    # Two epochs of 16 images, and 8 images of validation after each.
    assert [(task.images, task.forward, task.backward) for task in trainings] == [(32, 48, 32)] * 2
    for number in range(len(run_of(job).suite.recipes)):
        ready_networks(run_of(job), number)
    after = plan_of(job, run_of(job), GIVEN)
    rest = {what: passes(before)[what] - sum(getattr(task, what) for task in trainings) for what in counted}
    assert passes(after) == rest
    run_suite(run_of(job))
    assert counted == rest


def test_part_of_a_run_that_was_killed_is_not_planned_again(tmp_path: Path, counted: dict[str, int]) -> None:
    (tmp_path / "parts.toml").write_text(PARTS.replace("seeds = [0, 1]", "").replace("epochs = 2", "epochs = 1"))
    job = job_of(str(tmp_path / "parts.toml"), tmp_path, {}, {"metrics": ["gini", "deletion"]})
    run = run_of(job)
    block = next(iter(blocks_of(run, ready_networks(run, 0))))
    block.compute([0], "0")
    counted.update(forward=0, backward=0)
    planned = plan_of(job, run_of(job), GIVEN)
    assert planned.stored == 0
    assert {task.images for task in planned.tasks if task.what == "scores"} == {3}
    run_suite(run_of(job))
    assert counted == passes(planned)


def test_heatmaps_that_are_kept_are_not_planned_again(tmp_path: Path, counted: dict[str, int]) -> None:
    (tmp_path / "parts.toml").write_text(PARTS.replace("epochs = 2", "epochs = 1"))
    before = job_of(str(tmp_path / "parts.toml"), tmp_path, {}, {"metrics": ["gini"]})
    run_suite(replace(run_of(before), keep_heatmaps=True))
    counted.update(forward=0, backward=0)
    job = job_of(str(tmp_path / "parts.toml"), tmp_path, {})
    planned = plan_of(job, run_of(job), GIVEN)
    # Of the second network, for the targets of the first.
    explained = [(task.method, task.images) for task in planned.tasks if task.what == "explanations"]
    assert explained == [("simple_gradient", 5), ("smooth_grad(samples=3)", 5)]
    run_suite(run_of(job))
    assert counted == passes(planned)


def test_only_what_is_still_to_do_is_timed_and_a_busy_machine_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "parts.toml").write_text(PARTS.replace("seeds = [0, 1]", "").replace("epochs = 2", "epochs = 1"))
    timed_plugins: list[set[str]] = []

    def noted(_: Run, __: Trained, methods: list[Any], metrics: list[Any]) -> Throughput:
        timed_plugins.append({own.name for own in (*methods, *metrics)})
        return replace(GIVEN, waited=12.0)

    monkeypatch.setattr(planning, "measured", noted)
    before = job_of(str(tmp_path / "parts.toml"), tmp_path, {}, {"metrics": ["gini"]})
    run_suite(run_of(before))
    whole = plan_of(before, run_of(before))
    assert timed_plugins == []
    assert whole.stored == whole.cells
    assert not any("busy" in note for note in whole.notes)
    after = job_of(str(tmp_path / "parts.toml"), tmp_path, {}, {"metrics": ["gini", "deletion"]})
    said = plan_of(after, run_of(after)).notes
    assert timed_plugins == [{"simple_gradient", "smooth_grad", "deletion"}]
    assert any("busy" in note and "12 times" in note for note in said)


def test_the_best_of_a_few_short_timings_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([Timing(0.3, 4.0), Timing(0.1, 1.2), Timing(0.2, 2.0), Timing(9.0, 1.5)])
    monkeypatch.setattr(throughput, "_timed", lambda *_: next(taken))
    assert throughput.timed(lambda: None, torch.device("cpu")) == Timing(0.1, 1.2)
    assert throughput.timed(lambda: None, torch.device("cpu")) == Timing(9.0, 1.5)


def test_what_threads_compute_is_no_waiting() -> None:
    assert throughput.waited(1.0, 2.0, 2) == 1.0
    assert throughput.waited(10.0, 2.0, 2) == pytest.approx(10.0)
    assert throughput.waited(1.0, 5.0, 2) == 1.0


def test_a_race_takes_no_less_than_its_plan_and_no_more_than_the_whole_suite(
    tmp_path: Path, counted: dict[str, int]
) -> None:
    few = FEW | {"dataset": FEW["dataset"] | {"images": 12}}
    only = {"attributions": ["simple_gradient", "random_map"], "metrics": ["relevance_mass", "gini"]}
    job = job_of("embedded", tmp_path, few, only)
    planned = plan_of(job, run_of(job), GIVEN)
    images, forward, backward, seconds = planned.decided_at_once()
    counted.update(forward=0, backward=0)
    run_decided(run_of(job))
    assert images == 8
    assert forward <= counted["forward"] <= planned.forward
    assert backward <= counted["backward"] <= planned.backward
    assert counted["forward"] < planned.forward
    assert planned.start < seconds < planned.seconds


def test_a_plan_says_how_few_passes_deciding_takes(tmp_path: Path) -> None:
    job = job_of("embedded", tmp_path, FEW)
    found = CliRunner().invoke(
        app, ["plan", "embedded", "--quick", "--decide", "--throughput", "1000,300", "--store", str(job.store)]
    )
    assert found.exit_code == 0, found.output
    assert "where all is decided by 8 of 16 images; at most all" in " ".join(found.output.split())
    refused = CliRunner().invoke(app, ["plan", "embedded", "--decide", "--workers", "2"])
    assert "--decide looks at all scores before it goes on, in one process; expected no --workers" in str(
        refused.exception
    )


def test_adaptive_curves_save_their_share(tmp_path: Path) -> None:
    job = job_of("embedded", tmp_path, FEW)
    fixed, third = (plan_of(job, run_of(job), replace(GIVEN, points=points)) for points in (None, 1 / 3))
    points = sum(task.forward for task in third.tasks if task.metric in ("deletion", "insertion"))
    assert fixed.with_adaptive_curves() is None
    assert third.with_adaptive_curves() == (points * 2 // 3, pytest.approx(points * 2 / 3 * GIVEN.forward))


def test_seconds_grow_with_images_and_shrink_with_workers(tmp_path: Path) -> None:
    job = job_of("embedded", tmp_path, FEW)
    one = plan_of(job, run_of(job), GIVEN)
    work = one.seconds - one.start - one.finish
    assert one.seconds_of(2) - one.start - one.finish == pytest.approx(work / 2)
    assert one.finish > 0
    assert one.with_images(0.25) < one.seconds
    assert one.with_images(1.0) == pytest.approx(one.seconds)
    assert one.dearest[0].dearest == max(task.dearest for task in one.tasks)
    assert one.dearest[0].method == "integrated_gradients"
    assert one.dearest[0].metric.startswith("noise_robustness")


def test_what_is_measured_is_what_passes_take(tmp_path: Path) -> None:
    job = job_of("embedded", tmp_path, FEW, {"attributions": ["random_map", "simple_gradient", "oracle"]})
    run = run_of(job)
    speed = measured(run, ready_networks(run, 1)[0], run.suite.attributions, run.suite.metrics)
    assert 0 < speed.forward < 2 * speed.gradient
    assert {method.name for method in speed.explanations} == {"random_map", "simple_gradient", "oracle"}
    assert {metric.name for metric in speed.scores} == {metric.name for metric in run.suite.metrics}
    assert {m.name: points for m, points in speed.curves.items()}["noise_robustness"] == 3
    assert speed.points is not None
    assert 0.1 < speed.points < 1


def test_the_command_says_it_for_people_and_for_programs(tmp_path: Path) -> None:
    (tmp_path / "parts.toml").write_text(PARTS)
    options = ["--store", str(tmp_path / "store"), "--throughput", "1000,300", "--workers", "4"]
    said = CliRunner().invoke(app, ["plan", str(tmp_path / "parts.toml"), *options])
    assert said.exit_code == 0, said.output
    for part in ("parts: 10 cells, 0 in the store; cpu, 4 processes", "small_plain by standard, seed 1", "training"):
        assert part in said.output
    for part in ("Passes: ", " in 4, ", "A quarter of the 5 images", "The dearest cells"):
        assert part in said.output
    record = json.loads(CliRunner().invoke(app, ["plan", str(tmp_path / "parts.toml"), *options, "--json"]).stdout)
    assert record["cells"] == 10
    assert record["forward"] == sum(task["forward"] for task in record["tasks"])
    assert set(record["minutes"]) == {"1", "4"}


@pytest.mark.parametrize("said", ["2000", "a,b", "0,1", "inf,1", "1,2,3"])
def test_a_throughput_that_is_none_is_one_line(said: str) -> None:
    failed = CliRunner().invoke(app, ["plan", "--throughput", said])
    assert failed.exit_code != 0
    assert "--throughput" in str(failed.exception)


LEFT_OUT = ("irof", "roar", "diff_roar", "difull")


@pytest.mark.long
def test_passes_of_every_method_and_metric_are_predicted_exactly(tmp_path: Path, counted: dict[str, int]) -> None:
    """But for IROF, which asks as often as the image has superpixels, and for what trains networks anew.

    DiFull refuses methods that look at a layer, which a plan counts as if they were explained; `heatmark check` counts
    the passes of those that it takes.
    """
    few = {"samples": 3, "masks": 6, "steps": 3, "nodes": 3}
    methods = [own for name, own in find("attributions").items() if name not in UNSUPPORTED]
    metrics = [own for name, own in find("metrics").items() if name not in LEFT_OUT]
    tables = {
        kind: [
            {"name": own.name} | {field.name: few[field.name] for field in fields(own) if field.name in few}
            for own in plugins
        ]
        for kind, plugins in (("attributions", methods), ("metrics", metrics))
    }
    weights = "$SUITE/../trained/small_plain-standard.safetensors"
    networks = [{"architecture": "small_plain", "weights": weights}]
    job = job_of("embedded", tmp_path, FEW | {"networks": networks} | tables)
    planned = plan_of(job, run_of(job), GIVEN)
    results = run_suite(run_of(job))
    bad = results.scores[~results.scores.status.isin(["ok", "no fixations"])]
    assert not bad.status.str.startswith("failed").any(), bad.drop_duplicates("status").to_string()
    assert counted == passes(planned)
