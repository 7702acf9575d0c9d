"""`heatmark verify`: checksums, and a sample of cells computed again."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import HeatmarkError
from bench.progress import silent
from bench.results.cell_store import Store
from bench.results.result_set import Results, read_results, write_results
from bench.runner.records import Run
from bench.suites.load import with_plugins
from bench.suites.read import suite_of_settings
from bench.verification.recompute import Entry, cells_of, recomputed, sample_of, sample_of_few_networks
from tests.support.small_suites import pin_chunk, write_suite

CELLS = 2 * 2 * 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verified")
    suite = write_suite(folder)
    suite.write_text(suite.read_text() + '[[metrics]]\nname = "seconds"\n')
    pin_chunk(folder / "store")
    done = CliRunner().invoke(app, ["run", str(suite), "--store", str(folder / "store"), "--out", str(folder / "set")])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def verify(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[str]]]:
    def carried_out(folder: Path, *options: str) -> tuple[int, list[str]]:
        monkeypatch.chdir(place)
        said = CliRunner().invoke(app, ["verify", str(folder), "--store", "store", *options])
        if isinstance(said.exception, HeatmarkError):
            raise said.exception
        return said.exit_code, said.output.splitlines()

    return carried_out


def altered(place: Path, folder: Path, change: Callable[[Results], Results]) -> Path:
    write_results(change(read_results(place / "set")), folder)
    return folder


def test_a_fresh_set_passes_cell_by_cell(place: Path, verify) -> None:
    status, lines = verify(place / "set", "--share", "1")
    assert status == 0
    assert lines[0] == "checksums: right"
    assert lines[1].endswith(": the same as here, on such a machine")
    cells = lines[2:-1]
    assert len(cells) == CELLS
    assert sum(line.startswith("same ") and line.endswith("10 images, 0 apart at most") for line in cells) == 8
    assert sum(line.startswith("left ") and line.endswith("it measures the machine") for line in cells) == 4
    assert lines[-1] == "4 left, 8 same"


def test_one_altered_score_fails_when_its_cell_is_drawn(place: Path, tmp_path: Path, verify) -> None:
    def change(results: Results) -> Results:
        scores = results.scores.copy()
        row = scores.index[scores.metric.eq("deletion(step=1024)")][13]
        scores.loc[row, "score"] += 1e-4
        return replace(results, scores=scores)

    folder = altered(place, tmp_path / "altered", change)
    status, lines = verify(folder, "--share", "1")
    assert status == 1
    (found,) = [line for line in lines if line.startswith("differs")]
    assert "in the set" in found
    statuses = {verify(folder, "--share", "0.25", "--seed", str(seed))[0] for seed in range(12)}
    assert statuses == {0, 1}  # as it is drawn or not
    status, lines = verify(folder, "--share", "0.1", "--seed", "3")
    assert (status, lines) == verify(folder, "--share", "0.1", "--seed", "3")


def test_an_altered_score_always_fails_on_the_checksum(place: Path, tmp_path: Path, verify) -> None:
    folder = altered(place, tmp_path / "altered", lambda results: results)
    scores = pd.read_parquet(folder / "scores.parquet")
    scores.loc[0, "score"] = 0.123
    scores.to_parquet(folder / "scores.parquet")
    with pytest.raises(HeatmarkError, match=r"scores\.parquet is damaged, changed, or of another run"):
        verify(folder, "--share", "0")


def test_a_status_that_hides_a_score_is_found(place: Path, tmp_path: Path, verify) -> None:
    def change(results: Results) -> Results:
        scores = results.scores.assign(status=results.scores.status.astype(str))
        scores.loc[scores.index[0], ["score", "status"]] = [float("nan"), "empty truth map"]
        return replace(results, scores=scores)

    status, lines = verify(altered(place, tmp_path / "hidden", change), "--share", "1")
    assert status == 1
    assert any("no score (empty truth map) in the set" in line for line in lines)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda manifest: manifest | {"code": "0" * 64}, "recomputed by other code"),
        (lambda manifest: manifest | {"machine": {"cpu": "AVX9"}}, "on another machine"),
    ],
)
def test_other_code_or_another_machine_is_said(place: Path, tmp_path: Path, verify, change, reason: str) -> None:
    folder = altered(place, tmp_path / "other", lambda own: replace(own, manifest=change(own.manifest)))
    status, lines = verify(folder, "--share", "0.5")
    assert status == 0
    assert reason in lines[1]


def test_a_set_without_checksums_says_so(place: Path, tmp_path: Path, verify) -> None:
    folder = altered(place, tmp_path / "old", lambda results: results)
    manifest = read_results(folder).manifest
    (folder / "manifest.json").write_text(json.dumps(manifest))
    status, lines = verify(folder, "--share", "0.5")
    assert status == 0
    assert lines[0] == "checksums: none in the manifest, so none checked"


def test_networks_that_are_not_here_are_said_and_not_trained(place: Path, verify) -> None:
    with pytest.raises(HeatmarkError, match=r"none of the cells that were drawn .* --train trains them"):
        verify(place / "set", "--share", "1", "--store", "elsewhere")
    assert not [path for path in (place / "elsewhere").rglob("*") if path.is_file()]


def test_weights_that_are_others_are_said(place: Path, tmp_path: Path, verify) -> None:
    networks = read_results(place / "set").networks.assign(weights="0" * 64)
    folder = altered(place, tmp_path / "weights", lambda own: replace(own, networks=networks))
    with pytest.raises(HeatmarkError, match="could be recomputed here"):
        verify(folder, "--share", "1")


def test_images_that_are_not_here_are_said(place: Path, tmp_path: Path, verify) -> None:
    scores = read_results(place / "set").scores
    folder = altered(
        place, tmp_path / "images", lambda own: replace(own, scores=scores.assign(image="x" + scores.image.astype(str)))
    )
    with pytest.raises(HeatmarkError, match=r"planted 'test' has no image xtest/"):
        verify(folder)


def test_a_published_set_from_before_versions_is_recomputed_under_the_protocol_of_then(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "results" / "protocols"
    results = read_results(folder)
    suite = with_plugins(suite_of_settings(results.manifest["settings"], results.manifest["command"], folder))
    run = Run(suite, Store(tmp_path), torch.device("cpu"), silent())
    entry = Entry("small_resnet", "standard", 0, 7, "simple_gradient", "deletion(protocol=torchcam)")
    (found,) = recomputed(results, run, [entry], folder, "refuse")
    assert found.verdict == "same", found.reason


def test_a_sample_for_training_is_of_as_few_networks_as_have_so_many_cells(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "results" / "recipes-planted" / "strengths"
    results = read_results(folder)
    suite = with_plugins(suite_of_settings(results.manifest["settings"], results.manifest["command"], folder))
    run = Run(suite, Store(tmp_path), torch.device("cpu"), silent())
    cells = cells_of(results, run)
    few = [sample_of_few_networks(cells, 0.02, seed) for seed in (0, 0, 1)]
    assert len(few[0]) == len(sample_of(cells, 0.02, 0))
    assert few[0] == few[1]
    recipes = [{entry.recipe for entry in entries} for entries in few]
    assert recipes[0] != recipes[2]
    assert all(len(own) == 2 for own in recipes)  # each of the 59 has 1.7% of the cells
    assert sample_of_few_networks(cells, 1, 0) == sample_of(cells, 1, 0)
