"""The one output of a network that an image is explained by."""

from typing import Literal

from torch import Tensor

Output = Literal["logit", "probability"]


def target_outputs(logits: Tensor, targets: Tensor, output: Output = "logit") -> Tensor:
    """Each image's own output (batch,) among logits (batch, outputs): its logit, or its softmax probability.

    `targets` (batch,) are int64 numbers of outputs, from 0.

    >>> logits, targets = torch.tensor([[0.0, 3.0], [2.0, 2.0]]), torch.tensor([1, 0])
    >>> target_outputs(logits, targets).tolist()
    [3.0, 2.0]
    >>> target_outputs(logits, targets, "probability")[1].item()
    0.5
    """
    outputs = logits if output == "logit" else logits.softmax(1)
    return outputs.gather(1, targets[:, None])[:, 0]
