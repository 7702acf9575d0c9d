"""Whatever happens to the files of a store: what is read is what was kept, or nothing, with one line of the log."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.engine.autotune import read_notes, remembered_chunk
from bench.files import key_of, sealed, unsealed, write_whole
from bench.results.cell_store import CELL, Store
from bench.results.finished_images import FinishedImages
from bench.training.checkpoints import read_trained, write_trained

KEY, OTHER = key_of({"a": 1}), key_of({"a": 2})


def cell(images: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image": [f"image-{i}" for i in range(images)],
            "score": [0.25, float("nan"), *np.linspace(0, 1, images - 2)],
            "status": ["ok", "empty truth map", *["ok"] * (images - 2)],
            "curve": [[1.0, 0.5], None, *[[0.25]] * (images - 2)],
        }
    )


def the_same_or_nothing(store: Store, whole: pd.DataFrame) -> bool:
    """Whether the store has nothing; fails where it has anything else than the whole cell."""
    found = store.read(KEY)
    if found is not None:
        pd.testing.assert_frame_equal(found, whole)
    return found is None


def flipped(store: Store, every: int) -> None:
    store.write(KEY, cell())
    whole, path = store.read(KEY), store.path(KEY)
    assert whole is not None
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), every):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert the_same_or_nothing(store, whole), f"bit {bit} was flipped unseen"
        assert path.with_name(path.name + ".damaged").exists()
        assert not path.exists()


def test_a_flipped_bit_of_a_cell_is_seen(tmp_path: Path) -> None:
    flipped(Store(tmp_path), every=37)


@pytest.mark.long
def test_every_flipped_bit_of_a_cell_is_seen(tmp_path: Path) -> None:
    flipped(Store(tmp_path), every=1)


def test_what_is_damaged_is_said_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    write_whole(store.path(KEY), b"")
    with caplog.at_level(logging.WARNING, "heatmark"):
        assert store.read(KEY) is None
    (line,) = caplog.messages
    assert line.endswith(f"set aside as {KEY}.parquet.damaged, and made anew")
    assert store.read(KEY) is None
    assert len(caplog.messages) == 1


@given(st.binary(max_size=400), st.integers(0, 10_000), st.booleans())
def test_any_bytes_in_the_place_of_a_cell_are_none(tmp_path_factory, noise: bytes, at: int, inside: bool) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    store.write(KEY, cell())
    whole, path = store.read(KEY), store.path(KEY)
    assert whole is not None
    content = path.read_bytes()
    path.write_bytes(content[: at % len(content)] + noise + content[at % len(content) :] if inside else noise)
    the_same_or_nothing(store, whole)


def test_a_cell_of_other_images_or_columns_is_none(tmp_path: Path) -> None:
    store, images = Store(tmp_path), ["image-0", "image-1", "image-2"]
    store.write(KEY, cell())
    assert store.read(KEY, images=images) is not None
    assert store.read(KEY, images=images[::-1]) is None
    store.write(KEY, cell())
    assert store.read(KEY, CELL.remove(3)) is None
    store.write(KEY, cell().assign(score=float("nan")))
    assert store.read(KEY) is None


NOTES: dict[str, object] = {
    "zero": 0,
    "negative": -3,
    "nan": float("nan"),
    "text": "many",
    "list": [8],
    "true": True,
    "a fraction": 8.5,
    "huge": 10**30,
    "x compiler": "gcc",
    "y compiler": 3,
}


@pytest.mark.parametrize("name", NOTES)
def test_a_note_that_cannot_be_is_set_aside(tmp_path: Path, name: str) -> None:
    file = tmp_path / "chunks.json"
    for content in (json.dumps({name: NOTES[name]}).encode(), sealed({name: NOTES[name]})):
        file.write_bytes(content)
        assert read_notes(file) == {}
        assert [path.name for path in tmp_path.iterdir()] == ["chunks.json.damaged"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 20_000, b'{"a": 1' + b"}" * 3])
def test_notes_that_are_none_are_set_aside(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "chunks.json"
    file.write_bytes(content)
    assert read_notes(file) == {}
    assert not file.exists()


def test_a_changed_note_is_seen_and_measured_again(network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cpu = tmp_path / "chunks.json", torch.device("cpu")
    monkeypatch.setattr("bench.engine.autotune.fastest_chunk", lambda *_: 16)
    assert remembered_chunk(network, "tiny", cpu, file) == 16
    file.write_bytes(file.read_bytes().replace(b"16,", b"17,"))
    monkeypatch.setattr("bench.engine.autotune.fastest_chunk", lambda *_: 32)
    assert remembered_chunk(network, "tiny", cpu, file) == 32


@given(st.binary(max_size=200))
def test_any_bytes_are_notes_or_none(tmp_path_factory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("notes") / "chunks.json"
    file.write_bytes(content)
    assert all(isinstance(value, int | str) for value in read_notes(file).values())


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.text())))
def test_what_is_sealed_comes_back(about: dict[str, object]) -> None:
    about.pop("sha256", None)
    assert json.dumps(unsealed(sealed(about))) == json.dumps(about)


IDENTITY = {"seed": 0, "sizes": (1, 2)}


def layer(seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Linear(2, 2)


def kept(path: Path) -> torch.nn.Module:
    module = layer(0)
    write_trained(path, module, {**IDENTITY, "log": []})
    return module


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "a bit flipped near its end": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "longer": lambda content: content + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_damaged_weights_are_set_aside(tmp_path: Path, damage: str, suffix: str) -> None:
    path = tmp_path / "network.safetensors"
    original, other = kept(path), layer(1)
    assert read_trained(path, other, IDENTITY) == {"seed": 0, "sizes": [1, 2], "log": [], **_file(path)}
    assert torch.equal(other.weight, original.weight)
    path.with_suffix(suffix).write_bytes(DAMAGES[damage](path.with_suffix(suffix).read_bytes()))
    assert read_trained(path, layer(1), IDENTITY) is None
    assert {own.name for own in tmp_path.iterdir()} == {"network.json.damaged", "network.safetensors.damaged"}


def _file(path: Path) -> dict[str, str]:
    return {"file": json.loads(path.with_suffix(".json").read_text())["file"]}


def test_weights_of_another_network_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    kept(path)
    assert read_trained(path, layer(1), {**IDENTITY, "seed": 1}) is None
    kept(path)
    write_trained(tmp_path / "other.safetensors", layer(1), {**IDENTITY, "log": []})
    (tmp_path / "other.safetensors").replace(path)
    assert read_trained(path, layer(1), IDENTITY) is None


def finished(store: Store) -> FinishedImages:
    return FinishedImages(store, "shard", CELL, "code")


def test_finished_images_come_back_and_go_when_they_are_not_needed(tmp_path: Path) -> None:
    store, whole = Store(tmp_path), cell(8)
    first = finished(store)
    assert first.lacks(KEY, ["image-0"])
    first.add({KEY: whole[:4], OTHER: whole[:2]})
    first.keep()
    again = finished(store)
    assert not again.lacks(KEY, whole.image[:4])
    assert again.lacks(KEY, whole.image[:5])
    again.add({KEY: whole[4:]})
    pd.testing.assert_frame_equal(again.table(KEY, whole.image).drop(columns="curve"), whole.drop(columns="curve"))
    again.drop([KEY])
    assert finished(store).lacks(KEY, ["image-0"])
    assert not finished(store).lacks(OTHER, ["image-0"])
    again.drop([OTHER])
    assert list((tmp_path / "finished_images").iterdir()) == []


def test_images_that_failed_are_tried_again(tmp_path: Path) -> None:
    first = finished(Store(tmp_path))
    first.add({KEY: cell()[:2].assign(status="failed: out of luck", score=float("nan")), OTHER: cell()})
    assert not first.lacks(KEY, ["image-0"])
    first.keep()
    assert finished(Store(tmp_path)).lacks(KEY, ["image-0"])
    assert not finished(Store(tmp_path)).lacks(OTHER, ["image-0"])


def test_finished_images_are_on_disk_two_minutes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [time.monotonic()]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    own, whole = finished(Store(tmp_path)), cell(40)
    waiting: list[float] = []
    for number in range(40):
        now[0] += 37.0
        own.add({KEY: whole[number : number + 1]})
        waiting.append(now[0])
        if not finished(Store(tmp_path)).lacks(KEY, [f"image-{number}"]):
            waiting = []
        assert all(now[0] + 37.0 - since <= 120 for since in waiting)
    assert len(waiting) < 3


def test_damaged_finished_images_are_set_aside(tmp_path: Path) -> None:
    own = finished(Store(tmp_path))
    own.add({KEY: cell()})
    own.keep()
    (path,) = (tmp_path / "finished_images").iterdir()
    content = path.read_bytes()
    for damaged in (b"", content[:-5], content[: len(content) // 2] + b"x" + content[len(content) // 2 + 1 :]):
        path.write_bytes(damaged)
        assert finished(Store(tmp_path)).lacks(KEY, ["image-0"])
        assert not path.exists()
