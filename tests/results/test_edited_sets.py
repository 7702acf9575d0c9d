"""Result sets that were edited, or that others made: refused in one line, or read as they are."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.errors import HeatmarkError
from bench.report.write import write_report
from bench.results.result_set import Results, read_results, write_results
from tests.support.simulated_results import result_set


def _message(results: Results, folder: Path) -> str:
    write_results(results, folder)
    with pytest.raises(HeatmarkError) as refused:
        read_results(folder)
    return str(refused.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_ok_and_no_number_is_refused(tmp_path: Path, value: float) -> None:
    results = result_set(4)
    results.scores.loc[5, "score"] = value
    row = results.scores.loc[5]
    message = _message(results, tmp_path)
    assert all(name in message for name in (row.attribution, row.metric, row.image, "expected a number"))


@pytest.mark.parametrize("column", ["network", "attribution", "metric", "image", "status", "seed"])
def test_a_row_that_does_not_say_what_it_is_of_is_refused(tmp_path: Path, column: str) -> None:
    results = result_set(4)
    results.scores[column] = results.scores[column].astype(object if column != "seed" else "Int64")
    results.scores.loc[5, column] = None if column != "seed" else pd.NA
    assert f"column '{column}' has no value" in _message(results, tmp_path)


@pytest.mark.parametrize("rows", [0, 1])
def test_scores_of_a_network_that_the_table_of_networks_has_not_are_refused(tmp_path: Path, rows: int) -> None:
    results = result_set(4, recipes=("standard", "other"))
    message = _message(replace(results, networks=results.networks.iloc[:rows]), tmp_path)
    assert f"no row of network 'small_resnet' by recipe {('standard', 'other')[rows]!r}" in message


def _without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda manifest: manifest.pop(key)


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    **{key: _without(key) for key in ("suite", "command", "target", "versions", "dataset", "metrics", "attributions")},
    "recipes": lambda manifest: manifest.update(recipes=[]),
    "direction": lambda manifest: manifest["metrics"]["deletion"].update(direction="sideways"),
    "metric 'insertion'": lambda manifest: manifest["metrics"]["insertion"].pop("direction"),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_manifest_without_what_a_report_needs_is_refused(tmp_path: Path, what: str) -> None:
    results = result_set(4)
    EDITS[what](results.manifest)
    message = _message(results, tmp_path)
    assert what in message
    assert "manifest.json" in message


@pytest.mark.parametrize("key", ["device", "seed", "recipes", "failures"])
def test_a_manifest_without_the_rest_still_makes_a_report(tmp_path: Path, key: str) -> None:
    results = result_set(4)
    del results.manifest[key]
    write_results(results, tmp_path)
    write_report(read_results(tmp_path), tmp_path)
    assert (tmp_path / "index.html").is_file()
