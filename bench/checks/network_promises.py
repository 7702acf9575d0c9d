"""What every network promises before its first score, as small named functions.

Each takes a network and some images as it takes them, (any, channel, height, width), and raises AssertionError with one
line that says what to set or mend. The network is in evaluation mode inside, and left as it was.
"""

import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parameter import UninitializedParameter

from bench.api import Attribution, HeatmarkError, ImageMetric, Network
from bench.api.module_state import evaluating
from bench.checks.failing_networks import where_it_ends, why_no_answer, why_no_gradient
from bench.checks.full_passes import PAIRS, inputs_at_once, repeated
from bench.checks.output_kinds import breach

LOOKED_AT = 2  # images, and a paler mirrored copy of each
PALER = (0.9, 0.7, 0.5, 0.3, 0.1)  # shares of an image as the network takes it
_SURE = 1e-3  # the share of the outputs' range that is no rounding
_HALF = 3e-2  # the same where weights are in half precision
_SUM = 1e-3  # how far probabilities may be from 1


def takes_the_images(network: Network, images: Tensor) -> None:
    """A tensor of the declared kind comes back, one row for each image."""
    images = images[: len(images) // 2]
    try:
        outputs = _raw(network, images)
    except HeatmarkError as error:
        raise AssertionError(str(error)) from error
    except Exception as error:  # a network may fail in any way
        reason = why_no_answer(network.module, error)
        shape = tuple(images.shape)
        raise AssertionError(f"network {network.name!r} cannot take images of shape {shape}: {reason}") from error
    assert len(outputs) == len(images), f"network {network.name!r} returns {len(outputs)} rows for {len(images)} images"


def has_weights_for_gradients(network: Network, images: Tensor) -> None:  # noqa: ARG001
    """No weight was made inside of torch.inference_mode(), where autograd cannot use it."""
    made = [name for name, weights in network.module.named_parameters() if weights.is_inference()]
    assert not made, (
        f"network {network.name!r}: {made[0]} was made in inference mode; build it outside of torch.inference_mode()"
    )


def is_finite(network: Network, images: Tensor) -> None:
    """No weight or buffer is NaN or infinite, nor are the outputs of all images."""
    for name, weights in [*network.module.named_parameters(), *network.module.named_buffers()]:
        if weights.is_floating_point() and not weights.isfinite().all():
            raise AssertionError(f"network {network.name!r}: {name} is not finite; train it, or load its weights, anew")
    finite = _raw(network, images).isfinite().all(1)
    assert finite.any(), (
        f"network {network.name!r}: its outputs are not finite for any of {len(images)} images; look at its weights, "
        "its precision and `preprocess`"
    )


def returns_what_is_declared(network: Network, images: Tensor) -> None:
    """Logits are no probabilities, in none of the ways that these are returned, and probabilities are."""
    with torch.enable_grad():
        outputs = _raw(network, images.detach().requires_grad_())
        found = breach(outputs[outputs.isfinite().all(1)], network.output, _HALF if _is_low(network) else _SUM)
    assert found is None, f"network {network.name!r} {found}"


def leaves_the_images_alone(network: Network, images: Tensor) -> None:
    """The images are not changed in place."""
    given = images.clone()
    _raw(network, given)
    assert torch.equal(given, images), (
        f"network {network.name!r} changes the images that it is given, in place; copy them first, or set inplace=False"
    )


def neither_draws_nor_counts(network: Network, images: Tensor) -> None:
    """In evaluation no random number is drawn and no buffer changes."""
    before = {name: values.clone() for name, values in network.module.named_buffers()}
    states = _random_states(images)
    _raw(network, images)
    drawn = not all(map(_same_state, states, _random_states(images)))
    changed = [n for n, values in network.module.named_buffers() if n in before and not _equal(values, before[n])]
    assert not drawn, (
        f"network {network.name!r} draws random numbers in evaluation mode; give dropout training=self.training"
    )
    assert not changed, (
        f"network {network.name!r} changes its buffer {changed[0] if changed else ''} in evaluation mode; batch norm "
        "and counters may do so in training only"
    )


def answers_twice_the_same(network: Network, images: Tensor) -> None:
    """The same images have the same outputs when they are shown again."""
    first, second = _raw(network, images), _raw(network, images)
    assert _alike(network, first, second), (
        f"network {network.name!r} gives another answer to the same images; make it deterministic in evaluation mode"
    )


def answers_alone_as_in_company(network: Network, images: Tensor) -> None:
    """An image's outputs do not depend on the other images of its batch."""
    together = _raw(network, images)
    try:
        alone = torch.cat([_raw(network, image[None]) for image in images])
    except Exception as error:  # batch norm refuses a batch of one
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise AssertionError(f"network {network.name!r} cannot take a single image: {reason}") from error
    assert _alike(network, together, alone), (
        f"network {network.name!r}: an image's outputs depend on the other images of its batch; let batch norm use its "
        "running statistics in evaluation mode, take no range for quantisation from a batch, and keep no answers"
    )


def answers_alike_in_full_passes(network: Network, images: Tensor) -> None:
    """An image's outputs do not depend on how many go through at once, up to two chunks."""
    count = PAIRS * network.chunk
    if count <= len(images):
        return
    few, many = _raw(network, images), _raw(network, repeated(images, count))
    assert len(many) == count, f"network {network.name!r} returns {len(many)} rows for {count} images"
    assert _alike(network, repeated(few, count), many), (
        f"network {network.name!r}: an image's outputs depend on how many images are shown at once: {len(images)} or "
        f"{count}; let it treat each image by itself"
    )


def passes_a_gradient_to_the_image(network: Network, images: Tensor) -> None:
    """The gradient of the target's logit reaches the image, is finite, and not zero everywhere.

    A network that is saturated by the images has gradients for paler ones.
    """
    mend = "leave out detach(), rounding and quantised layers, or explain it by methods that need no gradient"
    logits, gradients = _gradients(network, images, mend)
    assert gradients.isfinite().flatten(1).all(1).any(), (
        f"the gradients of network {network.name!r} are not finite for any of {len(images)} images; look at its "
        "weights, its precision and `preprocess`"
    )
    varied = not _alike(network, logits, logits.flip(0))
    passed = gradients.any() or any(_gradients(network, images * share, mend)[1].any() for share in PALER)
    assert passed or not varied, f"the gradients of network {network.name!r} are all zero; {mend}"


def _gradients(network: Network, images: Tensor, mend: str) -> tuple[Tensor, Tensor]:
    """Logits, and gradients of the target's at the images. AssertionError where none reaches them."""
    try:
        with torch.enable_grad(), warnings.catch_warnings():
            # Of operations without a derivative, which is said below.
            warnings.filterwarnings("ignore", ".*an autograd kernel was not registered", UserWarning)
            watched = images.detach().requires_grad_()
            logits = network.logits(watched)
            target = logits.gather(1, logits.argmax(1)[:, None]).sum()
            given = torch.autograd.grad(target, watched, allow_unused=True)[0] if target.requires_grad else None
    except RuntimeError as error:
        why = why_no_gradient(error)
        raise AssertionError(f"no gradient of network {network.name!r} reaches its images: {why}") from error
    assert given is not None, f"no gradient of network {network.name!r} {where_it_ends(network.module)}; {mend}"
    return logits.detach(), given


NETWORK_CHECKS: tuple[Callable[[Network, Tensor], None], ...] = (
    has_weights_for_gradients,
    takes_the_images,
    is_finite,
    leaves_the_images_alone,
    neither_draws_nor_counts,
    answers_twice_the_same,
    answers_alone_as_in_company,
    answers_alike_in_full_passes,
    returns_what_is_declared,
    passes_a_gradient_to_the_image,
)


def checks_for(needs_gradient: bool) -> list[Callable[[Network, Tensor], None]]:
    """The checks of a network, without that of gradients where nobody takes any."""
    return [check for check in NETWORK_CHECKS if needs_gradient or check is not passes_a_gradient_to_the_image]


def look_at(network: Network, images: Tensor, *, needs_gradient: bool) -> list[str]:
    """The names of the promises that a network keeps on some images; HeatmarkError for the first that it breaks."""
    return _kept(checks_for(needs_gradient), network, images)


def look_at_full(network: Network, images: Tensor) -> list[str]:
    """The same for the promise that hangs on how many images go through at once."""
    return _kept([answers_alike_in_full_passes], network, images)


def _kept(checks: Sequence[Callable[[Network, Tensor], None]], network: Network, images: Tensor) -> list[str]:
    kept = []
    try:
        _check_values(network)  # images lie where the network does
        shown = sample(images)
        for check in checks:
            tried(check, network, shown)
            kept.append(check.__name__)
    except AssertionError as broken:
        raise HeatmarkError(str(broken)) from broken
    return kept


def look_before(
    network: Network, images: Tensor, methods: Sequence[Attribution], metrics: Sequence[ImageMetric] = ()
) -> list[str]:
    """Look at a network, as `look_at` does, before these methods and metrics use it on a batch."""
    most = inputs_at_once(network, images, methods, metrics)
    own = replace(network, chunk=max(1, most // PAIRS))
    return look_at(own, images, needs_gradient=any(method.needs_gradient for method in methods))


def tried(check: Callable[[Network, Tensor], None], network: Network, images: Tensor) -> None:
    """Carry out one check on the network in evaluation mode, its buffers put back.

    AssertionError also for a network whose weights have no values.
    """
    _check_values(network)
    with torch.inference_mode(False), torch.no_grad(), evaluating(network.module):
        before = {name: values.clone() for name, values in network.module.named_buffers()}
        try:
            check(network, images)
        finally:
            for name, values in network.module.named_buffers():
                if name in before and values.shape != before[name].shape:
                    values.data = before[name]
                elif name in before and not _equal(values, before[name]):
                    values.copy_(before[name])


def _check_values(network: Network) -> None:
    """AssertionError for lazy layers, which have no weights before they have seen an image, and for meta tensors."""
    for name, own in (*network.module.named_parameters(), *network.module.named_buffers()):
        where = f"network {network.name!r}: {name}"
        lazy = isinstance(own, UninitializedParameter)
        assert not lazy, f"{where} has no values yet; show the network an image, then train it"
        assert not own.is_meta, f"{where} is on the meta device, without values; load them"


def sample(images: Tensor) -> Tensor:
    """A few images to look at, and company: the first finite ones, or noise where there is none."""
    with torch.inference_mode(False):
        finite = images[images.flatten(1).isfinite().all(1)][:LOOKED_AT].clone()
        if not len(finite):
            noise = torch.randn(LOOKED_AT, *images.shape[1:], generator=torch.Generator().manual_seed(0))
            finite = noise.to(images)
        return torch.cat([finite, finite.flip(3) * 0.5])


def _raw(network: Network, images: Tensor) -> Tensor:
    return network.raw(images)


def _alike(network: Network, first: Tensor, second: Tensor) -> bool:
    """Whether outputs differ by rounding only."""
    if first.shape != second.shape:
        return False
    kept = first.isfinite().all(1) & second.isfinite().all(1)
    first, second = first[kept].double(), second[kept].double()
    if not len(first):
        return True
    span, size = first.max() - first.min(), first.abs().max()
    return bool((first - second).abs().max() <= (_HALF if _is_low(network) else _SURE) * span + 1e-5 * size)


def _is_low(network: Network) -> bool:
    return any(own.dtype in (torch.float16, torch.bfloat16) for own in network.module.parameters())


def _random_states(images: Tensor) -> Sequence[Any]:
    """Where torch's, numpy's and Python's own random numbers are."""
    numpy_state: Any = np.random.get_state()  # noqa: NPY002 - networks may draw from it
    own = [torch.get_rng_state(), numpy_state[1:3], random.getstate()]
    return [*own, torch.cuda.get_rng_state(images.device)] if images.is_cuda else own


def _same_state(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor):
        return torch.equal(before, after)
    return all(np.array_equal(own, other) for own, other in zip(before, after, strict=True))


def _equal(first: Tensor, second: Tensor) -> bool:
    return first.shape == second.shape and bool(((first == second) | (first.isnan() & second.isnan())).all())
