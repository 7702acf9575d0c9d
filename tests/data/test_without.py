"""Images with parts gone reach a network as the images themselves do."""

from pathlib import Path

import torch

from bench.api import ImageRandom, Network, Preprocess, Request
from bench.checks import small_network
from bench.data.batches import load
from bench.datasets.funny_birds import LEVELS, FunnyBirds
from tests.support.small_birds import write_birds


def test_they_are_resized_cut_and_normalised_like_the_images(tmp_path: Path) -> None:
    dataset = FunnyBirds(root=str(write_birds(tmp_path)))
    preprocess = Preprocess(size=(8, 8), resize=12, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    network = Network(small_network().module, preprocess=preprocess)
    batch = load(dataset, "test", range(3), network, torch.device("cpu"))
    assert batch.without is not None
    torch.testing.assert_close(batch.without[1](()), batch.images[1])
    gone = batch.without[1]((LEVELS["tail"],))
    assert gone.shape == batch.images[1].shape
    assert not torch.equal(gone, batch.images[1])
    assert batch.first(2).without == batch.without[:2]
    request = Request(batch.images, batch.outputs, ImageRandom(0, "", batch.ids), batch.truth, None, batch.without)
    assert request.select([2, 0]).without == (batch.without[2], batch.without[0])
    assert load(dataset, "train", [0], network, torch.device("cpu")).without is None
