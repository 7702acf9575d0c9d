"""Files that hold something else than they should: one line that names the file."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from bench.data.folders import read_csv, read_lines
from bench.data.gaze import read_gaze
from bench.data.label_map import read_label_map
from bench.data.transforms import read_image, read_mask
from bench.errors import HeatmarkError
from bench.training.weight_files import read_weights
from tests.bad_input.commands import refused

BYTES = [
    b"",
    b"x",
    b"\0",
    b"\xff\xfe\x00",
    b"PK\x03\x04",
    b"\x80\x04.",
    b"{}",
    b"[]",
    b"<svg/>",
    bytes(range(256)),
    b"\x93NUMPY",
]
SUITE = """
name = "mine"
[dataset]
name = "planted"
images = 2
[[networks]]
architecture = "small_plain"
weights = "WEIGHTS"
label_map = "map.json"
[[attributions]]
name = "random_map"
[[metrics]]
name = "gini"
"""


def one_line(read: Any, path: Path) -> None:
    with pytest.raises(HeatmarkError) as caught:
        read(path)
    assert path.name in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("content", BYTES)
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors", ".bin"])
def test_what_is_no_file_of_weights_is_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    one_line(read_weights, path)


@pytest.mark.parametrize(
    "content",
    [
        *(None, 1, "x", [], {}, {"a": 1}, [torch.ones(1)], {"a": [torch.ones(1)]}, torch.ones(2), {"state_dict": 1}),
        {"a": torch.ones(2, 2).to_sparse()},
        {"a": torch.ones(2, device="meta")},
        {"state_dict": {"a": torch.ones(2, 2).to_sparse()}},
    ],
)
def test_what_holds_no_plain_weights_is_one_line(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    one_line(read_weights, path)


def test_weights_that_would_run_code_are_refused(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> Any:
            return print, ("it ran",)

    path = tmp_path / "weights.pth"
    torch.save({"a": Runs()}, path)
    one_line(read_weights, path)


@pytest.mark.parametrize("content", BYTES)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_what_is_no_image_is_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"image{suffix}"
    path.write_bytes(content)
    for read in (read_image, read_mask):
        one_line(read, path)


MAPS: list[Any] = [None, 1, "x", [], [[0]], {"a": 1}, {"1": "x"}, {"1": [0]}, {"1": None}, {"1": 1.5}, {"1": -2}]
MAPS += [{"1": 2**70}, {"1": {}}, {"": 0}, {"1.5": 0}]


@pytest.mark.parametrize("content", MAPS)
def test_what_is_no_label_map_is_one_line(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "map.json"
    path.write_text(json.dumps(content))
    one_line(read_label_map, path)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"{", b"\xff", b"[" * 100_000, b'{"1": NaN}', b'{"1": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_json_is_no_label_map(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "map.json"
    path.write_bytes(content)
    one_line(read_label_map, path)


GAZE = [
    *("x", "1", "1,2", "1,2,x", "1,0,5", "1,5,0", "1,-5,5", "1,5,5,1", "1,5,5,1,2", "1,5,5,1,2,x", "1,5,5,nan,2,3"),
    *(
        "1,5,5,1.5,2,3",
        "1,5,5,1,2,99999999999999999999",
        "99999999999999999999,5,5",
        f"1,{2**40},5",
        f"1,5,5,{2**62},2,3",
    ),
    *(
        "1,5,5,0,5,0,0",
        "1,5,5,-1,5,0,0",
        f"1,5,5,{2**40},5,0,0",
        ",,",
        "1,,5",
        "1;5;5",
        "\x1b[31m,5,5",
        "1,5,5,-9223372036854775808,1,1",
    ),
]


@pytest.mark.parametrize("line", GAZE)
def test_what_is_no_fixation_is_one_line_with_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "Fixation.txt").write_text(f"1,5,5,1,2,3\n{line}\n")
    with pytest.raises(HeatmarkError, match=r"Fixation\.txt line 2"):
        read_gaze(tmp_path)


@pytest.mark.parametrize("content", [b"\xff", b"1,5,5\xff", b"\x80"])
def test_fixations_that_are_no_text_are_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Fixation.txt").write_bytes(content)
    one_line(lambda path: read_gaze(path.parent), tmp_path / "Fixation.txt")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"path",
        b"path\na,b\n",
        b"\xff",
        b"path,label\n\xff,1",
        b"path,label\na",
        b"label,path\n,\n",
        b'path,label\n"a',
        b"a" * 200_000 + b",label\n",
    ],
)
def test_what_is_no_csv_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    one_line(lambda path: read_csv(path, ["path", "label"]), path)


@given(content=st.text(max_size=60) | st.text(alphabet="0123456789,-. \n", max_size=60))
def test_whatever_a_fixation_file_holds_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "Fixation.txt"
    path.write_text(content, encoding="utf-8", errors="surrogatepass")
    try:
        viewings = read_gaze(path.parent)
    except HeatmarkError as error:
        assert "Fixation.txt" in str(error)  # noqa: PT017 - either is right
    else:
        assert all(own.width > 0 and own.height > 0 for several in viewings.values() for own in several)


@given(content=st.binary(max_size=60) | st.text(alphabet='pathlbe,"\n\r ', max_size=60).map(str.encode))
def test_whatever_a_list_holds_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "list.csv"
    path.write_bytes(content)
    for read in (lambda: read_csv(path, ["path", "label"]), lambda: read_lines(path, 2)):
        try:
            rows = read()
        except HeatmarkError as error:
            assert "list.csv" in str(error)  # noqa: PT017 - either is right
        else:
            assert all(len(row) >= 2 for row in rows)


@pytest.mark.parametrize(
    ("weights", "beside", "key"),
    [
        ("nosuch.pth", None, "networks[0].weights"),
        ("empty.pth", None, "networks[0].weights"),
        ("other.safetensors", None, "networks[0].weights"),
        ("other.safetensors", b"{", "networks[0].weights"),
    ],
)
def test_an_error_about_a_network_names_the_suite_and_the_key(
    weights: str, beside: bytes | None, key: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.pth").touch()
    save_file({"a": torch.ones(2)}, tmp_path / "other.safetensors")
    if beside is not None:
        (tmp_path / "other.json").write_bytes(beside)
    (tmp_path / "mine.toml").write_text(SUITE.replace("WEIGHTS", weights))
    said = refused(["show", "test/000001", "--suite", "mine.toml", "--device", "cpu"], tmp_path, capfd)
    assert f"mine.toml: {key}" in said
