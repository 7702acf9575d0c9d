import logging
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import bench
from bench.cli import app
from bench.data.batches import load
from bench.errors import HeatmarkError
from bench.progress import progress
from bench.results.cell_store import Store
from bench.runner.accuracy import accuracy_of
from bench.runner.networks import NetworkLoader, looked_at, suite_trials
from bench.runner.records import Run
from bench.suites.load import Suite, load_suite
from bench.training.architectures import build

SUITE = """
name = "own"
[dataset]
name = "planted"
[[networks]]
architecture = "$SUITE/made.py:make"
weights = "$SUITE/weights.pt"
[[attributions]]
name = "random_map"
[[metrics]]
name = "gini"
"""
MADE = """
import torch
from bench.training.architectures import build

def make(path):
    network = build("small_plain", 4)
    network.load_state_dict(torch.load(path, weights_only=True))
    return network, {"about": "it"}
"""


def test_somebody_s_own_network_is_called_and_known_without_its_folder(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(SUITE)
    (tmp_path / "made.py").write_text(MADE)
    expected = build("small_plain", 4).eval()
    torch.save(expected.state_dict(), tmp_path / "weights.pt")
    with progress() as bars:
        (trained,) = NetworkLoader.of(
            load_suite(str(tmp_path / "own.toml"), allow_code=True), 0, tmp_path, torch.device("cpu"), bars
        ).load()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(trained.network.logits(images), expected(images))
    assert trained.architecture == "made.py:make"
    assert str(tmp_path) not in repr((trained.architecture, trained.network.name, trained.log))


@pytest.mark.parametrize(
    ("label_map", "message"),
    [
        (
            [0, 1],
            r"own.toml: networks\[0\].label_map: 2 outputs; expected one for each of the 8 labels",
        ),
        ([0, 1, 2, 3, 0, 1, 2, 9], "network 'made.py-make': label_map names output 9, the last is 3"),
    ],
)
def test_a_label_map_that_does_not_fit_is_one_line(tmp_path: Path, label_map: list[int], message: str) -> None:
    (tmp_path / "own.toml").write_text(SUITE.replace("[[attributions]]", f"label_map = {label_map}\n[[attributions]]"))
    (tmp_path / "made.py").write_text(MADE)
    torch.save(build("small_plain", 4).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(HeatmarkError, match=message):
        accuracy_on_two_images(load_suite(str(tmp_path / "own.toml"), allow_code=True), tmp_path)


def accuracy_on_two_images(suite: Suite, folder: Path) -> None:
    cpu = torch.device("cpu")
    with progress() as bars:
        (trained,) = NetworkLoader.of(suite, 0, folder, cpu, bars).load()
    accuracy_of(trained.network, load(suite.dataset, "test", [0, 1], trained.network, cpu))


@pytest.mark.parametrize(("outputs", "few"), [(4, True), (12, False)])
def test_outputs_that_are_not_the_classes_are_refused_or_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, outputs: int, few: bool
) -> None:
    own = f'architecture = "small_plain"\nweights = "{tmp_path}/weights.pt"'
    suite = SUITE.replace('architecture = "$SUITE/made.py:make"\nweights = "$SUITE/weights.pt"', own)
    (tmp_path / "own.toml").write_text(suite)
    torch.save(build("small_plain", outputs).state_dict(), tmp_path / "weights.pt")
    loaded, cpu = load_suite(str(tmp_path / "own.toml")), torch.device("cpu")
    with progress() as bars, caplog.at_level(logging.WARNING, "heatmark"):
        run = Run(loaded, Store(tmp_path / "store"), cpu, bars)
        (trained,) = NetworkLoader.of(loaded, 0, tmp_path, cpu, bars).load()
        trials = dict(suite_trials(run))
        for ask in (lambda: looked_at(run, trained), trials["network small_plain: has an output for each class"]):
            caplog.clear()
            assert ask is not None
            if few:
                with pytest.raises(HeatmarkError, match="small_plain has 4 outputs and the data set 8 classes"):
                    ask()
            else:
                ask()
                (line,) = (own.getMessage() for own in caplog.records if "outputs" in own.getMessage())
                assert line.startswith("small_plain: 12 outputs, 8 classes: output i is taken for class i; set")


@pytest.mark.parametrize("architecture", ['"small_plain"\nweights = "w.pt"', '"efficientnet_lite0"'])
def test_a_folder_of_the_data_set_that_is_not_there_is_what_is_blamed(tmp_path: Path, architecture: str) -> None:
    text = SUITE.replace('name = "planted"', 'name = "image_folder"\nroot = "nowhere"')
    text = text.replace('"$SUITE/made.py:make"\nweights = "$SUITE/weights.pt"', architecture)
    (tmp_path / "own.toml").write_text(text)
    suite = load_suite(str(tmp_path / "own.toml"))
    with (
        progress() as bars,
        pytest.raises(HeatmarkError, match=r"^own.toml: dataset.root: no folder nowhere; expected"),
    ):
        NetworkLoader.of(suite, 0, tmp_path, torch.device("cpu"), bars).load()


@pytest.mark.parametrize("command", ["run", "check", "plan"])
@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("nowhere", "dataset.root: no folder nowhere; expected"),
        ("flat", "dataset: images lie directly in flat; expected"),
    ],
)
def test_a_folder_that_is_none_for_a_data_set_is_blamed_by_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, root: str, message: str
) -> None:
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "cat.png").touch()
    text = SUITE.replace('name = "planted"', f'name = "image_folder"\nroot = "{root}"')
    text = text.replace('"$SUITE/made.py:make"\nweights = "$SUITE/weights.pt"', '"efficientnet_lite0"')
    (tmp_path / "own.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HeatmarkError, match=f"^own.toml: {message}"):
        CliRunner().invoke(app, [command, "own.toml", "--store", "st"], catch_exceptions=False)


def test_in_a_call_the_images_are_what_is_blamed() -> None:
    images = {"name": "image_folder", "root": "nowhere"}
    with pytest.raises(HeatmarkError, match=r"^images.root: no folder nowhere; expected"):
        bench.evaluate("efficientnet_lite0", images, attributions=["random_map"], metrics=["gini"])
