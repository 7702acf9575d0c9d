import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image
from skimage.data import chelsea
from torch import Tensor
from typer.testing import CliRunner

from bench.api import Attribution, Network, Request
from bench.cli import app
from bench.plugins import sources
from tests.bad_input.commands import refused
from tests.support.plugins import entry_points

SUITE = """
name = "tiny"
batch = 4
gallery = 1
[dataset]
name = "planted"
train_images = 16
val_images = 8
test_images = 16
images = 4
references = 2
[[networks]]
architecture = "small_plain"
training = { epochs = 1, batch = 16 }
[[attributions]]
name = "simple_gradient"
[[attributions]]
name = "oracle"
[[metrics]]
name = "pointing_game"
[[metrics]]
name = "deletion"
step = 1024
"""


def heatmark(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments]
    root = str(Path(__file__).parents[2])
    environment = {"PYTHONPATH": root, "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("somewhere")
    (folder / "tiny.toml").write_text(SUITE)
    return folder


@pytest.fixture(scope="module")
def ran(folder: Path) -> subprocess.CompletedProcess[str]:
    return heatmark("run", "tiny.toml", "--out", "board", folder=folder)


def test_a_run_ends_with_a_leaderboard_and_a_result_set(ran: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert ran.returncode == 0, ran.stderr
    assert "Truth" in ran.stdout
    assert "Pointing game" in ran.stdout
    (said,) = ran.stderr.splitlines()
    assert re.match(r"small_plain by standard gets \d of 16 images right, no more than guessing among 8 classes", said)
    assert ran.stdout.splitlines()[-1] == f"Result set and report: {Path('board') / 'index.html'}"
    scores = pd.read_parquet(folder / "board" / "scores.parquet")
    assert len(scores) == 4 * 2 * 2
    manifest = json.loads((folder / "board" / "manifest.json").read_text())
    assert manifest["suite"] == "tiny"
    assert manifest["command"] == "heatmark run tiny.toml"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", manifest["created"])


def test_the_command_in_the_manifest_repeats_the_run(ran: subprocess.CompletedProcess[str], folder: Path) -> None:
    options = ("--images", "2", "--metrics", "pointing_game")
    assert heatmark("run", "tiny.toml", *options, "--out", "less", folder=folder).returncode == 0
    manifest = json.loads((folder / "less" / "manifest.json").read_text())
    assert manifest["command"] == "heatmark run tiny.toml --images 2 --metrics pointing_game"


def test_a_board_can_be_printed_again_as_a_table(ran: subprocess.CompletedProcess[str], folder: Path) -> None:
    printed = heatmark("report", "board", "--table", "markdown", "--metrics", "pointing_game", folder=folder)
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.lstrip().startswith("|")
    assert "oracle" in printed.stdout


def test_pictures_are_written_as_files(ran: subprocess.CompletedProcess[str], folder: Path) -> None:
    written = heatmark("pictures", "board", "pictures", folder=folder)
    assert written.returncode == 0, written.stderr
    (place,) = (folder / "pictures" / "small_plain-standard-0").iterdir()
    assert {path.name for path in place.iterdir()} == {
        *("image.png", "truth.png", "simple_gradient.png", "oracle.png"),
        *("simple_gradient-ranks.png", "oracle-ranks.png"),
    }
    with Image.open(place / "simple_gradient.png") as picture:
        assert picture.size == (64, 64)


def test_show_draws_an_image_of_the_data_set_and_says_what_the_network_sees(folder: Path) -> None:
    options = ("--suite", "tiny.toml", "--methods", "edges,centre", "--out", "x.png")
    shown = heatmark("show", "test/000001", *options, folder=folder)
    assert shown.returncode == 0, shown.stderr
    assert re.match(
        r"test/000001: small_plain sees (brick|galaxies|gravel|letters|masonry|p\w+|wall), \d+%\n", shown.stdout
    )
    with Image.open(folder / "x.png") as picture:
        assert picture.width > 500


@pytest.mark.long
def test_show_explains_a_photograph_by_any_network_by_name(folder: Path) -> None:
    Image.fromarray(chelsea()).save(folder / "cat.png")
    options = ("--network", "efficientnet_lite0", "--methods", "grad_cam,input_x_gradient", "--out", "x.png")
    shown = heatmark("show", "cat.png", *options, folder=folder)
    assert shown.returncode == 0, shown.stderr
    assert re.match(r"cat.png: efficientnet_lite0 sees (tabby|tiger cat|Egyptian cat), \d+%\n", shown.stdout)
    with Image.open(folder / "x.png") as picture:
        assert picture.width > 500


def test_show_refuses_a_photograph_that_the_suite_s_network_cannot_know(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (80, 60), "teal").save(folder / "photo.png")
    said = refused(["show", "photo.png", "--methods", "edges"], folder, capfd)
    reason = "small_resnet knows the images of planted, not photographs such as photo.png; expected `--network"
    assert reason in said


def test_train_takes_the_recipe_that_is_asked_for(folder: Path) -> None:
    several = 'recipes = [{ name = "standard" }, { name = "norm_adversarial", mode = "group" }]\ntraining'
    (folder / "several.toml").write_text(SUITE.replace("training", several))
    asked = ("--recipe", "norm_adversarial(mode=group)", "--out", "weights.safetensors")
    done = heatmark("train", "several.toml", *asked, folder=folder)
    assert done.returncode == 0, done.stderr
    assert re.match(r"small_plain by norm_adversarial\(mode=group\): accuracy \d+\.\d% on 16 images", done.stdout)
    assert json.loads((folder / "weights.json").read_text())["recipe"] == "norm_adversarial(mode=group)"


def test_list_names_every_kind(folder: Path) -> None:
    listed = heatmark("list", folder=folder)
    assert {"captum:NAME", "quantus:NAME", "torchvision:NAME"} <= set(listed.stdout.split())
    assert listed.returncode == 0, listed.stderr
    for name in ("standard", "integrated_gradients", "deletion", "planted", "embedded"):
        assert name in listed.stdout
    assert "arXiv:1806.07421" in heatmark("list", "metrics", "--long", folder=folder).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "tinny.toml"], "no suite 'tinny.toml'"),
        (["run", "tiny.toml", "--metrics", "deletionn"], "did you mean 'deletion'"),
        (["run", "tiny.toml", "--device", "abacus"], "--device abacus"),
        (["report", "nowhere"], "no result set in nowhere; expected a folder that `heatmark run` has written"),
        (["check", "gini", "--settings", "[1]"], "--settings: expected a JSON object such as"),
        (["check", "imagenet", "--settings", '{"selection": "0:3"}'], "selection '0:3': expected start:end:stride,"),
        (["train", "tiny.toml", "--out", "weights.pt"], "--out weights.pt: expected a file that ends in .safetensors"),
        (["run", "tiny.toml", "--store", "tiny.toml"], "cannot be written: tiny.toml is no folder"),
        (["show", "nothing.png", "--suite", "tiny.toml"], "neither an image file nor an image id"),
        (["show", "tiny.toml", "--suite", "tiny.toml"], "tiny.toml"),
        (
            ["show", "test/000001", "--suite", "tiny.toml", "--out", "x.wav"],
            "--out x.wav: expected a file that ends in",
        ),
        (["show", "test/000001", "--suite", "tiny.toml", "--network", "small_plane"], "did you mean 'small_plain'"),
        (["train", "tiny.toml", "--recipe", "standart"], "did you mean 'standard'"),
    ],
)
def test_a_mistake_is_one_line_and_no_traceback(
    folder: Path, arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(arguments, folder, capfd)


def test_the_version(folder: Path) -> None:
    assert heatmark("--version", folder=folder).stdout.startswith("heatmark 0.")


def test_check_says_which_promises_a_plugin_keeps(folder: Path) -> None:
    kept = heatmark("check", "gini", folder=folder)
    assert kept.returncode == 0, kept.stderr
    assert "scores alone as in company" in kept.stdout
    assert "broken" not in kept.stdout


@dataclass(frozen=True)
class Restless(Attribution):
    """Another map each time it is asked."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        return torch.rand_like(request.images)


@pytest.mark.usefixtures("fresh_plugins")
def test_check_fails_where_a_promise_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "elsewhere", sys.modules[__name__])
    monkeypatch.setattr(sources, "entry_points", entry_points(restless="elsewhere:Restless"))
    broken = CliRunner().invoke(app, ["check", "restless"])
    assert broken.exit_code == 1
    assert "broken  explains twice the same: restless draws from torch's own random numbers" in broken.stdout
    assert "kept    gives maps of the right shape" in broken.stdout


def test_check_names_the_nearest_plugin(folder: Path) -> None:
    unknown = heatmark("check", "ginni", folder=folder)
    assert unknown.returncode == 2
    assert "did you mean 'gini'?" in unknown.stderr


@pytest.mark.parametrize("command", [["list"], ["report", "results/embedded", "--table", "csv"]])
def test_a_reader_that_stops_reading_ends_nothing_badly(command: list[str], tmp_path: Path) -> None:
    if command[0] == "report":
        shutil.copytree(Path(__file__).parents[2] / command[1], tmp_path / "set")
        command = ["report", str(tmp_path / "set"), "--table", "csv"]
    run = [sys.executable, "-m", "bench", *command]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, "")


@dataclass(frozen=True)
class WrongShape(Attribution):
    """Maps with a row too many."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        return torch.zeros(len(request), 1, request.images.shape[2] + 1, request.images.shape[3])


def test_one_reason_why_several_promises_are_broken_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.suites.make.make_plugin", lambda *_: WrongShape())
    done = CliRunner().invoke(app, ["check", "random_map"])
    assert done.exit_code == 1
    broken = [line for line in done.stdout.splitlines() if line.startswith("broken")]
    first = broken[0].removeprefix("broken  ").partition(":")[0]
    assert len(broken) > 3
    assert sum("expected" in line for line in broken) == 1
    assert all(line.endswith(f": the same as in {first!r}") for line in broken[1:])
