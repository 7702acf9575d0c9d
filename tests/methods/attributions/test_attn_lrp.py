"""AttnLRP equals a slow reading of its rules, relevance by relevance, and loses none."""

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api import Network, Request
from bench.checks.fixtures import small_network, small_request
from bench.errors import UnsupportedError
from bench.methods.attributions.attn_lrp import AttnLrp
from bench.methods.attributions.input_x_gradient import InputXGradient

HEADS = 2


def without_biases() -> Network:
    """A transformer without any constant: no bias, position or class token, so that relevance has nowhere to stay."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = timm.models.VisionTransformer(
            img_size=16, patch_size=4, embed_dim=8, depth=2, num_heads=HEADS, num_classes=5, class_token=False,
            global_pool="avg", fc_norm=False, pos_embed="none",
        )  # fmt: skip
        for name, weights in module.named_parameters():
            nn.init.zeros_(weights) if name.endswith("bias") else nn.init.normal_(weights, std=0.5)
    return Network(module.double().eval(), name="without biases")


def linear(given: Tensor, weights: Tensor, relevance: Tensor) -> Tensor:
    return given * (relevance / (given @ weights.T) @ weights)


def layer_norm(given: Tensor, relevance: Tensor) -> Tensor:
    """By the identity through the scaling, and by the epsilon rule through taking the mean off."""
    shares = relevance / (given - given.mean(-1, keepdim=True))
    return given * (shares - shares.mean(-1, keepdim=True))


def product(first: Tensor, second: Tensor, relevance: Tensor) -> tuple[Tensor, Tensor]:
    shares = relevance / (2 * first @ second)
    return first * (shares @ second.mT), second * (first.mT @ shares)


def heads_of(tokens: Tensor) -> Tensor:
    return tokens.unflatten(2, (HEADS, -1)).transpose(1, 2)


def attention(block: nn.Module, given: Tensor, relevance: Tensor) -> tuple[Tensor, Tensor]:
    """Relevance (batch, token, channel) behind the norm from that of the projected result, and what softmax keeps."""
    query, key, value = (heads_of(part) for part in block.attn.qkv(given).chunk(3, -1))
    scale = query.shape[-1] ** -0.5
    scores = query @ key.mT * scale
    matrix = scores.softmax(-1)
    drawn = (matrix @ value).transpose(1, 2).flatten(2)
    of_matrix, of_value = product(matrix, value, heads_of(linear(drawn, block.attn.proj.weight, relevance)))
    of_scores = scores * (of_matrix - matrix * of_matrix.sum(-1, keepdim=True))
    of_query, of_key = product(query * scale, key.mT, of_scores)
    parts = torch.cat([own.transpose(1, 2).flatten(2) for own in (of_query, of_key.mT, of_value)], -1)
    return linear(given, block.attn.qkv.weight, parts), (of_matrix - of_scores).sum((1, 2, 3))


def by_the_rules(module: nn.Module, asked: Request) -> tuple[Tensor, Tensor, Tensor]:
    """Relevance of the image, what the softmaxes keep (batch,), and the target logits."""
    seen = [module.patch_embed(asked.images)]
    for block in module.blocks:
        seen.append(seen[-1] + block.attn(block.norm1(seen[-1])))
        seen.append(seen[-1] + block.mlp(block.norm2(seen[-1])))
    normed = module.norm(seen[-1])
    logits = module.head(normed.mean(1))
    wanted = F.one_hot(asked.targets, 5) * logits
    pooled = linear(normed.mean(1), module.head.weight, wanted)
    shares = normed / normed.sum(1, keepdim=True)
    relevance, kept = layer_norm(seen[-1], shares * pooled[:, None]), torch.zeros(len(logits))
    for block in reversed(module.blocks):
        after, middle, before = seen.pop(), seen.pop(), seen[-1]
        hidden = block.mlp.fc1(block.norm2(middle))
        inner = linear(F.gelu(hidden), block.mlp.fc2.weight, relevance * (after - middle) / after)
        inner = linear(block.norm2(middle), block.mlp.fc1.weight, inner)
        relevance = relevance * middle / after + layer_norm(middle, inner)
        inner, lost = attention(block, block.norm1(before), relevance * (middle - before) / middle)
        relevance, kept = relevance * before / middle + layer_norm(before, inner), kept + lost
    images = asked.images.clone().requires_grad_()
    tokens = module.patch_embed(images)
    (gradients,) = torch.autograd.grad(tokens, images, relevance / tokens.detach())
    return images.detach() * gradients, kept, wanted.sum(1)


def test_attn_lrp_is_what_its_rules_say_and_conserves_relevance() -> None:
    network, asked = without_biases(), small_request()
    with torch.no_grad():
        module = network.module
    with torch.enable_grad():
        expected, kept, logits = by_the_rules(module, asked)
    found = AttnLrp().explain(network, asked)
    torch.testing.assert_close(found, expected.detach(), rtol=0, atol=1e-6 * float(expected.abs().max()))
    torch.testing.assert_close(found.sum((1, 2, 3)) + kept.detach(), logits.detach(), rtol=1e-4, atol=1e-6)


class _Mixed(nn.Module):
    """Convolutions with a unit and a gate of their own, and one more operation at the end."""

    def __init__(self, unit, last=lambda maps: maps) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.gate = nn.Conv2d(3, 6, 3, bias=False), nn.Linear(6, 6)
        self.norm, self.head = nn.GroupNorm(1, 6, affine=False), nn.Linear(6, 5, bias=False)
        self.unit, self.last = unit, last

    def forward(self, images: Tensor) -> Tensor:
        maps = self.unit(self.norm(self.first(images)))
        gated = maps * self.gate(maps.mean((2, 3))).sigmoid()[:, :, None, None]
        return self.head(self.last(gated).mean((2, 3)))


@pytest.mark.parametrize("unit", [nn.GELU(), nn.SiLU(), nn.ReLU(inplace=True), nn.Hardswish(), nn.LeakyReLU()])
def test_units_gates_and_norms_keep_no_relevance(unit: nn.Module) -> None:
    network, asked = Network(_Mixed(unit).double().eval()), small_request()
    found = AttnLrp().explain(network, asked)
    logits = network.logits_of(asked.images, asked.targets).detach()
    torch.testing.assert_close(found.sum((1, 2, 3)), logits, rtol=1e-4, atol=1e-8)
    assert not found.allclose(InputXGradient().explain(network, asked))


def test_what_has_no_rule_is_said_in_one_line() -> None:
    for last, reason in [(lambda maps: maps / (1 + maps.square()), "divided"), (torch.tanh, "its units")]:
        network = Network(_Mixed(nn.GELU(), last).double().eval(), name="odd")
        with pytest.raises(UnsupportedError, match=rf"no rule for .*{reason}.* in network 'odd'"):
            AttnLrp().explain(network, small_request())


def test_on_relus_it_is_image_times_gradient() -> None:
    """Which is what the epsilon rule is there, but for biases and max-pools, which the gradient treats alike."""
    found = AttnLrp().explain(small_network(), small_request())
    torch.testing.assert_close(found, InputXGradient().explain(small_network(), small_request()))


def test_the_gamma_rule_is_zennit_s() -> None:
    pytest.importorskip("zennit")
    from zennit.composites import LayerMapComposite
    from zennit.rules import Gamma, Pass

    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 5),
    ).double()
    asked = small_request()
    found = AttnLrp(gamma=0.3).explain(Network(module), asked)
    images = asked.images.clone().requires_grad_()
    rules = [(nn.Conv2d | nn.Linear, Gamma(0.3, stabilizer=1e-12)), (nn.ReLU, Pass())]
    with LayerMapComposite(rules).context(module) as changed:
        logits = changed(images)
        (theirs,) = torch.autograd.grad(logits, images, F.one_hot(asked.targets, 5) * logits.detach())
    torch.testing.assert_close(found, theirs, rtol=0, atol=1e-6 * float(theirs.abs().max()))
    assert not found.allclose(AttnLrp().explain(Network(module), asked), rtol=0.05)


class _Evenly(nn.Module):
    """Tokens that attend to all alike, by a module or by the layers that it is made of."""

    def __init__(self, *, written_out: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention, self.written_out = nn.MultiheadAttention(12, 2, batch_first=True), written_out
        nn.init.zeros_(self.attention.in_proj_weight[:24])

    def forward(self, images: Tensor) -> Tensor:
        tokens = images.unfold(2, 8, 8).unfold(3, 8, 8).mean((4, 5)).flatten(2).mT.repeat(1, 1, 4)
        weights = self.attention.in_proj_weight
        if not self.written_out:
            return self.attention(tokens, tokens, tokens, need_weights=False)[0][:, 0]
        value = F.linear(tokens, weights[24:], torch.zeros_like(weights[24:, 0]))
        return self.attention.out_proj(value.mean(1))


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_projections_inside_of_an_attention_module_follow_the_same_rule(gamma: float) -> None:
    """The other half of the relevance goes to the scores, which are zero."""
    by_module, by_layers = (
        AttnLrp(gamma=gamma).explain(Network(_Evenly(written_out=own).double().eval()), small_request())
        for own in (False, True)
    )
    torch.testing.assert_close(by_module, by_layers / 2)
