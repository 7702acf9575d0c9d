import shutil
import subprocess
from pathlib import Path

import pytest

from bench.report.tables import leaderboard, render
from tests.support.simulated_results import result_set

DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[paperwidth=60cm,paperheight=20cm]{geometry}
\usepackage{booktabs}
\begin{document}
%s
\end{document}
"""


def test_the_latex_table_compiles(tmp_path: Path) -> None:
    compiler = shutil.which("pdflatex") or shutil.which("tectonic")
    if compiler is None:
        pytest.skip("neither pdflatex nor tectonic is installed: the LaTeX table is not compiled")
    methods = ("integrated_gradients", "a_b|c", r"100% {x} ~^\$#&", "<script>alert(1)</script>")
    table = leaderboard(result_set(30, methods=methods))
    (tmp_path / "table.tex").write_text(DOCUMENT % render(table, "latex"))
    quiet = ["-interaction=nonstopmode", "-halt-on-error"] if compiler.endswith("pdflatex") else []
    done = subprocess.run([compiler, *quiet, "table.tex"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (tmp_path / "table.pdf").exists()
