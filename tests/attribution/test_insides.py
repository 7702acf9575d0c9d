"""What is found of a network's insides is what somebody who knows it tells by hand."""

import pytest
import torch
from torch import nn

from bench.api import Network
from bench.attribution.class_activation import features_of
from bench.checks.fixtures import small_network, small_request, small_transformer
from bench.errors import UnsupportedError
from tests.support.layouts import TOLD, network_of, request, told_by_hand


@pytest.mark.parametrize("layout", TOLD)
def test_the_last_map_is_the_one_that_is_told_by_hand(layout: str) -> None:
    network, asked = network_of(layout), request()
    maps, gradients = told_by_hand(layout)
    found = features_of(network, asked.images, asked.targets)
    torch.testing.assert_close(found.maps, maps)
    torch.testing.assert_close(found.gradients, gradients)
    assert gradients.any()
    alone = features_of(network, asked.images[1:2], asked.targets[1:2])
    torch.testing.assert_close(alone.maps, maps[1:2])
    named = features_of(network, asked.images, asked.targets, TOLD[layout].module)
    torch.testing.assert_close(named.maps, maps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tokens_are_told_apart_in_low_precision(dtype: torch.dtype) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        patches, head = nn.Conv2d(3, 8, 2, 2), nn.Linear(8, 5)

    class Many(nn.Module):
        """576 tokens, which bfloat16 cannot count, and one before them."""

        def __init__(self) -> None:
            super().__init__()
            self.patches, self.head, self.block = patches, head, nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            tokens = self.patches(images).flatten(2).mT
            return self.head(self.block(torch.cat([tokens[:, :1] * 0, tokens], 1)).mean(1))

    asked = small_request(1, 48, 48)
    network = Network(Many().eval().to(dtype))
    assert features_of(network, asked.images.to(dtype), asked.targets).maps.shape == (1, 8, 24, 24)


def test_a_layout_can_be_set_by_hand() -> None:
    network, asked = small_transformer(), small_request()
    found = features_of(network, asked.images, asked.targets)
    told = features_of(network, asked.images, asked.targets, "blocks.0", "4x4+1")
    torch.testing.assert_close(told.maps, found.maps)
    wide = features_of(network, asked.images, asked.targets, "blocks.0", "2x8+1")
    torch.testing.assert_close(wide.maps, found.maps.flatten(2).unflatten(2, (2, 8)))
    maps = features_of(small_network(), asked.images, asked.targets, "", "last").maps
    torch.testing.assert_close(maps, features_of(small_network(), asked.images, asked.targets).maps.permute(0, 3, 1, 2))
    with pytest.raises(UnsupportedError, match=r"layout '5x5\+1' does not fit its map of shape \(17, 8\)"):
        features_of(network, asked.images, asked.targets, "", "5x5+1")


class _Shuffled(nn.Module):
    """Tokens each of which is made from all places: nothing tells where they are."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.mixed, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(16, 12), nn.Linear(8, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.mixed(self.patches(images).flatten(2)).mT.mul(2).mean(1))


def test_tokens_that_are_no_places_are_refused() -> None:
    network, asked = Network(_Shuffled().double().eval(), name="shuffled"), small_request()
    with pytest.raises(UnsupportedError, match=r"map of shape \(12, 8\) does not show which tokens are which places"):
        features_of(network, asked.images, asked.targets)


def test_what_a_network_makes_is_numbered_alike_for_any_batch() -> None:
    """Else what takes the place of a map would take that of another."""
    asked = request()
    for layout in TOLD:
        network = network_of(layout)
        whole, alone = (features_of(network, asked.images[:n], asked.targets[:n]) for n in (3, 1))
        assert whole.number == alone.number
