"""Gradients that come back in bfloat16: maps of the same ranks, or in float32 with one line that says why."""

import logging
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench.api import ImageRandom, Network, Request
from bench.engine import bf16_backward, mixed_precision
from bench.engine.bf16_backward import with_bf16_backward
from bench.functional.correlation import spearman
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from bench.methods.attributions.smooth_grad import SmoothGrad
from bench.training.architectures import build


@pytest.fixture
def small() -> Network:
    torch.manual_seed(0)
    return Network(build("small_resnet", 5).eval(), "small")


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def said(network: Network, images: Tensor, caplog: pytest.LogCaptureFixture) -> str:
    bf16_backward._tell.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert with_bf16_backward(network, images) is network
    (record,) = caplog.records
    return record.getMessage()


@pytest.mark.parametrize("method", [IntegratedGradients(nodes=8), SmoothGrad(samples=8)], ids=lambda own: own.name)
def test_maps_keep_their_ranks_and_their_sum(method, small: Network, images: Tensor, monkeypatch) -> None:
    monkeypatch.setattr(bf16_backward, "is_quick_in_bf16", lambda _: True)
    request = Request(images, torch.tensor([1, 2]), ImageRandom(0, "run", ("a", "b")))
    exact = method.explain(small, request)
    low = replace(method, backward="bf16").explain(small, request)
    assert not torch.equal(low, exact)
    assert (spearman(low.sum(1), exact.sum(1)) >= 0.999).all()
    torch.testing.assert_close(low.sum((1, 2, 3)), exact.sum((1, 2, 3)), rtol=0.02, atol=1e-3)


def test_the_forward_pass_is_exact_and_follows_the_weights(small: Network, images: Tensor, monkeypatch) -> None:
    monkeypatch.setattr(bf16_backward, "is_quick_in_bf16", lambda _: True)
    for _ in range(2):
        low = with_bf16_backward(small, images)
        assert low is not small
        torch.testing.assert_close(low.logits(images), small.logits(images), rtol=1e-5, atol=1e-5)
        with torch.no_grad():
            for weight in small.module.parameters():
                weight.mul_(0.9)


def test_without_bf16_in_the_processor_gradients_stay_in_fp32(
    small: Network, images: Tensor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without = {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: without)
    assert not mixed_precision.is_quick_in_bf16(images.device)
    told = "the gradients of small stay in fp32: this processor does not compute in bfloat16"
    assert said(small, images, caplog) == told


def test_other_weights_than_single_precision_stay(small: Network, images: Tensor, monkeypatch, caplog) -> None:
    monkeypatch.setattr(bf16_backward, "is_quick_in_bf16", lambda _: True)
    double = replace(small, module=small.module.double())
    assert said(double, images, caplog) == "the gradients of small stay in fp32: its weights are not in float32"


class _Cancelling(nn.Module):
    """Two convolutions that are nearly the same, one taken from the other: what is left is rounding in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
        with torch.no_grad():
            self.other.weight.copy_(self.one.weight * (1 + 1e-4 * torch.randn_like(self.one.weight)))

    def forward(self, images: Tensor) -> Tensor:
        return (self.one(images) - self.other(images)).square().mean((2, 3))


def test_where_maps_would_differ_gradients_stay_in_fp32(images: Tensor, monkeypatch, caplog) -> None:
    monkeypatch.setattr(bf16_backward, "is_quick_in_bf16", lambda _: True)
    torch.manual_seed(0)
    network = Network(_Cancelling().eval(), "cancelling")
    assert said(network, images, caplog) == "the gradients of cancelling stay in fp32: maps would differ"
