"""AttnLRP of torchvision's vision transformer, layer by layer with the rules of LXT, its authors' library.

Its own map for this network stops relevance before each softmax, and its tracer needs more libraries: so the rules are
called one by one, in the order of torchvision's forward pass.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models import VisionTransformer
from torchvision.models.vision_transformer import EncoderBlock

EPSILON = 1e-12  # theirs is 1e-6, added whatever the sign


def relevance_by_lxt(module: VisionTransformer, images: Tensor, targets: Tensor) -> Tensor:
    """Relevances in the shape of the images."""
    from lxt.explicit import functional, rules

    module.requires_grad_(False)
    images = images.clone().requires_grad_()
    add = partial(functional.add2, epsilon=EPSILON)
    tokens = rules.epsilon_lrp(module.conv_proj, EPSILON, images).flatten(2).mT
    tokens = torch.cat([module.class_token.expand(len(images), -1, -1), tokens], 1)
    tokens = add(tokens, module.encoder.pos_embedding.expand_as(tokens).clone())
    for block in module.encoder.layers:
        tokens = add(_attended(block, _norm(block.ln_1, tokens)), tokens)
        first, last = block.mlp[0], block.mlp[3]
        hidden = functional.linear_epsilon(_norm(block.ln_2, tokens), first.weight, first.bias, EPSILON)
        hidden = functional.linear_epsilon(rules.identity(F.gelu, hidden), last.weight, last.bias, EPSILON)
        tokens = add(tokens, hidden)
    head = module.heads.head
    logits = functional.linear_epsilon(_norm(module.encoder.ln, tokens)[:, 0], head.weight, head.bias, EPSILON)
    start = F.one_hot(targets, logits.shape[1]) * logits
    (relevance,) = torch.autograd.grad(logits, images, start.detach())
    return relevance


def _norm(norm: torch.nn.LayerNorm, tokens: Tensor) -> Tensor:
    from lxt.explicit.functional import layer_norm_grad_fn

    return layer_norm_grad_fn.apply(tokens, norm.weight, norm.bias, norm.eps, EPSILON)


def _attended(block: EncoderBlock, tokens: Tensor) -> Tensor:
    from lxt.explicit import functional

    attention = block.self_attention
    projected = functional.linear_epsilon(tokens, attention.in_proj_weight, attention.in_proj_bias, EPSILON)
    query, key, value = (
        part.unflatten(2, (attention.num_heads, -1)).transpose(1, 2) for part in projected.chunk(3, -1)
    )
    scores = functional.matmul(query, key.mT, epsilon=EPSILON)
    matrix = functional.softmax(scores, -1, temperature=attention.head_dim**0.5)
    drawn = functional.matmul(matrix, value, epsilon=EPSILON).transpose(1, 2).flatten(2)
    return functional.linear_epsilon(drawn, attention.out_proj.weight, attention.out_proj.bias, EPSILON)
