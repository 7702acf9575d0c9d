"""The attention of a vision transformer while it looks at images, and the tokens that its head reads."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bench.api import Network
from bench.attribution.class_activation import enlarged
from bench.attribution.insides import Insides, Swaps, last_tokens, look
from bench.attribution.layouts import Layout, Made
from bench.errors import UnsupportedError

_SOFTMAX: set[Any] = {torch.softmax, Tensor.softmax, F.softmax}
_PRODUCTS: set[Any] = {torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, Tensor.bmm, torch.einsum}


@dataclass(frozen=True, eq=False)
class Attended:
    """Attention of every block (batch, head, token, token) from the first on, and the target logits' gradients there.

    `reads` (batch, token) is how much of each token the head takes: all of the class token, the mean of the patches, or
    what an attention of its own draws from them (it is `pooled`); `positive_reads` is that attention times its positive
    gradients. `layout` says which tokens are places.
    """

    attentions: list[Tensor]
    gradients: list[Tensor]
    reads: Tensor
    positive_reads: Tensor
    layout: Layout
    pooled: bool

    def map(self, tokens: Tensor, images: Tensor) -> Tensor:
        """A number for each token (batch, token) as a map (batch, 1, height, width), bilinear; the others left out."""
        return _map(self.layout, tokens, images)


def attended(network: Network, images: Tensor, targets: Tensor) -> Attended:
    """The attention of every block while the network looks at images, and what its head reads.

    UnsupportedError naming the network when it has no attention, or attention over windows or other tokens, or a head
    that takes unequal parts of several tokens.
    """
    seen, attentions = look_at_attention(network, images, targets)
    name, batch = network.name, len(images)
    heads, tokens, pooled = _blocks(attentions, batch, name)
    found = last_tokens(seen, tokens)
    if found is None:
        raise UnsupportedError(f"network {name!r} does not show which of its {tokens} tokens are which places")
    read, layout = found
    inputs = [*attentions, seen.kept[read.number]]
    *gradients, at_head = torch.autograd.grad(seen.values.sum(), inputs, allow_unused=True, materialize_grads=True)
    exact = [one.detach().to(seen.values) for one in heads]
    slopes = [by_head(one, batch, name).to(seen.values) for one in gradients]
    if pooled:
        reads = exact[-1].mean((1, 2))
        positive = (exact[-1] * slopes[-1]).clamp_min(0).mean((1, 2))
    else:
        reads = positive = _reads(layout, layout.tokens(at_head), name).to(seen.values).expand(batch, -1)
    blocks = len(heads) - pooled
    return Attended(exact[:blocks], slopes[:blocks], reads, positive, layout, pooled)


def look_at_attention(
    network: Network, images: Tensor, targets: Tensor, swaps: Swaps | None = None
) -> tuple[Insides, list[Tensor]]:
    """The insides of a network (`look`), and the attention matrices in it, as they are made."""
    with _recorded() as attentions:
        seen = look(network, images, targets, swaps=swaps)
    if not attentions:
        raise UnsupportedError(f"network {network.name!r} has no attention")
    return seen, attentions


def block_number(block: int, seen: Attended, network_name: str) -> int:
    """The number of a block from 0, of which -1 is the last; UnsupportedError where there is none.

    The attention of a head is the last block.
    """
    blocks = len(seen.attentions) + seen.pooled
    if not -blocks <= block < blocks:
        raise UnsupportedError(f"network {network_name!r} has {blocks} blocks of attention, and none of number {block}")
    return block % blocks


def gradients_of_blocks(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """How the target logit that the head reads behind each block depends on its attention, (batch, 1, height, width).

    The mean of the positive gradients over heads, query tokens and blocks. The blocks are found with the first image;
    then every block is cut off from those before it, and the head is given the tokens behind all blocks at once.
    """
    seen, attentions = look_at_attention(network, images[:1], targets[:1])
    batch = len(images)
    heads, tokens, pooled = _blocks(attentions, 1, network.name)
    blocks = attentions[: len(heads) - pooled]
    streams, layout = _streams(seen, blocks, tokens)
    behind: list[Tensor] = []

    def cut_off(made: Tensor) -> Tensor:
        behind.append(made)
        return made.detach().requires_grad_()

    def all_together(made: Tensor) -> Tensor:
        return torch.cat([*behind, made], layout.batch)

    swaps: Swaps = dict.fromkeys(streams[:-1], cut_off) | {streams[-1]: all_together}
    again, matrices = look_at_attention(network, images, targets.repeat(len(streams)), swaps)
    inputs = matrices[-1:] if pooled else matrices[: len(blocks)]
    gradients = torch.autograd.grad(again.values.sum(), inputs)
    shares = [by_head(own, len(own) if pooled else batch, network.name).clamp_min(0).mean((1, 2)) for own in gradients]
    drawn = torch.cat(shares).to(seen.values).view(len(streams), batch, tokens).mean(0)
    return _map(layout, drawn, images)


def _map(layout: Layout, tokens: Tensor, images: Tensor) -> Tensor:
    return enlarged(Layout(0, 2, layout.places).maps(tokens[:, :, None]), images)


def _streams(seen: Insides, blocks: Sequence[Tensor], tokens: int) -> tuple[list[int], Layout]:
    """The numbers of the tokens behind each block, of one kind all, and their layout."""
    name = seen.network.name
    begins = [attention.grad_fn._sequence_nr() for attention in blocks if attention.grad_fn is not None]
    found: list[Made] = []
    last = last_tokens(seen, tokens)
    for begin, end in itertools.zip_longest(begins, begins[1:], fillvalue=None):
        kind = found[0].edge.node.name() if found else "AddBackward0"
        for made in seen.passed:
            after = made.edge.node._sequence_nr()
            inside = begin is not None and begin < after and (end is None or after < end)
            alike = end is not None or made.edge.node.name() == kind
            if inside and alike and last is not None and made.shape == last[0].shape:
                found.append(made)
                break
    if last is None or len(found) != len(blocks) or not found:
        raise UnsupportedError(f"network {name!r} does not pass all of its tokens on from block to block")
    return [made.number for made in found], last[1]


def _blocks(attentions: list[Tensor], batch: int, network_name: str) -> tuple[list[Tensor], int, bool]:
    """Attention by heads (batch, head, token, token), how many tokens, and whether the last is the head's own."""
    heads = [by_head(one, batch, network_name) for one in attentions]
    tokens = heads[-1].shape[3]
    pooled = heads[-1].shape[2] != tokens
    if any(one.shape[2:] != (tokens, tokens) for one in heads[: len(heads) - pooled]):
        raise UnsupportedError(f"the blocks of network {network_name!r} do not all attend to all tokens of the image")
    return heads, tokens, pooled


