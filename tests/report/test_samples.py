"""Maps in colours: signed ones white at their zero, and outlines of the truth."""

import io

import numpy as np
import pytest
from PIL import Image

from bench.report.figures.samples import coloured
from bench.report.gallery import gallery, outline
from bench.report.view import view_of
from tests.support.simulated_results import result_set


def _png(levels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(levels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("zero", [40.0, 128.0, 200.0])
def test_a_signed_map_is_white_at_its_zero_blue_below_and_red_above(zero: float) -> None:
    levels = np.array([[0, zero, 255]])
    below, at, above = np.asarray(coloured(_png(levels), zero).convert("RGB"))[0].astype(int)
    assert at.min() > 240
    assert below[2] > below[0]
    assert above[0] > above[2]


def test_a_map_without_sign_goes_from_dark_to_bright() -> None:
    dark, bright = np.asarray(coloured(_png(np.array([[0, 255]])), np.nan).convert("L"))[0]
    assert dark < 10
    assert bright > 200


def test_the_outline_of_a_square_is_its_edge() -> None:
    mask = np.zeros((40, 40))
    mask[10:30, 10:30] = 255
    alpha = np.asarray(outline(_png(mask)))[:, :, 3]
    assert alpha[10, 20] == 255
    assert alpha[20, 20] == alpha[2, 2] == 0


def test_the_gallery_has_images_by_methods_and_says_why_each_was_chosen() -> None:
    results = result_set(20)
    data = gallery(results, view_of(results))
    assert [line["code"] for line in data["lines"]][:1] == ["integrated_gradients"]
    assert len({row["id"] for row in data["rows"]}) == len(data["rows"]) == 4
    assert "methods disagree most" in {row["why"] for row in data["rows"]}
    row = data["rows"][0]
    assert len(row["maps"]) == len(row["scores"]) == len(data["lines"])
    own = results.curves[results.curves.metric.eq("deletion") & results.curves.image.eq(row["id"])]
    curve = own[own.attribution.eq("integrated_gradients")].curve.iloc[0]
    np.testing.assert_allclose(row["curves"][0], curve, atol=6e-4)
