"""`heatmark store check` and `prune`; and a store any file of which was damaged."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.results.cell_store import Store
from tests.support.small_suites import check_same_set, pin_chunk, write_suite


def heatmark(*arguments: object, status: int = 0) -> str:
    said = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert said.exit_code == status, (said.output, said.exception)
    return said.output


def carry_out(folder: Path) -> None:
    heatmark("run", folder / "tiny.toml", "--store", folder / "store", "--keep-heatmaps")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    write_suite(folder)
    pin_chunk(folder / "store")
    carry_out(folder)
    return folder


@pytest.fixture
def place(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "own")
    return tmp_path / "own"


def files(store: Path) -> list[Path]:
    return sorted(path for path in store.rglob("*") if path.is_file())


def check_same(first: Path, second: Path) -> None:
    check_same_set(*(folder / "store" / "results" / "tiny" for folder in (first, second)))


def test_a_whole_store_is_whole(original: Path) -> None:
    said = heatmark("store", "check", "--store", original / "store")
    assert "2 networks" in said
    assert "12 batches of heatmaps" in said  # of two networks by two methods
    assert "1 result sets" in said
    assert said.endswith("all whole\n")


SETS = ("scores.parquet", "curves.parquet", "networks.parquet", "heatmaps.parquet", "manifest.json")


def kept(store: Path) -> list[Path]:
    """What is read again: all but the report."""
    return [path for path in files(store) if "results" not in path.parts or path.name in SETS]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "a bit": lambda content: content[:40] + bytes([content[40] ^ 4]) + content[41:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damaged_file_is_found_and_made_anew(original: Path, place: Path, damage: str) -> None:
    store = place / "store"
    for path in kept(store):
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    damaged = heatmark("store", "check", "--store", store, status=1)
    for path in kept(store):
        partner = path.with_suffix(".safetensors")  # weights and what lies beside them are one
        assert str(path) in damaged or str(partner) in damaged or path.parent.name == "tiny", path
    assert f"damaged {store / 'results' / 'tiny'}" in damaged
    pin = (original / "store" / "chunks.json").read_bytes()
    (store / "chunks.json").write_bytes(pin)
    carry_out(place)
    check_same(original, place)
    aside = [path for path in files(store) if path.name.endswith(".damaged")]
    assert len(aside) == len([path for path in kept(original / "store") if "results" not in path.parts]) - 1
    said = heatmark("store", "prune", "--store", store)
    assert f"{len(aside)} files damaged" in said
    assert heatmark("store", "check", "--store", store).endswith("all whole\n")


def test_swapped_files_give_no_wrong_number(original: Path, place: Path) -> None:
    store = place / "store"
    for suffix in (".parquet", ".safetensors", ".json"):
        own = [path for path in kept(store) if path.suffix == suffix and path.name not in (*SETS, "chunks.json")]
        contents = [path.read_bytes() for path in own]
        for path, content in zip(own, contents[1:] + contents[:1], strict=True):
            path.write_bytes(content)
    carry_out(place)
    check_same(original, place)


def test_prune_keeps_what_suites_need_and_says_bytes(original: Path, place: Path) -> None:
    store = place / "store"
    before = files(store)
    said = heatmark("store", "prune", place / "tiny.toml", "--store", store)
    assert said == "0 files, 0 bytes removed\n"
    assert files(store) == before
    suite = (place / "tiny.toml").read_text()
    smaller = suite.replace('[[attributions]]\nname = "random_map"\n', "")
    (place / "smaller.toml").write_text(smaller)
    would = heatmark("store", "prune", place / "smaller.toml", "--store", store, "--dry-run")
    assert files(store) == before
    # Two networks, two metrics, three batches; and what depends on all methods: the pictures of each network.
    assert would.startswith("12 files of none of these suites: ")
    assert would.replace("would go", "removed") == heatmark("store", "prune", place / "smaller.toml", "--store", store)
    assert len(files(store)) == len(before) - 12
    carry_out(place)
    check_same(original, place)


def test_prune_removes_cells_of_other_code_and_what_dead_runs_left(place: Path) -> None:
    store = place / "store"
    cell = pd.DataFrame({"image": ["a"], "score": [0.5], "status": ["ok"], "curve": [None]})
    Store(store).write("0" * 64, cell, code="of yesterday")
    Store(store).heatmaps.write("0" * 64, cell, code="of yesterday")
    for name in ("cells/.x.tmp", "networks/.y.lock", "results/tiny/.staged"):
        (store / name).mkdir() if name.endswith("staged") else (store / name).write_bytes(b"12345")
    said = heatmark("store", "prune", "--store", store)
    assert "2 files of other code: " in said
    assert "2 files left by a dead run: 10 bytes" in said
    assert not (store / "results" / "tiny" / ".staged").exists()


def test_no_store_is_one_line(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["store", "check", "--store", str(tmp_path / "none")])
    assert "no such folder; expected one that `heatmark run` has written" in str(said.exception)
