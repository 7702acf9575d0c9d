"""What lies under results/ is what its per-image scores say."""

import io
from pathlib import Path

import pandas as pd
import pytest

from bench.board import board_of
from bench.report.tables import render, table_of
from bench.store import read_results

RESULTS = Path(__file__).parents[3] / "results"
BOARDS = sorted(path.parent for path in RESULTS.rglob("leaderboard.csv"))


@pytest.mark.parametrize("folder", BOARDS, ids=lambda folder: folder.name)
def test_the_published_table_follows_from_the_published_scores(folder: Path) -> None:
    """To five digits: another version of scipy may round otherwise."""
    ours = pd.read_csv(io.StringIO(render(table_of(board_of(read_results(folder))), "csv")))
    published = pd.read_csv(folder / "leaderboard.csv")
    pd.testing.assert_frame_equal(ours, published, rtol=1e-5)


@pytest.mark.parametrize("folder", BOARDS, ids=lambda folder: folder.name)
def test_no_picture_is_published_that_is_not_ours(folder: Path) -> None:
    results = read_results(folder)
    if not results.manifest["dataset"].get("redistributable", False):
        assert set(results.heatmaps.kind) <= {"heatmap"}


def test_all_boards_together_are_small() -> None:
    assert BOARDS
    assert sum(path.stat().st_size for path in RESULTS.rglob("*") if path.is_file()) < 20e6
