from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from bench.api import Attribution, Explained, Network, Request
from bench.checks import small_network, small_request
from bench.checks.fixtures import small_transformer
from bench.methods.attributions.legrad import Legrad
from bench.metrics.cost.backward_passes import BackwardPasses
from bench.metrics.cost.forward_passes import ForwardPasses
from bench.metrics.cost.peak_memory import PeakMemory
from bench.metrics.cost.seconds import Seconds
from bench.scoring.measure import explained_by


@dataclass(frozen=True)
class Busy(Attribution):
    """`forward` passes, and then `backward` more with their gradients."""

    forward: int = 0
    backward: int = 0

    def attribute(self, network: Network, request: Request) -> Tensor:
        for _ in range(self.forward):
            with torch.no_grad():
                network.logits(request.images)
        total = torch.zeros_like(request.images)
        for _ in range(self.backward):
            images = request.images.clone().requires_grad_()
            (gradients,) = torch.autograd.grad(network.logits_of(images, request.targets).sum(), images)
            total = total + gradients
        return total


def explained(method: Attribution) -> Explained:
    network, request = small_network(chunk=2), small_request()
    return explained_by(method, network, request, network.logits(request.images).detach())


@pytest.mark.parametrize(("forward", "backward"), [(0, 0), (3, 0), (2, 4)])
def test_passes_are_counted(forward: int, backward: int) -> None:
    of = explained(Busy(forward=forward, backward=backward))
    assert ForwardPasses().measure(of).score.tolist() == [forward + backward] * 3
    assert BackwardPasses().measure(of).score.tolist() == [backward] * 3
    assert not of.network.module._forward_hooks


@pytest.mark.parametrize("rows", [[0], [1, 2], [0, 1, 2]])
def test_passes_that_images_share_do_not_make_a_score_depend_on_company(rows: list[int]) -> None:
    network, request = small_transformer(), small_request().select(rows)
    of = explained_by(Legrad(), network, request, network.logits(request.images).detach())
    assert ForwardPasses().measure(of).score.tolist() == [1] * len(rows)
    assert BackwardPasses().measure(of).score.tolist() == [1] * len(rows)


def test_time_and_memory() -> None:
    of = explained(Busy(forward=1))
    seconds = Seconds().measure(of).score
    assert (seconds > 0).all()
    assert PeakMemory().measure(of).status == ("memory is measured on a GPU only",) * 3
