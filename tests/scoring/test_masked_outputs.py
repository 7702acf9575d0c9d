"""Versions of a batch go through a network in full chunks, and each gives what it gives alone."""

from dataclasses import replace

import pytest
import torch

from bench.api import Network
from bench.engine import logits_in_chunks
from bench.methods.attributions.random_map import RandomMap
from bench.scoring.masked_outputs import outputs_while_masked
from bench.scoring.measure import explained_by


@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
def test_versions_share_chunks_and_keep_their_outputs(network: Network, request_of, chunk: int) -> None:
    request = request_of(3)
    own = replace(network, chunk=chunk)
    explained = explained_by(RandomMap(), own, request, network.logits(request.images).detach())
    versions = [request.images * share for share in (0.0, 0.2, 0.5, 0.9, 1.0)]
    expected = [logits_in_chunks(own, images).gather(1, request.targets[:, None])[:, 0] for images in versions]
    got = outputs_while_masked(explained, iter(versions), "logit")
    torch.testing.assert_close(got, torch.stack(expected, 1).double(), rtol=0, atol=1e-12)
