"""Why a network fails, or passes no gradient, in words that say what to mend; torch's own where there are no better."""

import re

from torch import nn


def quantised_layers(module: nn.Module) -> list[str]:
    """The names and classes of layers that calculate with whole numbers."""
    return [
        f"{name} ({type(part).__name__})"
        for name, part in module.named_modules()
        if ".quantized" in type(part).__module__
        or any("quantized" in type(own).__name__.lower() for own in _weights(part))
    ]


def where_it_ends(module: nn.Module) -> str:
    """Where the gradient of a network that has none for its images probably ends."""
    quantised = quantised_layers(module)
    return f"passes its quantised layer {quantised[0]}" if quantised else "reaches its images"


def why_no_answer(module: nn.Module, error: Exception) -> str:
    """Why it fails on images, in one line."""
    quantised = quantised_layers(module)
    if quantised and "quantized::" in str(error):
        return (
            f"its quantised layer {quantised[0]} takes quantised values only; put a QuantStub before it and a "
            "DeQuantStub behind, or use the network in floating point"
        )
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def why_no_gradient(error: RuntimeError) -> str:
    """Why its gradients cannot be calculated, in one line."""
    said = " ".join(str(error).split())
    if "nference tensor" in said:
        return "build it outside of torch.inference_mode()"
    if "modified by an inplace operation" in said:
        return "it overwrites in place what its gradient needs; copy that first, or set inplace=False"
    missing = re.search(r"derivative for '?([\w:.]+)'? is not implemented", said)
    if missing:
        return f"torch knows no derivative of {missing[1]}; replace it, or explain by methods that need no gradient"
    return f"{said[:200]}; mend that, or explain by methods that need no gradient"


def _weights(part: nn.Module) -> list[object]:
    return [*part._parameters.values(), *part._buffers.values()]
