"""The files that the pages on clusters say to copy do what they say."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.results.result_set import read_results
from bench.suites.read import read_suite
from tests.support.small_suites import environment, pin_chunk, write_suite

CLUSTERS = Path(__file__).parents[2] / "docs" / "clusters"


def with_fakes(folder: Path, status: int = 0) -> dict[str, str]:
    """An environment in which `heatmark` says how it was called, and `srun` runs its words."""
    programs = {"heatmark": f'echo "$@"; exit {status}', "srun": 'exec "$@"'}
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_a_task_of_slurm_takes_its_part_of_the_array(tmp_path: Path) -> None:
    given = with_fakes(tmp_path) | {"SLURM_ARRAY_TASK_COUNT": "16", "SLURM_ARRAY_TASK_ID": "3"}
    script = ["bash", str(CLUSTERS / "heatmark.sbatch"), "suite.toml", "/shared/store"]
    done = subprocess.run(script, env=given, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["run", "suite.toml", "--store", "/shared/store", "--shard", "/16"]


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (3, 0), (2, 1), (143, 1)])
def test_a_pod_of_kubernetes_fails_only_where_nothing_was_done(tmp_path: Path, status: int, expected: int) -> None:
    text = (CLUSTERS / "heatmark.yaml").read_text()
    (command,) = re.findall(r"- (heatmark run .*)", text)
    done = subprocess.run(["/bin/sh", "-c", command], env=with_fakes(tmp_path, status), check=False)
    assert done.returncode == expected
    assert int(re.findall(r"--shard /(\d+)", command)[0]) == int(re.findall(r"completions: (\d+)", text)[0])


def test_the_big_board_is_a_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGENET", "/data/imagenet")
    table = read_suite(str(CLUSTERS / "big-board.toml")).table
    assert (len(table.networks), len(table.attributions), len(table.metrics)) == (10, 30, 2)
    listed = re.findall(r"^\| (\w+) \| [\d,]+ \|", (CLUSTERS / "price-list.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(network.label for network in table.networks)


@pytest.mark.long
@pytest.mark.parametrize(("script", "library"), [("dask-cluster.sh", "distributed"), ("ray-cluster.sh", "ray")])
def test_a_cluster_on_one_machine_carries_out_a_suite(tmp_path: Path, script: str, library: str) -> None:
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    suite, store = write_suite(tmp_path, epochs=1), tmp_path / "store"
    pin_chunk(store)
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {**os.environ, "PATH": beside, "OMP_NUM_THREADS": "1"}
    program = ["sh", str(CLUSTERS / script), str(suite), str(store)]
    done = subprocess.run(program, cwd=tmp_path, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert read_results(store / "results" / "tiny").scores.status.eq("ok").all()


SBATCH = """#!/bin/sh
for script; do :; done
cd "$(sed -n 's/^#SBATCH --chdir=//p' "$script")" || exit 1
sh "$script" >job.out 2>&1 &
echo $! | tee -a "$SUBMITTED"
"""
SQUEUE = """#!/bin/sh
while read -r job; do
    kill -0 "$job" 2>/dev/null && echo "$job|somebody|R|job|/"
done <"$SUBMITTED"
true
"""


@pytest.mark.long
def test_jobs_of_slurm_carry_out_a_suite(tmp_path: Path) -> None:
    """With a queue of one machine in the place of Slurm's commands: what is submitted runs at once."""
    if find_spec("executorlib") is None or find_spec("pysqa") is None:
        pytest.skip('executorlib is not installed: pip install "heatmark[slurm]"')
    suite, store, commands = write_suite(tmp_path, epochs=1), tmp_path / "store", tmp_path / "commands"
    pin_chunk(store)
    commands.mkdir()
    for name, text in {"sbatch": SBATCH, "squeue": SQUEUE, "scancel": "#!/bin/sh\n"}.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    beside = f"{commands}{os.pathsep}{os.environ['PATH']}"
    given = {**environment(), "PATH": beside, "SUBMITTED": str(tmp_path / "submitted")}
    program = [sys.executable, "-m", "bench", "run", str(suite), "--store", str(store), "--executor", "slurm"]
    done = subprocess.run(program, cwd=tmp_path, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert read_results(store / "results" / "tiny").scores.status.eq("ok").all()
    assert len((tmp_path / "submitted").read_text().split()) > 1
    assert "once more" not in done.stderr
    assert not list(tmp_path.glob("*slurm*"))
