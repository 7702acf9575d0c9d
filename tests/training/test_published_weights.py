"""Files of weights as torchvision publishes them fill the networks of their names."""

from pathlib import Path

import torch
from torch import nn
from torchvision.models import get_model

from bench.training.architectures import build
from bench.training.weight_files import load_weights


def test_googlenet_treats_its_input_as_its_published_weights_expect(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        # What torchvision makes when it is asked for its own weights.
        published = get_model(
            "googlenet", weights=None, num_classes=10, transform_input=True, aux_logits=True, init_weights=True
        )
        torch.save(published.state_dict(), tmp_path / "googlenet.pth")
        network = build("googlenet", 10)
        images = torch.randn(2, 3, 64, 64)
    load_weights(network, tmp_path / "googlenet.pth")
    with torch.no_grad():
        assert torch.equal(network.eval()(images), published.eval()(images))


def test_files_without_the_counters_of_batch_norms_are_read(tmp_path: Path) -> None:
    old = build("small_plain", 3)
    state = {name: values for name, values in old.state_dict().items() if "num_batches_tracked" not in name}
    assert len(state) < len(old.state_dict())
    torch.save(state, tmp_path / "old.pth")
    network = build("small_plain", 3)
    nn.init.zeros_(network[-1].weight)
    load_weights(network, tmp_path / "old.pth")
    assert torch.equal(network[-1].weight, old[-1].weight)
