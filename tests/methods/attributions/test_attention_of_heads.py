"""Attention methods equal slow readings by explicit matrices, whatever the head reads."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api import UnsupportedError
from bench.api.registry import find
from bench.attribution.attention import attended
from tests.support.layouts import GRID, SIZE, network_of, request

HEADS = ["class token", "mean with class token", "mean", "attention pool", "registers", "distilled"]
OTHERS = {"class token": 1, "mean with class token": 1, "mean": 0, "attention pool": 0, "registers": 4, "distilled": 2}


@dataclass
class Written:
    """A transformer of timm, every matrix of its attention written out."""

    module: nn.Module
    matrices: list[Tensor]
    behind: list[Tensor]

    def logits(self, tokens: Tensor) -> Tensor:
        """What the head says of tokens behind any block."""
        tokens = self.module.norm(tokens)
        pool = getattr(self.module, "attn_pool", None)
        if pool is None:
            return self.module.forward_head(tokens)
        self.pooling, pooled = _attend(pool.q(pool.latent.expand(len(tokens), -1, -1)), pool.kv(tokens), pool.num_heads)
        read = pool.proj(pooled)
        return self.module.head(self.module.fc_norm((read + pool.mlp(pool.norm(read)))[:, 0]))


def _attend(query: Tensor, others: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Softmax of query times key (batch, head, query, key), and what is drawn by it (batch, query, channel)."""
    key, value = others.chunk(2, -1)
    parts = [own.unflatten(2, (heads, -1)).transpose(1, 2) for own in (query, key, value)]
    matrix = torch.softmax(torch.einsum("bhqd,bhkd->bhqk", parts[0], parts[1]) / parts[0].shape[-1] ** 0.5, -1)
    return matrix, torch.einsum("bhqk,bhkd->bhqd", matrix, parts[2]).transpose(1, 2).flatten(2)


def written(head: str, *, cut: bool = False) -> Written:
    """The run on the request's images; `cut`: each block gets tokens without a way back to those before it."""
    module, images = network_of(head).module, request().images
    tokens = module.norm_pre(module._pos_embed(module.patch_embed(images.clone().requires_grad_())))
    run = Written(module, [], [])
    for block in module.blocks:
        tokens = tokens.detach().requires_grad_() if cut else tokens
        query, others = block.attn.qkv(block.norm1(tokens)).split([24, 48], -1)
        matrix, drawn = _attend(query, others, 3)
        tokens = tokens + block.attn.proj(drawn)
        tokens = tokens + block.mlp(block.norm2(tokens))
        run.matrices.append(matrix)
        run.behind.append(tokens)
    return run


def target(logits: Tensor) -> Tensor:
    return logits.gather(1, request().targets[:, None]).sum()


def read_rows(head: str, matrix: Tensor) -> Tensor:
    """The row of what the head reads of a matrix (batch, token, token), (batch, token)."""
    match head:
        case "mean with class token" | "mean":
            return matrix[:, OTHERS[head] :].mean(1)
        case "distilled":
            return (matrix[:, 0] + matrix[:, 1]) / 2
        case _:
            return matrix[:, 0]


def rolled(head: str, steps: list[Tensor], last: Tensor | None) -> Tensor:
    """The product of all steps (batch, token, token), and the row that the head reads of it, or draws from it."""
    product = torch.eye(steps[0].shape[-1]).double().expand(3, -1, -1)
    for step in steps:
        product = torch.bmm(step, product)
    return read_rows(head, product) if last is None else torch.bmm(last, product)[:, 0]


def raised(run: Written, matrix: Tensor, gradient: Tensor) -> Tensor:
    """The mean over heads of a matrix times its positive gradients, one head after the other."""
    heads = [(matrix[:, head] * gradient[:, head]).clamp_min(0) for head in range(matrix.shape[1])]
    return (sum(heads) / len(heads)).detach()


def attention_rollout(head: str) -> Tensor:
    run = written(head)
    run.logits(run.behind[-1])
    identity = torch.eye(run.matrices[0].shape[-1]).double()
    steps = [(matrix.mean(1).detach() + identity) / 2 for matrix in run.matrices]
    return rolled(head, steps, run.pooling.mean(1).detach() if head == "attention pool" else None)


def chefer_relevance(head: str) -> Tensor:
    run = written(head)
    value = target(run.logits(run.behind[-1]))
    everything = [*run.matrices, run.pooling] if head == "attention pool" else run.matrices
    steps = [raised(run, *both) for both in zip(everything, torch.autograd.grad(value, everything), strict=True)]
    last = steps.pop() if head == "attention pool" else None
    return rolled(head, [torch.eye(step.shape[-1]).double() + step for step in steps], last)


def gradient_attention(head: str) -> Tensor:
    run = written(head)
    value = target(run.logits(run.behind[-1]))
    matrix = run.pooling if head == "attention pool" else run.matrices[-1]
    (gradient,) = torch.autograd.grad(value, matrix)
    weighted = raised(run, matrix, gradient)
    return weighted[:, 0] if head == "attention pool" else read_rows(head, weighted)


def attention_map(head: str) -> Tensor:
    run = written(head)
    run.logits(run.behind[-1])
    matrix = (run.pooling if head == "attention pool" else run.matrices[-1]).mean(1).detach()
    return matrix[:, 0] if head == "attention pool" else read_rows(head, matrix)


def legrad(head: str) -> Tensor:
    """Block by block: the head's answer to the tokens behind it, and the gradient at its attention or at the head's."""
    run, layers = written(head, cut=True), []
    for matrix, tokens in zip(run.matrices, run.behind, strict=True):
        value = target(run.logits(tokens))
        (gradient,) = torch.autograd.grad(value, run.pooling if head == "attention pool" else matrix)
        heads, queries = gradient.shape[1:3]
        total = sum(gradient[:, own, query].clamp_min(0) for own in range(heads) for query in range(queries))
        layers.append(total / (heads * queries))
    return sum(layers) / len(layers)


READINGS = [attention_rollout, chefer_relevance, gradient_attention, attention_map, legrad]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.__name__)
@pytest.mark.parametrize("head", HEADS)
def test_an_attention_method_is_what_its_matrices_say(head: str, reading) -> None:
    tokens = reading(head)[:, OTHERS[head] :].unflatten(1, GRID)[:, None]
    expected = F.interpolate(tokens, SIZE, mode="bilinear")
    found = find("attributions")[reading.__name__]().explain(network_of(head), request())
    assert expected.std() > 0
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


def test_attention_written_out_is_the_same_as_fused_and_that_of_a_chosen_block() -> None:
    network, asked = network_of("class token"), request()
    fused = attended(network, asked.images, asked.targets)
    attention = [block.attn for block in network.module.blocks]
    for own in attention:
        own.fused_attn = False
    try:
        open_ = attended(network, asked.images, asked.targets)
    finally:
        for own in attention:
            own.fused_attn = True
    for first, second in zip(fused.attentions, open_.attentions, strict=True):
        torch.testing.assert_close(first, second)
    method = find("attributions")["attention_map"]
    row = fused.attentions[0].mean(1)[:, 0, 1:].unflatten(1, GRID)[:, None]
    expected = F.interpolate(row, SIZE, mode="bilinear")
    torch.testing.assert_close(method(block=0).explain(network, asked), expected)
    with pytest.raises(UnsupportedError, match="has 2 blocks of attention, and none of number 2"):
        method(block=2).explain(network, asked)


@pytest.mark.parametrize("name", [reading.__name__ for reading in READINGS])
def test_attention_over_windows_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedError, match="attends within windows of the image"):
        find("attributions")[name]().explain(network_of("windows"), request())