def by_head(attention: Tensor, batch: int, network_name: str) -> Tensor:
    """Attention (batch, head, token, token) also where images and heads share a dimension."""
    if attention.ndim == 3 and attention.shape[0] % batch == 0:
        return attention.view(batch, -1, *attention.shape[1:])
    if attention.ndim != 4 or attention.shape[0] != batch:
        raise UnsupportedError(
            f"network {network_name!r} attends within windows of the image, not to all of its tokens"
        )
    return attention


def _reads(layout: Layout, gradients: Tensor, network_name: str) -> Tensor:
    """How much of each token (token,) a head takes, by its gradients (batch, token, channel): equal parts, or none.

    Those that are no numbers say nothing of it.
    """
    gradients = gradients.nan_to_num(0, 0, 0)
    sizes = gradients.abs().amax((0, 2))
    read = sizes > 0
    of_places = layout.maps(read[None, :, None])
    mean = gradients[:, read].mean(1, keepdim=True)
    alike = (gradients[:, read] - mean).abs().max() <= 1e-3 * sizes.max() if read.any() else True
    if int(read.sum()) > 1 and of_places.any() and not (of_places.all() and alike):
        raise UnsupportedError(
            f"the head of network {network_name!r} reads neither its class token, nor the mean of its tokens, nor by "
            "attention: nothing says how much of each token it takes"
        )
    share: Tensor = read / read.sum().clamp_min(1)
    return share


class _Matrices(TorchFunctionMode):
    """Keeps the results of softmax that features are multiplied by: attention that a network writes out itself."""

    def __init__(self, seen: list[Tensor]) -> None:
        super().__init__()
        self.seen = seen
        self.open: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.multi_head_attention_forward:
            with patch.object(F, "softmax", self._softmax):
                return func(*args, **(kwargs or {}))
        result = func(*args, **(kwargs or {}))
        if func in _SOFTMAX and result.ndim >= 3 and result.requires_grad:
            self.open.append(result)
        if func in _PRODUCTS:
            factors = [(part.data_ptr(), part.shape) for part in args if isinstance(part, Tensor)]
            # Dropout may have given it another name in between.
            used = [one for one in self.open if (one.data_ptr(), one.shape) in factors]
            self.seen += [one for one in used if not any(one is other for other in self.seen)]
        return result

    def _softmax(self, *args: Any, **options: Any) -> Tensor:
        result = torch.softmax(*args, **{name: value for name, value in options.items() if name == "dim"})
        self.seen.append(result)
        return result


def attention_scores(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    """What the softmax of an attention sees, (..., queries, keys), as torch's own attention function says."""
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    if mask is None:
        return scores
    return scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask


@contextmanager
def _recorded() -> Iterator[list[Tensor]]:
    """Attention computed openly, and kept, wherever torch's attention function is called, or one is written out."""
    seen: list[Tensor] = []

    def attention(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if is_causal or enable_gqa or dropout_p:
            kept: Tensor = plain(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
            return kept
        matrix = attention_scores(query, key, attn_mask, scale).softmax(-1)
        seen.append(matrix)
        return matrix @ value

    plain: Callable[..., Any] = F.scaled_dot_product_attention
    with patch.object(F, "scaled_dot_product_attention", attention), _Matrices(seen):
        yield seen
