"""LaTeX tables in an article of two columns: no error, and nothing that sticks out."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bench.report.paper_tables import latex
from bench.report.view import view_of
from bench.results.result_set import read_results
from tests.support.published import BOARDS, quick_first
from tests.support.simulated_results import result_set

DOCUMENT = r"""\documentclass[twocolumn]{article}
\usepackage[T1]{fontenc}
\usepackage[paperwidth=8.5in,paperheight=11in,textwidth=6.9in,textheight=9.2in,columnsep=0.3in]{geometry}
\usepackage{booktabs, siunitx}
\sisetup{text-series-to-math=true, reset-text-series=false}
\begin{document}
%s
\end{document}
"""


def _compiled(text: str, folder: Path) -> str:
    """The log of pdflatex, which must not fail."""
    compiler = shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("pdflatex is not installed: the LaTeX table is not compiled")
    if subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True, check=False).returncode:
        pytest.skip("siunitx is not installed: the LaTeX table is not compiled")
    (folder / "table.tex").write_text(DOCUMENT % text)
    command = [compiler, "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


@pytest.mark.parametrize("short", [False, True])
def test_hostile_names_compile(tmp_path: Path, short: bool) -> None:
    methods = ("integrated_gradients", "a_b|c", r"100% {x} ~^\$#&", "<script>alert(1)</script>")
    assert "Overfull" not in _compiled(latex(view_of(result_set(30, methods=methods)), short=short), tmp_path)


@pytest.mark.parametrize("folder", quick_first(BOARDS))
def test_the_tables_of_a_published_board_fit_a_page_of_two_columns(folder: Path, tmp_path: Path) -> None:
    view = view_of(read_results(folder))
    for short in (False, True):
        assert "Overfull" not in _compiled(latex(view, short=short), tmp_path)


def test_columns_and_entries_are_chosen_and_caption_and_label_are_in_the_file() -> None:
    view = view_of(result_set(), metrics=["insertion"], entries=["simple_gradient", "oracle"])
    text = latex(view, short=True)
    assert r"\caption{Which method" in text
    assert r"\label{tab:simulated}" in text
    assert "Deletion" not in text
    assert "(control)" in text
    assert text.count(r" \\") == 3
