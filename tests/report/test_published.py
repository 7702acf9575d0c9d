"""What lies under results/ is what its per-image scores say."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bench.report.tables import leaderboard, render
from bench.results.result_set import read_results, write_results
from tests.support.simulated_results import result_set

RESULTS = Path(__file__).parents[2] / "results"
BOARDS = sorted(path.parent for path in RESULTS.rglob("leaderboard.csv"))


@pytest.mark.parametrize("folder", BOARDS, ids=lambda folder: folder.name)
def test_the_published_table_follows_from_the_published_scores(folder: Path) -> None:
    """To five digits: another version of scipy may round otherwise."""
    ours = pd.read_csv(io.StringIO(render(leaderboard(read_results(folder)), "csv")))
    published = pd.read_csv(folder / "leaderboard.csv")
    pd.testing.assert_frame_equal(ours, published, rtol=1e-5)


@pytest.mark.parametrize("folder", BOARDS, ids=lambda folder: folder.name)
def test_no_picture_is_published_that_is_not_ours(folder: Path) -> None:
    results = read_results(folder)
    if not results.manifest["dataset"].get("redistributable", False):
        assert set(results.heatmaps.kind) <= {"heatmap", "ranks"}


def test_regenerating_writes_every_report_and_the_list_of_them_and_the_same_bytes_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_results(result_set(20), tmp_path / "group" / name)

    def regenerated() -> dict[str, bytes]:
        subprocess.run([sys.executable, "-m", "bench.report", str(tmp_path)], cwd=RESULTS.parent, check=True)
        return {str(path): path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}

    first = regenerated()
    assert first == regenerated()
    listed = (tmp_path / "README.md").read_text()
    assert "[group/one](group/one/index.html)" in listed
    (row,) = [line for line in listed.splitlines() if "group/two" in line]
    assert "Which method explains these networks best?" in row
    assert "Integrated gradients beats " in row
    assert "20 of planted | " in row
    assert row.endswith("`heatmark run simulated` |")


def test_all_boards_together_are_small() -> None:
    assert BOARDS
    assert sum(path.stat().st_size for path in RESULTS.rglob("*") if path.is_file()) < 40e6


@pytest.mark.parametrize("folder", BOARDS, ids=lambda folder: folder.name)
def test_a_page_is_small_and_smaller_without_its_pictures(folder: Path) -> None:
    text = (folder / "index.html").read_text()
    assert len(text) < 3e6
    assert len(re.sub(r"data:image/png;base64,[^\"]*", "", text)) < 1e6
    assert (folder / "preview.png").stat().st_size < 60e3
