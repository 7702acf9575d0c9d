"""Figures: what is drawn where, in which look, how wide, and that no label is cut or reads like another."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from bench.errors import HeatmarkError
from bench.report.figures.cost import front
from bench.report.figures.curves import MOST_CURVES, curves_of, drawn
from bench.report.figures.drawings import Drawing, drawings
from bench.report.figures.paper import WIDTHS, draw_file, save
from bench.report.figures.place import draw_places
from bench.report.figures.style import COLUMN, PAGE, apart, figures
from bench.report.short_names import shortened
from bench.report.view import view_of
from bench.results.result_set import read_results
from tests.support.published import BOARDS, RESULTS
from tests.support.simulated_results import result_set

LONG = [f"a_method_with_quite_a_long_name(setting={n}, reduction=sum_absolute)" for n in range(9)]


def _drawn(**wanted: object) -> dict[str, Drawing]:
    results = result_set(20, **wanted)
    return {drawing.name: drawing for drawing in drawings(results, view_of(results))}


@pytest.fixture(scope="module")
def many() -> dict[str, Drawing]:
    ways = {"deletion": "lower", "insertion": "higher", "pointing_game": "higher", "seconds": "lower"}
    results = result_set(20, methods=LONG, metrics=ways)
    results.manifest["metrics"]["seconds"] |= {"family": "cost"}
    return {drawing.name: drawing for drawing in drawings(results, view_of(results))}


@pytest.mark.parametrize("width", [COLUMN, PAGE])
def test_no_label_is_cut_and_none_reads_like_another(many: dict[str, Drawing], width: float) -> None:
    for name, drawing in many.items():
        with figures():
            figure = drawing.draw(width)
            figure.draw_without_rendering()
            assert figure.get_figwidth() == width
            _check_texts(figure, name)


def _check_texts(figure: Figure, name: str) -> None:
    canvas = figure.bbox
    for axes in figure.axes:
        labels = [text for text in (*axes.get_yticklabels(), *axes.texts) if text.get_text() and text.get_visible()]
        named = [text.get_text() for text in axes.get_yticklabels() if re.search("[A-Z]", text.get_text())]
        assert len(set(named)) == len(named), name
        for text in labels:
            box = text.get_window_extent()
            assert canvas.x0 - 2 <= box.x0, (name, text.get_text())
            assert box.x1 <= canvas.x1 + 2, (name, text.get_text())


def test_a_caption_speaks_of_brackets_only_where_there_is_one() -> None:
    captions = {}
    for name in ("embedded", "cub-gaze"):
        results = read_results(RESULTS / name)
        view = view_of(results)
        captions[name] = next(one.caption for one in drawings(results, view) if one.name == "place")
    assert "bracket" not in captions["embedded"]
    assert "Methods in one bracket cannot be told apart" in captions["cub-gaze"]


def test_controls_too_near_for_a_label_each_share_one_from_left_to_right() -> None:
    results = read_results(RESULTS / "embedded")
    view = view_of(results)
    edges, centre = (next(line for line in view.controls if line.name == name) for name in ("Edges", "Centre"))
    assert 0 < centre.place - edges.place < 0.04
    with figures():
        figure = draw_places(view, PAGE)
    assert {own.get_text() for own in figure.axes[0].texts} == {"Random", "Edges, Centre", "Truth"}


def test_six_curves_at_most_the_best_and_two_controls() -> None:
    lines = drawn(view_of(result_set(10, methods=LONG)))
    assert len(lines) == MOST_CURVES
    assert [line.kind for line in lines][-2:] == ["truth", "random"] or {line.kind for line in lines[-2:]} == {
        "truth",
        "random",
    }


def test_a_method_far_above_the_truth_is_still_on_the_chart() -> None:
    view = view_of(result_set(20))
    first, *others = view.verdict.rows
    rows = [replace(first, place=3.0, low=2.8, high=9.0), *others]
    with figures():
        (axes,) = draw_places(replace(view, verdict=replace(view.verdict, rows=rows)), COLUMN).axes
    low, high = axes.get_xlim()
    assert low < 0
    assert 3.0 < high < 4.0


def test_curves_of_images_without_a_score_are_left_out() -> None:
    results = result_set(20)
    whole, frame = dict(curves_of(results, view_of(results))), results.curves
    lost = frame.image.eq(frame.image.iloc[0]) | frame.attribution.eq(frame.attribution.iloc[0])
    results.curves["curve"] = [own * np.nan if gone else own for own, gone in zip(frame.curve, lost, strict=True)]
    left = dict(curves_of(results, view_of(results)))
    assert left
    for metric, curves in left.items():
        assert whole[metric].keys() - curves.keys() == {frame.attribution.iloc[0]}
        assert {len(own) for own in curves.values()} == {19}
        assert all(np.isfinite(own).all() for own in curves.values())


def test_axes_are_named_by_what_they_show() -> None:
    with figures():
        figure = _drawn()["curve_deletion"].draw(PAGE)
    assert figure.axes[0].get_ylabel() == "probability of the class"
    assert figure.axes[0].get_xlabel() == "share of pixels deleted"


def test_several_networks_get_a_panel_each() -> None:
    results = result_set(20, recipes=("standard", "adversarial"), methods=LONG[:3])
    results.manifest["question"] = "methods"
    (drawing,) = [one for one in drawings(results, view_of(results)) if one.name == "networks"]
    with figures():
        figure = drawing.draw(PAGE)
    assert [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()] == ["standard", "adversarial"]


@pytest.mark.parametrize("width", ["column", "page"])
@pytest.mark.parametrize("name", ["place", "gallery"])
def test_a_figure_for_a_paper_is_exactly_as_wide_as_asked_and_brings_its_fonts(tmp_path: Path, name, width) -> None:
    results = result_set(20)
    draw_file(results, name, width, "svg", tmp_path / "f.svg")
    text = (tmp_path / "f.svg").read_text()
    assert float(re.findall(r'width="([\d.]+)pt"', text)[0]) == pytest.approx(72 * WIDTHS[width])
    assert "<text" not in text
    draw_file(results, name, width, "pdf", tmp_path / "f.pdf")
    content = (tmp_path / "f.pdf").read_bytes()
    size = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+)", content)
    assert float(size[0]) == pytest.approx(72 * WIDTHS[width])
    if shutil.which("pdffonts"):
        said = subprocess.run(["pdffonts", "f.pdf"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        fonts = said.splitlines()[2:]
        assert fonts
        assert all(line.split()[-5] == "yes" for line in fonts)


@pytest.mark.long
@pytest.mark.parametrize("folder", BOARDS, ids=lambda folder: folder.name)
def test_every_figure_of_a_published_board_is_as_wide_as_a_column_or_a_page_with_its_fonts(
    tmp_path: Path, folder: Path
) -> None:
    results = read_results(folder)
    for drawing in drawings(results, view_of(results)):
        name = drawing.name
        for width, inches in WIDTHS.items():
            save(drawing, width, "pdf", tmp_path / f"{name}-{width}.pdf")
            content = (tmp_path / f"{name}-{width}.pdf").read_bytes()
            assert float(re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+)", content)[0]) == pytest.approx(72 * inches)
            if shutil.which("pdffonts"):
                command = ["pdffonts", f"{name}-{width}.pdf"]
                said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
                assert all(line.split()[-5] == "yes" for line in said.splitlines()[2:]), (name, width)


def test_a_figure_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(HeatmarkError, match="did you mean 'place'"):
        draw_file(result_set(5), "plaec", "column", "pdf", tmp_path / "f.pdf")


@given(st.lists(st.floats(0, 10), max_size=12), st.floats(0.01, 2))
def test_labels_are_apart_and_in_order(wanted: list[float], least: float) -> None:
    found = apart(wanted, least)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(np.array(found)[order]) >= least * (1 - 1e-6) - 1e-9).all()


@given(st.lists(st.text("ab (=,)", min_size=1, max_size=40), unique=True, max_size=12), st.integers(6, 30))
def test_shortened_names_stay_different(labels: list[str], most: int) -> None:
    short = shortened(labels, most)
    assert len(set(short)) == len(labels)
    assert all(len(one) <= max(most, 0) or one == label for one, label in zip(short, labels, strict=True))


def test_the_front_holds_what_none_beats_in_both() -> None:
    assert front(np.array([1.0, 2, 3, 2]), np.array([0.5, 0.9, 0.8, 0.4])) == [True, True, False, False]
