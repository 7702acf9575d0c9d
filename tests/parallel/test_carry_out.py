"""One process, several, and shards: the same bits, nothing done twice; a worker that fails costs its images only."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from bench.api import Attribution
from bench.api.registry import find
from bench.cli import app
from bench.cli.failures import failure_lines
from bench.errors import HeatmarkError
from bench.parallel.carry_out import carried_out, gathered, one_shard
from bench.parallel.units import Job, Unit, of_shard, shard_of, units_of
from bench.progress import silent
from bench.results.cell_store import Store
from bench.results.result_set import Results
from bench.runner.records import Run
from bench.suites.load import with_plugins
from bench.suites.read import read_suite

SUITE = """
name = "small"
batch = 4
gallery = 1
[dataset]
name = "planted"
test_images = 12
images = 12
accuracy_images = 16
[attack]
images = 8
[[networks]]
architecture = "small_plain"
weights = "{weights}/small_plain-standard.safetensors"
[[networks]]
architecture = "small_resnet"
weights = "{weights}/small_resnet-standard.safetensors"
[[attributions]]
name = "integrated_gradients"
nodes = 4
[[attributions]]
name = "random_map"
[[metrics]]
name = "deletion"
step = 512
[[metrics]]
name = "gini"
"""
TRAINED = Path(__file__).parents[2] / "bench" / "trained"


def job_of(folder: Path, text: str, store: str, processes: int = 1) -> Job:
    (folder / "small.toml").write_text(text)
    path = folder / store
    path.mkdir(exist_ok=True)
    return Job(read_suite(str(folder / "small.toml")), path, "cpu", processes)


def run_of(job: Job) -> Run:
    return Run(with_plugins(job.suite), Store(job.store), torch.device("cpu"), silent())


def fixed_chunk(source: Path, *targets: Path) -> None:
    for target in targets:
        target.mkdir(exist_ok=True)
        (target / "chunks.json").write_bytes((source / "chunks.json").read_bytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parallel")


@pytest.fixture(scope="module")
def alone(folder: Path) -> Results:
    job = job_of(folder, SUITE.format(weights=TRAINED), "alone")
    return carried_out(job, run_of(job), None, None)


def assert_same(results: Results, alone: Results) -> None:
    for name in ("scores", "curves", "heatmaps"):
        pd.testing.assert_frame_equal(getattr(results, name), getattr(alone, name), check_exact=True)
    pd.testing.assert_frame_equal(results.networks, alone.networks)


def test_two_workers_give_the_same_bits_and_leave_nothing_to_do(
    folder: Path, alone: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed_chunk(folder / "alone", folder / "workers")
    job = job_of(folder, SUITE.format(weights=TRAINED), "workers", processes=2)

    def forbidden(*_: object) -> None:
        raise AssertionError("a worker should have done this")

    for name in ("blocks.score_one", "accuracy.accuracy_of", "explain.explained_by"):
        monkeypatch.setattr(f"bench.runner.{name}", forbidden)
    assert_same(carried_out(job, run_of(job), None, None), alone)
    assert not list((folder / "workers" / "finished_images").glob("*.parquet"))


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


FAILING = """
import multiprocessing, os, time
from pathlib import Path
import torch
from bench.training.architectures import build
from bench.training.weight_files import load_weights

class Failing(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        # Only in a worker, and only for curves: chunks of perturbed images of the second network.
        if multiprocessing.parent_process() is not None and not images.requires_grad:
            {deed}
        return self.inner(images)

def make(path):
    network = build("small_resnet", 8)
    load_weights(network, Path(path))
    return Failing(network)
"""
DEEDS = {
    "dies": ("os._exit(1)", "failed: a worker died"),
    "hangs": ("time.sleep(3600)", "failed: a worker took longer than --limit"),
    "is killed for its memory": ("import signal; os.kill(os.getpid(), signal.SIGKILL)", "failed: a worker died"),
    "eats memory": (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**35,) * 2); torch.zeros(2**36)",
        "failed: RuntimeError: [enforce fail",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("deed", DEEDS)
def test_a_worker_that_fails_costs_its_images_and_no_others(
    folder: Path, alone: Results, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEATMARK_ALLOW_CODE", "1")
    code, reason = DEEDS[deed]
    (folder / "failing.py").write_text(FAILING.format(deed=code))
    # Without the file beside it that tells of the weights of another module.
    weights = folder / "failing.safetensors"
    weights.write_bytes((TRAINED / "small_resnet-standard.safetensors").read_bytes())
    text = SUITE.format(weights=TRAINED).replace('architecture = "small_resnet"', 'architecture = "failing.py:make"')
    text = text.replace(str(TRAINED / "small_resnet-standard.safetensors"), str(weights))
    monkeypatch.chdir(folder)
    store = f"failing {deed}"
    fixed_chunk(folder / "alone", folder / store)
    job = job_of(folder, text, store, processes=2)
    results = carried_out(job, run_of(job), None, 60 if deed == "hangs" else None)
    whole = results.scores[results.scores.network == "small_plain"].reset_index(drop=True)
    expected = alone.scores[alone.scores.network == "small_plain"].reset_index(drop=True)
    pd.testing.assert_frame_equal(whole, expected, check_exact=True)
    lost = results.scores[results.scores.network != "small_plain"]
    assert len(lost) == len(expected)
    assert lost.status.str.startswith(reason).all(), lost.status.unique()
    accuracy = results.networks.set_index("network").accuracy
    assert accuracy.isna().to_dict() == {"small_plain": False, "failing.py-make": True}
    lines = failure_lines(results.manifest["failures"])
    assert any(line.startswith(f"accuracy and pictures of failing.py-make by standard: {reason}") for line in lines)


@pytest.mark.long
@pytest.mark.parametrize("executor", ["dask:", "ray:"])
def test_other_engines_give_the_same_bits(folder: Path, alone: Results, executor: str) -> None:
    pytest.importorskip({"dask:": "distributed", "ray:": "ray"}[executor])
    store = executor.removesuffix(":")
    fixed_chunk(folder / "alone", folder / store)
    job = job_of(folder, SUITE.format(weights=TRAINED), store, processes=2)
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
