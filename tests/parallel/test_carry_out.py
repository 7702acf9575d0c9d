"""One process, several, shards, Dask, Ray: the same bits, nothing done twice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.api import Attribution
from bench.api.registry import find
from bench.cli import app
from bench.errors import HeatmarkError
from bench.parallel.carry_out import carried_out, gathered, one_shard
from bench.parallel.units import Unit, of_shard, shard_of, units_of
from bench.results.result_set import Results
from tests.support.parallel_runs import SUITE, TRAINED, assert_same, fixed_chunk, forbid_computing, job_of, run_of


def test_two_workers_give_the_same_bits_and_leave_nothing_to_do(
    folder: Path, alone: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed_chunk(folder / "alone", folder / "workers")
    job = job_of(folder, SUITE.format(weights=TRAINED), "workers", processes=2)
    job = replace(job, keep_heatmaps=True)
    forbid_computing(monkeypatch)
    assert_same(carried_out(job, run_of(job), None, None), alone)
    assert not list((folder / "workers" / "finished_images").glob("*.parquet"))
    # Two networks, two methods, three batches.
    assert len(list((folder / "workers" / "heatmaps").rglob("*.parquet"))) == 12


def test_shards_together_are_the_whole(folder: Path, alone: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed_chunk(folder / "alone", folder / "shards")
    job = job_of(folder, SUITE.format(weights=TRAINED), "shards")
    said, failures = one_shard(job, run_of(job), 1, 2)
    assert f"heatmark report {folder / 'small.toml'} --store" in said
    assert not failures
    lacking = sum(unit.cells for unit in units_of(job, run_of(job)))
    with pytest.raises(HeatmarkError, match=r"\d+ cells of suite small are not in .*; heatmark run .* computes them"):
        gathered(job, run_of(job))
    one_shard(job, run_of(job), 2, 2)
    assert lacking > 0
    monkeypatch.setattr("bench.runner.blocks.score_one", None)
    assert_same(gathered(job, run_of(job)), alone)


def test_what_a_shard_could_not_do_is_gathered_as_it_is_and_tried_again_by_the_shard(
    folder: Path, alone: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        SUITE.format(weights=TRAINED)
        .replace('"random_map"', '"attention_rollout"')
        .replace("images = 12", "images = 4")
    )
    fixed_chunk(folder / "alone", folder / "unsupported")
    job = job_of(folder, text, "unsupported")
    _, failures = one_shard(job, run_of(job), 1, 1)
    reasons = {(own["attribution"], own["status"].partition(":")[0], own["images"]) for own in failures}
    assert reasons == {("attention_rollout", "unsupported", 4)}
    assert len(failures) == 2 * 2  # two metrics on two networks
    tried: list[str] = []
    original = Attribution.explain
    monkeypatch.setattr(
        Attribution,
        "explain",
        lambda own, *given: tried.append(own.name) or original(own, *given),  # type: ignore[func-returns-value]
    )
    for _ in range(2):
        scores = gathered(job, run_of(job)).scores
        assert scores[scores.attribution == "attention_rollout"].status.str.startswith("unsupported").all()
        assert (scores[scores.attribution != "attention_rollout"].status == "ok").all()
    assert not tried
    one_shard(job, run_of(job), 1, 1)
    assert set(tried) == {"attention_rollout"}


def test_what_failed_in_a_shard_is_a_line_and_status_3_of_the_report_that_gathers(
    folder: Path, alone: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed_chunk(folder / "alone", folder / "failed")
    job = job_of(folder, SUITE.format(weights=TRAINED).replace("images = 12", "images = 4"), "failed")

    def fails(*_: object) -> None:
        raise ValueError("no way")

    monkeypatch.setattr(find("attributions")["random_map"], "attribute", fails)
    one_shard(job, run_of(job), 1, 1)
    options = ["--store", str(job.store), "--table", "csv"]
    gathering = CliRunner().invoke(app, ["report", str(folder / "small.toml"), *options])
    assert gathering.exit_code == 3, gathering.output
    lines = gathering.stderr.splitlines()
    assert [line.partition(", deletion")[0] for line in lines] == [
        f"heatmark: random_map on {network} by standard" for network in ("small_plain", "small_resnet")
    ]
    assert all(line.endswith("gini, 4 images: failed: ValueError: no way") for line in lines)
    assert "integrated_gradients" in gathering.stdout


def test_shards_share_all_units_evenly(folder: Path, alone: Results) -> None:
    units = [Unit(0, 0, (number,), 4, 1, f"{number * 7919 % 101:03}") for number in range(50)]
    parts: Sequence[Sequence[Unit]] = [of_shard(units, number, 3) for number in (1, 2, 3)]
    assert sorted(unit.key for part in parts for unit in part) == sorted(unit.key for unit in units)
    assert {len(part) for part in parts} == {16, 17}


@pytest.mark.parametrize(
    ("said", "environment", "expected"),
    [
        ("3/16", {}, (3, 16)),
        ("/16", {"SLURM_ARRAY_TASK_ID": "2"}, (2, 16)),
        ("/16", {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_MIN": "0"}, (1, 16)),
        ("/16", {"JOB_COMPLETION_INDEX": "0"}, (1, 16)),
    ],
)
def test_the_number_of_a_shard(
    said: str, environment: dict[str, str], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert shard_of(said) == expected


@pytest.mark.parametrize("said", ["0/4", "5/4", "a/b", "3", "/4", "1/0", "-1/4"])
def test_a_shard_that_is_none_is_one_line(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)
    monkeypatch.delenv("JOB_COMPLETION_INDEX", raising=False)
    with pytest.raises(HeatmarkError, match="--shard"):
        shard_of(said)


def test_each_image_of_each_cell_is_one_unit_s(folder: Path, alone: Results) -> None:
    job = job_of(folder, SUITE.format(weights=TRAINED), "empty")
    fixed_chunk(folder / "alone", job.store)
    units = [unit for unit in units_of(job, run_of(job)) if unit.block is not None]
    assert len({unit.key for unit in units}) == len(units)
    own = Counter((unit.number, unit.block, batch) for unit in units for batch in unit.batches)
    assert set(own.values()) == {1}
    assert sum(unit.images * unit.cells for unit in units) == len(alone.scores)


def test_a_dask_cluster_gives_the_same_bits(folder: Path, alone: Results) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        fixed_chunk(folder / "alone", folder / "dask")
        job = job_of(folder, SUITE.format(weights=TRAINED), "dask")
        assert_same(carried_out(job, run_of(job), f"dask:{cluster.scheduler_address}", None), alone)


@pytest.mark.long
@pytest.mark.parametrize("executor", ["dask:", "ray:"])
def test_processes_of_other_engines_give_the_same_bits_and_leave_nothing_to_do(
    folder: Path, alone: Results, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = executor.removesuffix(":")
    if find_spec({"dask": "distributed"}.get(name, name)) is None:
        pytest.skip(f'{name} is not installed: pip install "heatmark[{name}]"')
    store = f"{name} processes"
    fixed_chunk(folder / "alone", folder / store)
    job = job_of(folder, SUITE.format(weights=TRAINED), store, processes=2)
    forbid_computing(monkeypatch)
    assert_same(carried_out(job, run_of(job), executor, None), alone)


def test_an_engine_that_is_none_is_one_line(folder: Path, alone: Results) -> None:
    job = job_of(folder, SUITE.format(weights=TRAINED), "alone")
    with pytest.raises(HeatmarkError, match="did you mean 'dask'"):
        carried_out(job, run_of(job), "dusk", None)


def test_an_engine_of_ones_own_runs_only_where_it_is_allowed() -> None:
    failed = CliRunner().invoke(app, ["run", "--executor", "concurrent.futures:ThreadPoolExecutor"])
    assert failed.exit_code != 0
    assert "--allow-code runs it" in str(failed.exception)


def test_threads_of_one_process_give_the_same_bits(folder: Path, alone: Results) -> None:
    fixed_chunk(folder / "alone", folder / "threads")
    job = job_of(folder, SUITE.format(weights=TRAINED), "threads")
    assert_same(carried_out(job, run_of(job), "concurrent.futures:ThreadPoolExecutor", None), alone)
