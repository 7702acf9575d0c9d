import io

import pandas as pd
from PIL import Image

from bench.report.sheet import MOST_COLUMNS, sheet
from tests.support.simulated_results import result_set


def test_a_row_for_every_method_and_a_column_for_every_sample() -> None:
    heatmaps = result_set(30).heatmaps
    with Image.open(io.BytesIO(sheet(heatmaps))) as whole:
        pass
    fewer = heatmaps[heatmaps.attribution.ne("edges") & heatmaps.image.ne(heatmaps.image.iloc[0])]
    with Image.open(io.BytesIO(sheet(fewer))) as less:
        pass
    assert whole.height - less.height == 110
    assert whole.width - less.width == 110


def test_networks_share_the_columns_and_other_recipes_are_left_out() -> None:
    heatmaps = result_set(30, recipes=("standard", "adversarial")).heatmaps
    networks = [heatmaps.assign(network=f"network-{number}") for number in range(3)]
    with Image.open(io.BytesIO(sheet(pd.concat(networks)))) as picture:
        assert picture.width == 230 + 110 * (MOST_COLUMNS // 3 * 3)


def test_there_is_no_sheet_without_samples() -> None:
    assert sheet(result_set(30).heatmaps.iloc[:0]) is None
