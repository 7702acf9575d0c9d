"""A result set appears whole or not at all, whenever its writer is killed, and is checked when it is read."""

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import HeatmarkError
from bench.report.write import write_with_report
from bench.results.commit import commit, current
from bench.results.result_set import SCHEMAS, Results, has_checksums, read_results, write_results
from tests.support.simulated_results import result_set


class Killed(BaseException):
    """Stands for a kill: nothing of ours may catch it."""


def kill_at(monkeypatch: pytest.MonkeyPatch, name: str, step: int) -> None:
    """The `step`th call of a function of os, from now on, and all after it raise: a dead process does no more."""
    own, calls = getattr(os, name), iter(range(10**9))

    def mortal(*given: object, **named: object) -> object:
        if next(calls) >= step:
            raise Killed
        return own(*given, **named)

    monkeypatch.setattr(os, name, mortal)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def contents(folder: Path, names: set[str]) -> dict[str, bytes]:
    """What a reader sees of these files."""
    return {name: current(folder, name).read_bytes() for name in names if current(folder, name).exists()}


def write(folder: Path, content: bytes, names: set[str]) -> None:
    with commit(folder, ("sometimes",)) as staged:
        for name in names:
            (staged / name).parent.mkdir(exist_ok=True)
            (staged / name).write_bytes(content)


OLD, NEW = {"a", "b", "inner/x", "inner/y", "sometimes"}, {"a", "b", "c", "inner/x"}


@pytest.mark.parametrize("name", ["rename", "replace", "unlink", "rmdir"])
def test_a_killed_commit_is_all_or_nothing_and_is_finished_by_the_next(name: str, tmp_path: Path) -> None:
    before, after = dict.fromkeys(OLD, b"old"), dict.fromkeys(NEW, b"new")
    for step in range(12):
        folder = tmp_path / str(step)
        write(folder, b"old", OLD)
        (folder / "inner-of-others").mkdir()
        (folder / "README.md").write_bytes(b"mine")
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, name, step)
            with suppress(Killed):
                write(folder, b"new", NEW)
        seen = contents(folder, {"a", "b", "c", "inner/x"})
        assert seen in ({n: before[n] for n in ("a", "b", "inner/x")}, after), step
        write(folder, b"new", NEW)
        assert files(folder) == {**after, "README.md": b"mine"}


def test_a_block_that_fails_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, b"old", OLD)

    def fails() -> None:
        with commit(tmp_path) as staged:
            (staged / "a").write_bytes(b"new")
            raise HeatmarkError("no")

    with pytest.raises(HeatmarkError, match="no"):
        fails()
    assert files(tmp_path) == dict.fromkeys(OLD, b"old")


def test_a_smaller_set_leaves_nothing_of_a_larger_one(tmp_path: Path) -> None:
    write_with_report(result_set(8, recipes=("standard", "adversarial_training")), tmp_path / "both")
    assert (tmp_path / "both" / "recipes.csv").exists()
    write_with_report(result_set(6), tmp_path / "both")
    names = files(tmp_path / "both").keys()
    assert not [name for name in names if "recipes" in name or "/." in name or name.startswith(".")]
    assert read_results(tmp_path / "both").scores.image.nunique() == 6


@pytest.fixture(scope="module")
def two() -> tuple[Results, Results]:
    second = result_set(8, rng_seed=1)
    networks, heatmaps = second.networks.assign(accuracy=0.5), second.heatmaps.iloc[1:]
    return result_set(4), replace(second, networks=networks, heatmaps=heatmaps)


@pytest.mark.parametrize("name", SCHEMAS)
def test_two_sets_never_mix(name: str, two: tuple[Results, Results], tmp_path: Path) -> None:
    for folder, own in zip(("a", "b"), two, strict=True):
        write_results(own, tmp_path / folder)
    table = f"{name}.parquet"
    (tmp_path / "a" / table).write_bytes((tmp_path / "b" / table).read_bytes())
    with pytest.raises(HeatmarkError, match=rf"a/{table} is damaged, changed, or of another run"):
        read_results(tmp_path / "a")


def test_an_altered_score_is_refused_by_every_reader(two: tuple[Results, Results], tmp_path: Path) -> None:
    write_results(two[0], tmp_path)
    manifest = (tmp_path / "manifest.json").read_bytes()
    scores = two[0].scores.copy()
    scores.loc[3, "score"] += 1e-9
    write_results(replace(two[0], scores=scores), tmp_path)
    (tmp_path / "manifest.json").write_bytes(manifest)
    with pytest.raises(HeatmarkError, match=r"scores\.parquet is damaged, changed"):
        read_results(tmp_path)


def test_sets_of_before_checksums_are_read(two: tuple[Results, Results], tmp_path: Path) -> None:
    write_results(two[0], tmp_path)
    assert has_checksums(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps(two[0].manifest))
    assert read_results(tmp_path).manifest == two[0].manifest
    assert not has_checksums(tmp_path)


def empty() -> Results:
    tables = {name: pd.DataFrame(columns=schema.names) for name, schema in SCHEMAS.items()}
    return Results(**tables, manifest={"suite": "x", "seed": 1})


def test_bits_of_a_manifest_are_checked(tmp_path: Path) -> None:
    _flipped(tmp_path, every=23)


@pytest.mark.long
def test_every_bit_of_a_manifest_is_checked(tmp_path: Path) -> None:
    _flipped(tmp_path, every=1)


def _flipped(tmp_path: Path, every: int) -> None:
    write_results(empty(), tmp_path)
    path = tmp_path / "manifest.json"
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), every):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with suppress(HeatmarkError):
            assert read_results(tmp_path).manifest == {"suite": "x", "seed": 1}  # a space may become another


@given(st.binary(max_size=300), st.sampled_from([*(f"{name}.parquet" for name in SCHEMAS), "manifest.json"]))
def test_any_bytes_in_the_place_of_a_file_are_refused(tmp_path_factory, noise: bytes, name: str) -> None:
    folder = tmp_path_factory.mktemp("set")
    write_results(empty(), folder)
    for old in (False, True):
        if old:
            (folder / "manifest.json").write_text('{"suite": "x"}')
        (folder / name).write_bytes(noise)
        with pytest.raises(HeatmarkError) as raised:
            read_results(folder)
        assert str(raised.value).splitlines()[1:] == []


def test_a_table_of_something_else_is_refused(two: tuple[Results, Results], tmp_path: Path) -> None:
    write_results(two[0], tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "scores.parquet").write_bytes((tmp_path / "networks.parquet").read_bytes())
    with pytest.raises(HeatmarkError, match=r"scores.parquet is not a table of a result set: it has no column"):
        read_results(tmp_path)
