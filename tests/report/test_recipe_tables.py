"""What recipes change: numbers that are known beforehand."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from rich.console import Console
from scipy import stats

from bench.report.figures.effects import MOST_RECIPES, draw_effects, strongest
from bench.report.figures.style import COLUMN, PAGE, figures
from bench.report.recipe_tables import FALLS, RISES, WARNING, render_recipes
from bench.report.terminal import show
from bench.report.view import view_of
from bench.report.write import write_report
from bench.results.result_set import Results
from bench.statistics.build import board_of
from bench.statistics.recipe_effects import compares_recipes, effects_of, recipe_table
from tests.support.simulated_results import result_set

CONTROL, SPARSE = "standard", "sparse(strength=2)"
SETTINGS = {CONTROL: {}, SPARSE: {"strength": 2.0, "mode": "l1"}}
# metric -> what the control scores, what the other recipe adds, settings
METRICS = {
    "gini": (0.4, 0.1, {}),
    "mass": (0.5, 0.0, {}),
    "penalty(strength=1)": (7.0, -1.0, {"strength": 1.0}),
    "penalty(strength=2)": (8.0, -6.0, {"strength": 2.0}),
}


def trained(seeds: int = 3, images: int = 50, accuracy: float = 0.9) -> Results:
    """Two recipes; the second changes each metric by a known amount."""
    rng = np.random.default_rng(0)
    rows, networks = [], []
    template = result_set(images=4, methods=("simple_gradient",), controls=())
    for seed in range(seeds):
        luck = 0.01 * seed
        for recipe in SETTINGS:
            networks.append(
                template.networks.assign(recipe=recipe, seed=seed, accuracy=0.97, robust_accuracy=0.5 + luck)
            )
            if recipe == SPARSE:
                networks[-1] = networks[-1].assign(accuracy=accuracy)
        for metric, (base, more, _) in METRICS.items():
            score = base + luck + rng.normal(0, 0.01, images)
            for recipe in SETTINGS:
                own = score + rng.normal(0, 0.001, images) + (more if recipe == SPARSE else 0)
                rows.append(
                    pd.DataFrame({"image": [f"i{n}" for n in range(images)], "score": own}).assign(
                        recipe=recipe,
                        metric=metric,
                        seed=seed,
                        network="small_resnet",
                        attribution="simple_gradient",
                        suite="simulated",
                        dataset="planted",
                        protocol="heatmark",
                        target="label",
                        status="ok",
                    )
                )
    card = {"reference": "", "summary": ""}
    metrics = {
        label: {
            **card,
            "name": label.partition("(")[0],
            "settings": given,
            "direction": "higher",
            "family": "",
            "question": "",
        }
        for label, (_, _, given) in METRICS.items()
    }
    recipes = {label: {**card, "name": label.partition("(")[0], "settings": given} for label, given in SETTINGS.items()}
    manifest = {
        **template.manifest,
        "metrics": metrics,
        "recipes": recipes,
        "attack": {"epsilon": 0.01, "steps": 5, "images": 64},
    }
    return Results(pd.concat(rows), template.curves[:0], pd.concat(networks), template.heatmaps[:0], manifest)


def row_of(table: pd.DataFrame, recipe: str, metric: str) -> pd.Series:
    (row,) = table[table.recipe.eq(recipe) & table.metric.eq(metric)].to_dict("records")
    return pd.Series(row)


def test_intervals_over_seeds_are_students() -> None:
    results = trained()
    row = row_of(recipe_table(results), SPARSE, "gini")
    own = results.scores.query("recipe == @SPARSE and metric == 'gini'")
    means = own.groupby("seed").score.mean().to_numpy()
    low, high = stats.t.interval(0.95, 2, means.mean(), stats.sem(means))
    assert (row["mean"], row.low, row.high) == pytest.approx((means.mean(), low, high))
    assert [float(point) for point in row.points.split()] == pytest.approx(means, abs=1e-5)
    assert row.seeds == 3


def test_differences_are_paired_by_seed() -> None:
    table = recipe_table(trained())
    gini, mass = row_of(table, SPARSE, "gini"), row_of(table, SPARSE, "mass")
    assert gini.difference == pytest.approx(0.1, abs=1e-3)
    # The seeds' own ups and downs, 0.01 each, are not in it.
    assert gini.difference_high - gini.difference_low < 0.005 < gini.high - gini.low
    assert mass.difference_low < 0 < mass.difference_high
    assert set(table.control) == {CONTROL}


def test_with_one_seed_the_interval_is_over_images() -> None:
    results = trained(seeds=1)
    row = row_of(recipe_table(results), SPARSE, "gini")
    own = results.scores.query("recipe == @SPARSE and metric == 'gini'").score
    assert (row.low, row.high) == pytest.approx(stats.t.interval(0.95, 49, own.mean(), stats.sem(own)))
    assert row.seeds == 1
    accuracy = row_of(recipe_table(results), CONTROL, "accuracy")
    assert 0.94 < accuracy.low < 0.97 < accuracy.high < 0.99


def test_no_interval_of_an_accuracy_leaves_0_to_1() -> None:
    results = trained()
    spread = results.networks.assign(accuracy=np.where(results.networks.seed.eq(0), 0.2, 0.98))
    row = row_of(recipe_table(replace(results, networks=spread)), SPARSE, "accuracy")
    assert (row.low, row.high) == (0, 1)


def test_what_a_recipe_trains_on_is_its_own() -> None:
    table = recipe_table(trained())
    assert table[table.own][["recipe", "metric"]].to_numpy().tolist() == [[SPARSE, "penalty(strength=2)"]]
    assert row_of(table, SPARSE, "penalty(strength=2)").change == pytest.approx(-6 / 8.01, abs=1e-3)


def test_refused_images_do_not_count() -> None:
    results = trained(seeds=1)
    refused = results.scores.image.eq("i3")
    scores = results.scores.assign(status=np.where(refused, "prediction changed", "ok"))
    scores.loc[refused, "score"] = np.nan
    row = row_of(recipe_table(replace(results, scores=scores)), SPARSE, "gini")
    kept = results.scores[~refused].query("recipe == @SPARSE and metric == 'gini'").score
    assert row["mean"] == pytest.approx(kept.mean())


def test_the_written_table_says_what_is_sure_and_what_it_costs() -> None:
    results = trained(accuracy=0.9)
    text = render_recipes(recipe_table(results), results.manifest)
    (line,) = [line for line in text.splitlines() if line.startswith("| sparse")]
    accuracy, attacked, gini, mass, own = [cell.strip() for cell in line.split("|")[2:-1]]
    assert WARNING in accuracy
    assert WARNING not in attacked
    assert RISES in gini
    assert RISES not in mass
    assert FALLS not in mass
    assert own.startswith("8.01 → 2.01, -75%")
    assert own.endswith(FALLS)
    within = trained(accuracy=0.93)
    assert WARNING not in render_recipes(recipe_table(within), within.manifest).partition("In brackets")[0]


def test_one_recipe_is_no_comparison() -> None:
    assert compares_recipes(trained())
    assert not compares_recipes(result_set())


def test_the_report_holds_tables_and_figure(tmp_path: Path) -> None:
    results = trained()
    write_report(results, tmp_path)
    assert pd.read_csv(tmp_path / "recipes.csv").metric.nunique() == len(METRICS) + 2
    assert "sparse" in (tmp_path / "recipes.md").read_text()
    drawn = {path.name.partition("_")[0] for path in (tmp_path / "figures").glob("*.svg")}
    assert {"effect", "price"} <= drawn
    text = (tmp_path / "index.html").read_text()
    assert "Difference to standard of the same network" in text
    assert 'id="scores"' not in text


def test_the_figure_has_a_row_for_each_recipe_and_a_mark_for_each_seed() -> None:
    table = recipe_table(trained())
    with figures():
        figure = draw_effects(
            table[table.metric.eq("gini")], {SPARSE: "Sparse (strength 2)", "standard": "Plain"}, "Gini", PAGE
        )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["Sparse (strength 2)"]
    (seeds,) = [line for line in axes.lines if line.get_marker() == "|"]
    assert len(seeds.get_xdata()) == 3
    np.testing.assert_allclose(np.mean(seeds.get_xdata()), 0.1, atol=0.02)


def test_recipes_of_one_kind_stand_below_its_name_and_one_alone_has_its_whole_name() -> None:
    rows = recipe_table(trained())
    (row,) = rows[rows.metric.eq("gini") & rows.recipe.ne("standard")].to_dict("records")
    names = {"a": "Sparse (l1, strength 2)", "b": "Sparse", "c": "Smooth (strength 1)", "standard": "Plain training"}
    with figures():
        figure = draw_effects(pd.DataFrame([row | {"recipe": label} for label in "abc"]), names, "Gini", COLUMN)
        figure.draw_without_rendering()
    labels = figure.axes[0].get_yticklabels()
    assert [text.get_text() for text in labels] == ["Sparse", "l1, strength 2", "as published", "Smooth (strength 1)"]
    assert all(text.get_window_extent().x0 >= figure.bbox.x0 for text in labels)
    assert "difference to plain training" in figure.get_supxlabel()


def test_what_recipes_do_to_accuracy_is_drawn_in_points() -> None:
    table = recipe_table(trained())
    rows = table[table.metric.eq("accuracy")]
    with figures():
        figure = draw_effects(rows, {SPARSE: "Sparse (strength 2)", "standard": "Plain"}, "Accuracy", PAGE)
    (dots,) = [own for own in figure.axes[0].collections if isinstance(own, PathCollection)]
    (row,) = rows[rows.recipe.eq(SPARSE)].to_dict("records")
    assert dots.get_offsets()[0][0] == pytest.approx(100 * row["difference"])
    assert "points" in figure.get_supxlabel()


def test_of_many_recipes_those_with_the_surest_effect_are_drawn() -> None:
    table = recipe_table(trained())
    (row,) = table[table.metric.eq("gini") & table.recipe.ne("standard")].to_dict("records")
    many = pd.DataFrame([row | {"recipe": f"r{n}", "difference": n / 10} for n in range(40)])
    assert set(strongest(many).recipe) == {f"r{n}" for n in range(40 - MOST_RECIPES, 40)}


def test_a_network_that_is_trained_on_no_measure_has_no_place_for_one() -> None:
    results = trained()
    table = recipe_table(results).assign(own=False)
    assert "own penalty" not in render_recipes(table, results.manifest)


def test_in_a_terminal_recipes_stand_by_kind_with_what_they_change_and_cost() -> None:
    results = trained()
    results.manifest["question"] = "recipes"
    file = io.StringIO()
    show(view_of(results), Console(file=file, width=80))
    lines = file.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines)
    (head,) = [line for line in lines if line.startswith("recipe")]
    assert head.endswith("accuracy, points")
    (row,) = [line for line in lines if line.startswith("  strength 2")]
    assert row.split()[-1].startswith("\N{MINUS SIGN}")
    assert "Sparse, small_resnet" in file.getvalue()
    assert "differences to standard; 95% intervals over seeds" in file.getvalue()


def test_no_other_recipe_takes_the_place_of_a_control_without_scores() -> None:
    results = result_set(10, methods=("simple_gradient",), recipes=("standard", "one", "other"), seeds=2)
    failed = results.scores.recipe.eq("standard") & results.scores.metric.eq("insertion")
    results.scores.loc[failed, ["score", "status"]] = [np.nan, "failed: boom"]
    table = recipe_table(results)
    assert set(table.control) == {"standard"}
    own = table[table.metric.eq("insertion")]
    assert set(own.recipe) == {"one", "other"}
    assert own["mean"].notna().all()
    assert own.difference.isna().all()
    manifest = {**results.manifest, "question": "recipes"}
    assert {effect.code for effect in effects_of(board_of(replace(results, manifest=manifest)))} == {
        "deletion",
        "pointing_game",
    }
