"""Attention rollout and Chefer's relevance."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.api import Network
from bench.attribution.attention import look_at_attention
from bench.checks.fixtures import small_network, small_request, small_transformer
from bench.errors import UnsupportedError
from bench.methods.attributions.attention_rollout import AttentionRollout
from bench.methods.attributions.chefer_relevance import CheferRelevance

REQUEST = small_request()


def attention_by_hand() -> list[torch.Tensor]:
    """The attention of both blocks from torch's own attention module, (batch, head, token, token)."""
    module = small_transformer().module
    tokens = torch.cat([module.token.expand(3, -1, -1), module.patches(REQUEST.images).flatten(2).mT], 1)
    seen = []
    for block in module.blocks:
        normed = block.norm1(tokens)
        seen.append(block.self_attn(normed, normed, normed, need_weights=True, average_attn_weights=False)[1])
        tokens = block(tokens)
    return [one.detach() for one in seen]


def test_attention_is_what_the_modules_say():
    seen, found = look_at_attention(small_transformer(), REQUEST.images, REQUEST.targets)
    for own, expected in zip(found, attention_by_hand(), strict=True):
        torch.testing.assert_close(own, expected)
    network = small_transformer()
    torch.testing.assert_close(seen.values, network.logits_of(REQUEST.images, REQUEST.targets))


def test_torch_s_own_attention_is_back_afterwards_also_after_an_exception():
    before = F.scaled_dot_product_attention
    with pytest.raises(RuntimeError):
        AttentionRollout().explain(Network(nn.Linear(3, 3).double()), REQUEST)
    assert F.scaled_dot_product_attention is before


def test_rollout_multiplies_mean_attention_with_skip_connections():
    first, second = (0.5 * one.mean(1) + 0.5 * torch.eye(17) for one in attention_by_hand())
    row = (second @ first)[:, 0, 1:].reshape(3, 1, 4, 4)
    found = AttentionRollout().explain(small_transformer(), REQUEST)
    torch.testing.assert_close(found, F.interpolate(row, (16, 16), mode="bilinear"))


def test_chefer_relevance_adds_up_attention_times_positive_gradients():
    seen, attentions = look_at_attention(small_transformer(), REQUEST.images, REQUEST.targets)
    gradients = torch.autograd.grad(seen.values.sum(), attentions)
    relevance = torch.eye(17, dtype=torch.float64).repeat(3, 1, 1)
    for attention, gradient in zip(attentions, gradients, strict=True):
        update = torch.zeros_like(relevance)
        for head in range(2):
            update += (attention[:, head] * gradient[:, head]).clamp_min(0).detach() / 2
        relevance = relevance + torch.bmm(update, relevance)
    row = relevance[:, 0, 1:].reshape(3, 1, 4, 4)
    found = CheferRelevance().explain(small_transformer(), REQUEST)
    torch.testing.assert_close(found, F.interpolate(row, (16, 16), mode="bilinear"))


@pytest.mark.parametrize("method", [AttentionRollout(), CheferRelevance()])
def test_a_network_without_attention_is_named(method):
    with pytest.raises(UnsupportedError, match="'small' has no attention"):
        method.explain(small_network(), REQUEST)


@pytest.mark.parametrize("method", [AttentionRollout(), CheferRelevance()])
def test_a_transformer_of_timm_is_explained(method):
    timm = pytest.importorskip("timm")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = timm.models.VisionTransformer(
            img_size=16, patch_size=4, embed_dim=8, depth=2, num_heads=2, num_classes=5
        )
    found = method.explain(Network(module.double().eval(), name="timm"), REQUEST)
    assert found.shape == (3, 1, 16, 16)
    assert found[0].std() > 0
