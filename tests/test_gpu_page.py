"""The page on the speed of one card can be written anywhere, at small sizes."""

from pathlib import Path

import pandas as pd
import pytest

from tests.perf.gpu_page import main


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # of Quantus
def test_the_page_is_written_on_a_cpu(tmp_path: Path) -> None:
    sizes = ["--size", "64", "--images", "2", "--points", "8", "--nodes", "2", "--steps", "2"]
    out = tmp_path / "page.md"
    main(["--device", "cpu", "--networks", "small_resnet", "--no-compile", *sizes, "--out", str(out)])
    rows = pd.read_csv(out.with_suffix(".csv"))
    found = set(zip(rows.precision, rows.work, strict=True)) - {("fp32", "Quantus, deletion")}
    both = {(precision, work) for precision in ("fp32", "bf16") for work in ("curves", "ROAD", "plain loop")}
    assert found == both | {("fp32", "integrated_gradients"), ("fp32", "guided_ig")}
    curves = rows[rows.work.eq("curves") & rows.precision.eq("fp32")].iloc[0]
    assert curves.inputs == 2 * (2 * 7 + 1) + 1
    assert rows.set_index("work").inputs["integrated_gradients"] == 2 * 2
    assert (rows.share > 0).all()
    assert (rows.kernels > 1).all()
    assert (rows.host_ms_a_chunk > 0).all()
    assert rows.images_x_methods_an_hour.tolist() == pytest.approx(
        (3600e3 * 2 / (rows.ms * rows.inputs)).tolist(), rel=1e-3
    )
    assert "| small_resnet | fp32 | none |" in out.read_text()
