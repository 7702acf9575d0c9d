"""The code that decides: a file and what it imports, by content; installed packages by version."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.api import source_code
from bench.api.source_code import code_of


@pytest.fixture
def hashed(tmp_path: Path) -> Callable[[], str]:
    def hashed() -> str:
        code_of.cache_clear()
        return code_of(tmp_path / "plugin.py")

    return hashed


@pytest.mark.parametrize(
    ("line", "helper"),
    [
        ("import helper", "helper.py"),
        ("from helper import scale", "helper.py"),
        ("def f():\n    import helper", "helper.py"),
        ("from .helper import scale", "helper.py"),
        ("from . import helper", "helper.py"),
        ("from inner.deep import scale", "inner/deep.py"),
        ("import inner.deep", "inner/deep.py"),
    ],
)
def test_what_a_file_imports_counts(tmp_path: Path, hashed: Callable[[], str], line: str, helper: str) -> None:
    (tmp_path / helper).parent.mkdir(exist_ok=True)
    (tmp_path / "plugin.py").write_text(f"import torch\n{line}\n")
    (tmp_path / helper).write_text("import further\nscale = 1\n")
    (tmp_path / Path(helper).parent / "further.py").write_text("value = 1\n")
    before = hashed()
    assert hashed() == before
    (tmp_path / helper).write_text("import further\nscale = 2\n")
    changed = hashed()
    assert changed != before
    (tmp_path / Path(helper).parent / "further.py").write_text("value = 2\n")
    assert hashed() != changed


def test_files_that_import_each_other_end(tmp_path: Path, hashed: Callable[[], str]) -> None:
    (tmp_path / "plugin.py").write_text("import other\n")
    (tmp_path / "other.py").write_text("import plugin\n")
    assert hashed() == hashed()


def test_an_installed_package_counts_by_version(
    tmp_path: Path, hashed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugin.py").write_text("import scipy\n")
    before = hashed()
    monkeypatch.setattr(source_code, "_version", lambda package: f"{package} 0.0")
    assert hashed() != before


def test_code_that_is_none_is_hashed_as_it_is(tmp_path: Path, hashed: Callable[[], str]) -> None:
    (tmp_path / "plugin.py").write_text("this is no python\n")
    assert len(hashed()) == 64
