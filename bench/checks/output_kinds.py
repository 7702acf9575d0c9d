"""What a network's outputs give away of their kind: logits, or one of the ways in which people return probabilities."""

import torch
from torch import Tensor

from bench.functional.outputs import OutputKind

# What a gradient passes on its way back from outputs that were only scaled, cut, reordered or reshaped.
_SCALED = {
    *("Mul", "Div", "Neg", "Add", "Sub", "Clamp", "ClampMin", "ClampMax", "Log", "Clone", "Alias", "ToCopy"),
    *("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Select", "Slice", "Index", "IndexSelect"),
    *("Permute", "Transpose", "T", "Expand", "Flatten"),
}
_ENDS = {
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
    "LogSigmoid": "log-sigmoid",
    "LogSigmoidForward": "log-sigmoid",
}
_INSTEAD = {
    "softmax": "return what goes into it",
    "log_softmax": "return what goes into it",
    "sigmoid": 'expected what goes into it: take the sigmoid off, and set output = "logit" or "labels"',
    "log-sigmoid": 'expected what goes into it: take it off, and set output = "logit" or "labels"',
}
# A factor that all images share is no chance where it varies this many times less than the outputs do.
_CHANCE = 100


def breach(outputs: Tensor, kind: OutputKind, rounding: float) -> str | None:
    """What is wrong with finite outputs (batch, outputs) declared as this kind, in words; None where nothing is.

    `rounding` is how far probabilities may be from their sum. Outputs with a gradient also tell what made them.
    """
    end, values = _end(outputs), outputs.detach().double()
    if kind == "number" or not len(values):
        return None
    found = _probabilities(values, rounding) if values.shape[1] > 1 else None
    if kind == "probabilities":
        if found == "probabilities":
            return None
        also = f" ({found})" if found else f" (they end in a {end})" if end else ""
        return (
            f'is declared as output = "probabilities", and its outputs are not{also}: expected rows that are not '
            'negative and sum to 1; set output = "logits" or "labels"'
        )
    if found == "probabilities":
        return 'returns probabilities; set output = "probabilities"'
    if found is not None:
        return (
            f"returns {found}; return logits, what goes into the softmax, or probabilities that sum to 1 with "
            'output = "probabilities"'
        )
    return f"ends in a {end}; {_INSTEAD[end]}" if end else None


def _end(outputs: Tensor) -> str:
    """The last function of a network that makes probabilities of logits, whatever scales it; "" where there is none."""
    node = outputs.grad_fn
    while node is not None:
        name = node.name().partition("Backward")[0]
        if name in _ENDS:
            return _ENDS[name]
        behind = [own for own, _ in node.next_functions if own is not None and "AccumulateGrad" not in own.name()]
        node = behind[0] if name in _SCALED and len(behind) == 1 else None
    return ""


def _probabilities(values: Tensor, rounding: float) -> str | None:
    """What the rows are where they are probabilities or their logarithms, scaled alike for all; None for others."""
    if (values >= 0).all():
        sums = values.sum(1)
        if ((sums - 1).abs() <= rounding).all():
            return "probabilities"
        return f"probabilities times {sums.mean():.4g}" if _shared(sums, values, rounding) else None
    if (values <= rounding).all():
        if (values.logsumexp(1).abs() <= rounding).all():
            return "log-probabilities"
        if (values < 0).all():
            scales = _temperatures(values)
            return f"log-probabilities times {1 / scales.mean():.4g}" if _shared(scales, values, rounding) else None
    return None


def _shared(factors: Tensor, values: Tensor, rounding: float) -> bool:
    """Whether all rows have the same factor, although they differ."""
    spread = (factors.max() - factors.min()) / factors.abs().max()
    differ = (values.amax(0) - values.amin(0)).max() / values.abs().max()
    return bool(spread <= rounding and spread * _CHANCE < differ)


def _temperatures(values: Tensor) -> Tensor:
    """For each row of negative values the factor by which they become logarithms of probabilities."""
    low, high = torch.zeros(len(values), 1).to(values), (values.shape[1] / -values.amax(1, keepdim=True))
    for _ in range(60):
        middle = (low + high) / 2
        above = (middle * values).logsumexp(1, keepdim=True) > 0
        low, high = middle.where(above, low), high.where(above, middle)
    return low[:, 0]
