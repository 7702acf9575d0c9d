"""The logs of training, as a table and as a figure."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from bench.report.figures.style import COLUMN, PAGE
from bench.report.figures.training import draw_training, training_log
from bench.report.write import write_report
from bench.results.result_set import Results
from tests.support.simulated_results import result_set


def logged(penalty: bool) -> Results:
    results = result_set(20, recipes=("standard", "regularised"), seeds=2)
    if penalty:
        log = [{"epoch": n, "loss": 1.0, "accuracy": 0.5, "penalty": -8.0 + 2 * n} for n in range(3)]
        own = results.networks.recipe.eq("regularised")
        results.networks.loc[own, "log"] = json.dumps(log)
    return results


def test_the_table_has_a_row_for_each_network_and_epoch() -> None:
    log = training_log(logged(penalty=True))
    assert len(log) == 2 * 8 + 2 * 3
    assert set(log) == {"network", "recipe", "seed", "epoch", "loss", "accuracy", "penalty"}
    assert log[log.recipe.eq("standard")].penalty.isna().all()


def test_a_penalty_is_drawn_as_a_share_of_what_it_was() -> None:
    figure = draw_training(training_log(logged(penalty=True)), PAGE)
    assert [axes.get_title(loc="left") for axes in figure.axes][2].startswith("penalty")
    (line,) = [line for line in figure.axes[2].lines if len(line.get_xdata())]
    np.testing.assert_allclose(line.get_ydata(), [-1, -0.75, -0.5])
    assert len(draw_training(training_log(logged(penalty=False)), COLUMN).axes) == 2


def test_a_recipe_looks_the_same_in_every_panel() -> None:
    figure = draw_training(training_log(logged(penalty=True)), PAGE)
    (drawn,) = [line for line in figure.axes[2].lines if len(line.get_xdata())]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    (named,) = [line for line, name in zip(figure.legends[0].get_lines(), names, strict=True) if "regularised" in name]
    assert (drawn.get_color(), drawn.get_linestyle()) == (named.get_color(), named.get_linestyle())
    assert drawn._dash_pattern == named._dash_pattern


def test_without_logs_there_is_neither(tmp_path: Path) -> None:
    results = result_set(20)
    results.networks["log"] = ""
    write_report(results, tmp_path / "none")
    assert not list((tmp_path / "none").rglob("training*"))
    write_report(logged(penalty=False), tmp_path / "some")
    assert "were trained: loss and accuracy." in (tmp_path / "some" / "index.html").read_text()
    write_report(logged(penalty=True), tmp_path / "some")
    assert "were trained: loss, accuracy and penalty." in (tmp_path / "some" / "index.html").read_text()
    assert len(pd.read_csv(tmp_path / "some" / "training.csv")) == 22
    assert (tmp_path / "some" / "figures" / "training.svg").exists()
