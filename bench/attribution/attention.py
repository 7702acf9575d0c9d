"""The attention of a vision transformer while it looks at images."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api import Network
from bench.attribution.class_activation import enlarged
from bench.attribution.gradients import target_values
from bench.errors import UnsupportedError


def attentions_of(network: Network, images: Tensor, targets: Tensor) -> tuple[list[Tensor], Tensor]:
    """The attention of every block (batch, head, token, token), from the first on, and the target logits (batch,).

    Raises UnsupportedError naming the network when it has no attention, or attention over windows or other
    tokens, or a head that reads others than the class token.
    """
    with _recorded() as seen:
        values = target_values(network, images.detach().requires_grad_(), targets)
    if not seen:
        raise UnsupportedError(f"network {network.name!r} has no attention (scaled_dot_product_attention)")
    batch, _, tokens, _ = seen[0].shape
    if any(one.shape[0] != batch or one.shape[2:] != (tokens, tokens) for one in seen) or batch != len(images):
        raise UnsupportedError(f"the blocks of network {network.name!r} do not all attend to all tokens of the image")
    # After its last attention a block treats every token by itself, so that only what the head reads has a gradient.
    (gradients,) = torch.autograd.grad(values.sum(), seen[-1], retain_graph=True)
    read = gradients.abs().amax((0, 1, 3)) > 0
    if not read[0] or read[1:].any():
        raise UnsupportedError(f"the head of network {network.name!r} does not read its class token, and that alone")
    return seen, values


def class_token_map(network: Network, relevance: Tensor, images: Tensor) -> Tensor:
    """What the class token draws from each patch, (batch, token, token) -> (batch, 1, height, width), bilinear.

    The patches are those of the network's first convolution; tokens before them (the class token first) are left out.
    """
    height, width = images.shape[2:]
    first = next((part for part in network.module.modules() if isinstance(part, nn.Conv2d)), None)
    rows, columns = (height // int(first.stride[0]), width // int(first.stride[1])) if first else (0, 0)
    others = relevance.shape[1] - rows * columns
    if rows * columns == 0 or others < 1:
        raise UnsupportedError(f"network {network.name!r} has no class token beside a grid of patches")
    patches = relevance[:, 0, others:].reshape(-1, 1, rows, columns)
    return enlarged(patches, images)


@contextmanager
def _recorded() -> Iterator[list[Tensor]]:
    """Attention computed openly, and kept, wherever torch's attention function is called."""
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
        scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
        seen.append(scores.softmax(-1))
        return seen[-1] @ value

    plain: Callable[..., Any] = F.scaled_dot_product_attention
    with patch.object(F, "scaled_dot_product_attention", attention):
        yield seen
