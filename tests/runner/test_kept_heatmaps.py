"""Heatmaps that are kept in the store: another metric explains nothing again, and scores the same to the last bit."""

import logging
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from bench.api import Attribution
from bench.progress import silent
from bench.results.cell_store import Store
from bench.results.kept_heatmaps import attributions_of, rows_of
from bench.results.result_set import Results
from bench.runner import explain, identity
from bench.runner.records import Run
from bench.runner.run import run_suite
from bench.suites.load import load_suite
from tests.support.small_suites import SUITE, pin_chunk

METHODS = ("simple_gradient", "input_x_gradient", "smooth_grad", "grad_cam", "random_map")
PLAIN = ("deletion", "gini", "training_stability")
NETWORKS, BATCHES = 2, 3


def suite(folder: Path, *metrics: str, old: str = "", new: str = "") -> Path:
    """The small suite, without pictures, of these methods and metrics, and one thing changed."""
    head = SUITE.format(epochs=2).split("[[attributions]]")[0].replace("gallery = 1", "gallery = 0")
    head += "preprocess = { size = [32, 32] }\n"
    tables = [("attributions", name) for name in METHODS] + [("metrics", name) for name in metrics]
    text = head + "".join(f'[[{kind}]]\nname = "{name}"\n' for kind, name in tables)
    assert old in text
    (folder / "kept.toml").write_text(text.replace(old, new) if old else text)
    return folder / "kept.toml"


def carry_out(path: Path, store: Path, *, keep: bool = False) -> Results:
    return run_suite(Run(load_suite(str(path)), Store(store), torch.device("cpu"), silent(), keep_heatmaps=keep))


def scores(results: Results) -> pd.DataFrame:
    """With the curves, in an order of their own."""
    keys = ["network", "seed", "attribution", "metric", "image"]
    both = results.scores.merge(results.curves[[*keys, "curve"]], on=keys, how="left")
    return both.sort_values(keys, ignore_index=True)


def check_same(first: Results, second: Results) -> None:
    pd.testing.assert_frame_equal(scores(first), scores(second), check_exact=True)
    assert scores(first).status.eq("ok").any()
    assert not scores(first).status.str.startswith("failed").any()


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("explained again")

    monkeypatch.setattr(Attribution, "explain", forbidden)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods that explain from here on, once for each batch of a network."""
    calls: list[str] = []
    original = explain.explained_by

    def explained_by(method: Attribution, *rest: object) -> object:
        calls.append(method.name)
        return original(method, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(explain, "explained_by", explained_by)
    return calls


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store of a run that keeps heatmaps, and one with nothing but its networks."""
    folder = tmp_path_factory.mktemp("original")
    pin_chunk(folder / "kept")
    notes = (folder / "kept" / "chunks.json").read_text().replace("64x64", "32x32")
    (folder / "kept" / "chunks.json").write_text(notes)
    carry_out(suite(folder, "pointing_game"), folder / "kept", keep=True)
    (folder / "bare").mkdir()
    shutil.copy(folder / "kept" / "chunks.json", folder / "bare")
    shutil.copytree(folder / "kept" / "networks", folder / "bare" / "networks")
    return folder


@pytest.fixture
def place(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "own")
    return tmp_path / "own"


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "heatmaps").rglob("*.parquet"))


def test_another_metric_explains_nothing_and_scores_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = suite(place, "pointing_game", *PLAIN)
    alone = carry_out(path, place / "bare")
    assert not (place / "bare" / "heatmaps").exists()
    # Of the second network, for the targets of the first.
    carry_out(suite(place, "training_stability"), place / "kept", keep=True)
    assert len(kept(place / "kept")) == (NETWORKS + 1) * BATCHES * len(METHODS)
    suite(place, "pointing_game", *PLAIN)
    forbid(monkeypatch)
    check_same(carry_out(path, place / "kept"), alone)


def test_metrics_that_explain_again_still_do(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = suite(place, "noise_robustness")
    alone = carry_out(path, place / "bare")
    calls = counted(monkeypatch)
    check_same(carry_out(path, place / "kept"), alone)
    assert calls == []


@pytest.mark.parametrize(
    ("old", "new", "explains"),
    [
        ('"smooth_grad"', '"smooth_grad"\nsamples = 3', {"smooth_grad"}),
        ("\nimages = 10", "\nimages = 9", set(METHODS)),
        ("epochs = 2", "epochs = 1", set(METHODS)),
    ],
    ids=["settings", "images", "weights"],
)
def test_what_decides_a_heatmap_explains_anew(
    place: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, explains: set[str]
) -> None:
    path = suite(place, "gini", old=old, new=new)
    calls = counted(monkeypatch)
    carry_out(path, place / "kept")
    assert {*calls} == explains


def test_other_code_of_a_method_explains_anew(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = identity.code_of
    monkeypatch.setattr(identity, "code_of", lambda path: original(path) + "x" * (path.stem == "grad_cam"))
    calls = counted(monkeypatch)
    carry_out(suite(place, "gini"), place / "kept")
    assert calls == ["grad_cam"] * NETWORKS * BATCHES


def test_a_damaged_file_is_one_line_and_explained_anew(
    place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = suite(place, "deletion", "gini")
    alone = carry_out(path, place / "bare")
    before = {own: own.read_bytes() for own in kept(place / "kept")}
    assert len(before) == NETWORKS * BATCHES * len(METHODS)
    damaged = [*before][3]
    content = bytearray(before[damaged])
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    calls = counted(monkeypatch)
    with caplog.at_level(logging.WARNING, "heatmark"):
        check_same(carry_out(path, place / "kept", keep=True), alone)
    assert len(calls) == 1
    (line,) = [said for said in caplog.messages if "damaged" in said]
    assert line.startswith(f"{damaged} is damaged (its checksum does not match): set aside as ")
    assert damaged.read_bytes() == before[damaged]


def test_what_fails_is_not_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, bare = suite(place, "gini"), place / "bare"
    with monkeypatch.context() as patched:
        forbid(patched)
        assert carry_out(path, bare, keep=True).scores.status.eq("failed: AssertionError: explained again").all()
    assert kept(bare) == []
    assert carry_out(path, bare, keep=True).scores.status.eq("ok").all()
    assert len(kept(bare)) == NETWORKS * BATCHES * len(METHODS)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_attributions_come_back_as_they_lay(channels: int, dtype: torch.dtype, layout: torch.memory_format) -> None:
    maps = torch.randn(3, channels, 4, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    maps[1, 0, 0, :3] = torch.tensor([torch.nan, torch.inf, -0.0])
    maps = maps.contiguous(memory_format=layout)
    again = attributions_of(rows_of(["a", "b", "c"], maps))
    assert (again.dtype, again.stride()) == (maps.dtype, maps.stride())
    assert torch.equal(again.contiguous().view(torch.uint8), maps.contiguous().view(torch.uint8))
