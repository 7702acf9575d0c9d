from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.errors import HeatmarkError
from bench.training.architectures import build
from bench.training.weight_files import filled, load_weights, outputs_of, read_weights


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model.", "_orig_mod."])
@pytest.mark.parametrize("key", ["", "state_dict", "model", "net", "model_state_dict"])
def test_a_state_dict_is_found_inside_a_checkpoint_and_whatever_its_names_begin_with(
    tmp_path: Path, prefix: str, key: str
) -> None:
    expected = build("small_plain", 5).state_dict()
    named: Any = {prefix + name: values for name, values in expected.items()}
    torch.save({"epoch": 3, key: named, "optimizer": {"lr": 0.1}} if key else named, tmp_path / "weights.pt")
    module = build("small_plain", 5)
    load_weights(module, tmp_path / "weights.pt")
    for name, values in module.state_dict().items():
        assert torch.equal(values, expected[name])


def test_outputs_are_read_from_the_last_layer_of_a_file(tmp_path: Path) -> None:
    torch.save(build("resnet18", 12).state_dict(), tmp_path / "weights.pt")
    make = partial(build, "resnet18")
    assert outputs_of(filled(make(3), tmp_path / "weights.pt", make)) == 12
    with pytest.raises(HeatmarkError, match=r"fc.weight has the shape \(12, 512\), the network's is \(3, 512\)"):
        filled(make(3), tmp_path / "weights.pt")


@pytest.mark.parametrize(("file", "network"), [("resnet18", "resnet50"), ("resnet34", "resnet18")])
def test_weights_of_another_architecture_are_said_to_be_that(tmp_path: Path, file: str, network: str) -> None:
    torch.save(build(file, 2).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(HeatmarkError, match=r"lacks \d+ of the network's \d+ weights and has \d+ .* another arch"):
        load_weights(build(network, 2), tmp_path / "weights.pt")


def test_one_name_that_is_wrong_is_said_to_be_that(tmp_path: Path) -> None:
    state = build("resnet18", 2).state_dict()
    state["fc.wieght"] = state.pop("fc.weight")
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(HeatmarkError, match=r"lacks the weight 'fc.weight'; did you mean 'fc.wieght'"):
        load_weights(build("resnet18", 2), tmp_path / "weights.pt")


def test_a_checkpoint_without_weights_says_what_it_holds(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "best": 0.7}, tmp_path / "weights.pt")
    with pytest.raises(HeatmarkError, match=r"holds no state dict: .*, its keys are epoch, best"):
        read_weights(tmp_path / "weights.pt")


@pytest.mark.parametrize(("name", "outputs"), [("squeezenet1_1", 9), ("mobilenet_v3_small", 9), ("small_resnet", 9)])
def test_the_last_layer_says_how_many_outputs_there_are(name: str, outputs: int) -> None:
    assert outputs_of(build(name, outputs)) == outputs
