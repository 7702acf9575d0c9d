import torch
from torch import nn

from bench.training.weight_files import weights_hash


def test_the_hash_does_not_depend_on_the_memory_layout() -> None:
    """A 1x1 convolution in channels-last layout counts as contiguous, and yet its last stride is not 1."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(4, 3, 1), nn.BatchNorm2d(3), nn.Conv2d(3, 2, 3))
    before = weights_hash(module)
    assert weights_hash(module.to(memory_format=torch.channels_last)) == before
