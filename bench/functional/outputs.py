"""Logits and probabilities of what a network returns, whatever its kind, and the one output to explain."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import UnsupportedError

Output = Literal["logit", "probability"]
OutputKind = Literal["logits", "logit", "probabilities", "labels", "number"]  # as `bench.settings` has it


def logits_from(raw: Tensor, kind: OutputKind) -> Tensor:
    """Logits (batch, outputs) from what a network of this kind returns, (batch, outputs): the larger the surer.

    One logit becomes those of classes 0 and 1, its negative and itself; probabilities become their logarithms.

    >>> logits_from(torch.tensor([[2.0]]), "logit").tolist()
    [[-2.0, 2.0]]
    """
    match kind:
        case "logit":
            return torch.cat([-raw, raw], 1)
        case "probabilities":
            return raw.clamp_min(torch.finfo(raw.dtype).tiny).log()
        case "logits" | "labels" | "number":
            return raw


def probabilities_from(logits: Tensor, kind: OutputKind) -> Tensor:
    """Probabilities (batch, outputs) from logits: softmax over classes, or each by its sigmoid (one logit, labels).

    NaN for an image with a logit that is NaN or infinite, which predicts nothing. UnsupportedError for a number, which
    has no probability.

    >>> probabilities_from(torch.tensor([[0.0, 0.0], [0.0, -torch.inf]]), "logits").tolist()
    [[0.5, 0.5], [nan, nan]]
    """
    _check_classifying(kind)
    probabilities = logits.sigmoid() if kind in ("logit", "labels") else logits.softmax(1)
    # By multiplication, so that gradients are no numbers either.
    finite = logits.isfinite().all(1, keepdim=True)
    return probabilities * torch.ones_like(probabilities).where(finite, torch.nan)


def log_probabilities_from(logits: Tensor, kind: OutputKind) -> Tensor:
    """The logarithms of `probabilities_from`, without rounding small ones to zero.

    >>> log_probabilities_from(torch.tensor([[0.0, 200.0]]), "logits").tolist()
    [[-200.0, 0.0]]
    """
    _check_classifying(kind)
    return F.logsigmoid(logits) if kind in ("logit", "labels") else logits.log_softmax(1)


def target_outputs(logits: Tensor, targets: Tensor, output: Output = "logit", kind: OutputKind = "logits") -> Tensor:
    """Each image's own output (batch,) among logits (batch, outputs): its logit, or its probability.

    `targets` (batch,) are int64 numbers of outputs, from 0.

    >>> logits, targets = torch.tensor([[0.0, 3.0], [2.0, 2.0]]), torch.tensor([1, 0])
    >>> target_outputs(logits, targets).tolist()
    [3.0, 2.0]
    >>> target_outputs(logits, targets, "probability")[1].item()
    0.5
    """
    outputs = logits if output == "logit" else probabilities_from(logits, kind)
    return outputs.gather(1, targets[:, None])[:, 0]


def predictions(logits: Tensor) -> Tensor:
    """The output with the largest logit (batch,), int64; -1 where a logit is NaN or infinite, which predicts nothing.

    >>> predictions(torch.tensor([[0.0, 3.0], [torch.nan, 1.0]])).tolist()
    [1, -1]
    """
    return logits.argmax(1).where(logits.isfinite().all(1), -1)


def rightness(logits: Tensor, outputs: Tensor) -> Tensor:
    """1 where the prediction is the right one of `outputs` (batch,), 0 where not, NaN where there is none; float64.

    >>> rightness(torch.tensor([[0.0, 3.0], [2.0, 1.0]]), torch.tensor([1, 1])).tolist()
    [1.0, 0.0]
    """
    predicted = predictions(logits)
    return (predicted == outputs).double().where(predicted >= 0, torch.nan)


def _check_classifying(kind: OutputKind) -> None:
    if kind == "number":
        raise UnsupportedError('a network with output = "number" has no probability')
