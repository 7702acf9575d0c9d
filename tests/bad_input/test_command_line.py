"""What cannot be said on the command line: one line, exit status 2, nothing written."""

import sys
from pathlib import Path

import pytest

from bench.cli import main
from tests.bad_input.commands import refused

ROOT = Path(__file__).parents[2]
BOARD = str(ROOT / "results" / "embedded")
USAGE = [
    [],
    ["--no-such-option"],
    ["nosuch"],
    ["run", "--images"],
    ["run", "a", "b"],
]
REFUSED = [
    *(["run", "--images", text] for text in ("0", "-1", "1.5", "x", "\x1b[1m")),
    ["run", "--workers", "0"],
    ["run", "--limit", "0"],
    ["report"],
    ["report", BOARD, "--table", "html"],
    ["check"],
    ["compare", BOARD],
    ["publish", BOARD],
    ["pictures", BOARD],
    ["list", "networks"],
    ["show"],
    ["verify", BOARD, "--share", "2"],
    ["verify", BOARD, "--share", "-1"],
    ["verify", BOARD, "--seed", "-1"],
    ["figure", BOARD],
    *(["figure", BOARD, "place", option, "x"] for option in ("--width", "--format")),
    ["compare", BOARD, BOARD, "--table", "html"],
    ["new", "attribute", "mine"],
    *(["run", name] for name in ("nosuch", "", ".", "..", "/", "a.toml", "embeded", "\x1b[31m", "a[/b]", "[red]x")),
    *(["run", "embedded", "--metrics", name] for name in ("x", "deletionn", "a,b", "..", "\x1b[1m", "a:b", "[/b]")),
    *(["run", "embedded", "--attributions", name] for name in ("x", "a,b", "random_mup", "captum:x", "nolib:x", "=1")),
    *(["run", "embedded", "--device", name] for name in ("abacus", "meta", "", "cuda:99", "cpu:x", "[/b]", "\x1b[1m")),
    *(["run", "embedded", "--shard", name] for name in ("x", "0/0", "3/2", "a/b", "-1/2")),
    ["run", "embedded", "--images", str(10**30)],
    ["train", "nosuch"],
    ["train", "embedded", "--out", "weights.pt"],
    ["train", "embedded", "--network", "x", "--device", "cpu"],
    ["train", "embedded", "--recipe", "x"],
    ["show", "nothing.png", "--suite", "nosuch"],
    ["show", "nothing.png", "--methods", "x"],
    *(["report", name] for name in ("nowhere", "", ".", "a[/b]", "\x1b[31m", "embedded.toml")),
    *(
        ["report", BOARD, "--weights", text]
        for text in ("x", "gini", "gini=x", "gini=-1", "gini=nan", "gini=inf", "=1")
    ),
    *(["report", BOARD, "--table", "csv", "--metrics", text] for text in ("x", "[/b]", "\x1b[1m")),
    *(["report", BOARD, "--table", "csv", "--entries", text] for text in ("x", "[/b]", "\x1b[1m")),
    ["report", BOARD, "--metrics", "gini"],
    *(["check", name] for name in ("x", "ginni", "", "..", "\x1b[1m", "nosuch.toml", "captum:x", "nolib:x", ":", "a:")),
    *(
        ["check", "gini", "--settings", text]
        for text in ("[1]", "1", "{", "", "null", '{"a": 1}', '{"a": NaN}', "\x1b", "[" * 100_000)
    ),
    *(
        ["check", "deletion", "--settings", f'{{"step": {value}}}']
        for value in ("0", "-1", "1.5", '"x"', "true", "[]", "1e400", str(2**70), "9" * 5000)
    ),
    *(["compare", one, two] for one, two in (("nowhere", BOARD), (BOARD, "nowhere"), (".", ".."))),
    ["publish", "nowhere", "out"],
    ["publish", BOARD, BOARD],
    ["pictures", "nowhere", "out"],
    ["verify", "nowhere"],
    ["figure", "nowhere", "place"],
    ["figure", BOARD, "nosuch"],
    ["figure", BOARD, "\x1b[1m"],
    ["site", "nowhere", "out"],
]


@pytest.mark.parametrize("arguments", REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_meant_is_one_line(
    arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    refused(arguments, tmp_path, capfd)


def test_a_wrong_value_is_refused_with_the_right_ones(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = refused(["report", BOARD, "--table", "html"], tmp_path, capfd)
    right = "'terminal', 'markdown', 'latex', 'csv', 'json'"
    hint = "`heatmark report --help` says what is expected"
    assert said == f"heatmark: Invalid value for '--table': 'html' is not one of {right}; {hint}\n"


@pytest.mark.parametrize("arguments", USAGE, ids=range(len(USAGE)))
def test_what_is_no_command_is_answered_with_its_usage(
    arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["heatmark", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    said = capfd.readouterr()
    assert end.value.code == 2
    assert "Usage" in said.err + said.out or "Error" in said.err
    assert "Traceback" not in said.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ["file", "file/inside", "file/inside/deeper"])
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_computed(
    out: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    for option in ("--out", "--store"):
        assert "cannot be written" in refused(["run", "embedded", option, out], tmp_path, capfd)


@pytest.mark.parametrize("out", ["file/x.png", "folder.png"])
@pytest.mark.parametrize("command", [["train"], ["show", "test/000001"]])
def test_a_file_that_cannot_be_written_is_refused_before_a_network_is_trained(
    command: list[str], out: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.png").mkdir()
    assert "cannot be written" in refused([*command, "--out", out], tmp_path, capfd)


@pytest.mark.parametrize("name", ["scores", "curves", "networks", "heatmaps", "manifest"])
@pytest.mark.parametrize("content", [b"", b"x", b"PAR1", b"{}", b"[1]", b"\xff" * 100, b"null"])
def test_a_foreign_table_is_one_line(
    name: str, content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a[b]"
    folder.mkdir()
    for path in (ROOT / "results" / "embedded").iterdir():
        if path.suffix == ".parquet" or path.name == "manifest.json":
            (folder / path.name).symlink_to(path)
    path = next(folder.glob(f"{name}.*"))
    path.unlink()
    path.write_bytes(content)
    refused(["report", "a[b]", "--table", "csv"], tmp_path, capfd)


def test_code_of_others_that_ends_the_process_is_a_failure(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.suites.read.shipped_suites", lambda: sys.exit(0))
    assert "called sys.exit(0)" in refused(["check", "gini"], tmp_path, capfd)
