from pathlib import Path

import pandas as pd
import pytest

from bench.errors import HeatmarkError
from bench.files import key_of, write_whole
from bench.results.cell_store import Store
from bench.results.result_set import SCHEMAS, Results, read_results, write_results

KEY = key_of({"a": 1})


def cell() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image": ["a", "b"],
            "score": [0.25, float("nan")],
            "status": ["ok", "empty truth map"],
            "curve": [[1.0], None],
        }
    )


def results() -> Results:
    tables = {name: pd.DataFrame(columns=schema.names) for name, schema in SCHEMAS.items()}
    return Results(**tables, manifest={"suite": "test"})


def test_a_cell_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read(KEY) is None
    store.write(KEY, cell())
    again = store.read(KEY)
    assert again is not None
    pd.testing.assert_frame_equal(again[["image", "score", "status"]], cell()[["image", "score", "status"]])
    assert again.curve[0].tolist() == [1.0]


def test_the_key_follows_every_part() -> None:
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1})
    assert key_of({"a": 1, "b": [2]}) != key_of({"a": 1, "b": [3]})


@pytest.mark.parametrize("where", [0.3, 0.5, 0.7])
def test_a_flipped_byte_or_a_cut_file_is_computed_anew(tmp_path: Path, where: float) -> None:
    store = Store(tmp_path)
    big = pd.concat([cell()] * 500, ignore_index=True).assign(score=range(1000))
    store.write(KEY, big)
    (path,) = tmp_path.rglob("*.parquet")
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: int(len(content) * where)])
    assert store.read(KEY) is None
    content[len(content) // 8] ^= 0xFF
    path.write_bytes(content)
    assert store.read(KEY) is None


def test_a_cell_under_a_wrong_name_is_not_believed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(KEY, cell())
    (path,) = tmp_path.rglob("*.parquet")
    other = key_of({"a": 2})
    target = tmp_path / "cells" / other[:2] / f"{other}.parquet"
    target.parent.mkdir(parents=True)
    path.rename(target)
    assert store.read(other) is None


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="disk full"):
        write_whole(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []


def test_a_result_set_comes_back(tmp_path: Path) -> None:
    write_results(results(), tmp_path)
    again = read_results(tmp_path)
    assert again.manifest == {"suite": "test"}
    assert list(again.scores.columns) == SCHEMAS["scores"].names


def test_writing_a_result_set_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    write_results(results(), tmp_path / "a")
    write_results(results(), tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize("missing", ["scores.parquet", "manifest.json"])
def test_a_missing_or_broken_file_is_named(tmp_path: Path, missing: str) -> None:
    write_results(results(), tmp_path)
    (tmp_path / missing).write_bytes(b"not this")
    with pytest.raises(HeatmarkError, match=missing):
        read_results(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(HeatmarkError, match=missing):
        read_results(tmp_path)
