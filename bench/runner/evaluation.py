"""The arguments of `evaluate` and `explain`, carried out batch by batch."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from bench.api import (
    Attribution,
    Explained,
    ImageMetric,
    ImageRandom,
    Network,
    OutputKind,
    Preprocess,
    Request,
    Scored,
)
from bench.api.module_state import forget_networks
from bench.checks.network_promises import look_before
from bench.data.batches import Batch
from bench.data.given_images import GivenImages, check_references
from bench.engine import clean_logits
from bench.engine.allocator import keep_large_blocks
from bench.engine.devices import device_of_network
from bench.engine.memory_limit import MemoryLimit
from bench.engine.predict import usual_chunk
from bench.errors import HeatmarkError, nearest
from bench.pretrained.record import unsaid_preprocess
from bench.progress import progress as progress_bars
from bench.runner.accuracy import right_among_classes, warn_of_guessing
from bench.runner.explain import attempt, measure_each
from bench.scoring.measure import explained_by, measure
from bench.settings import KINDS, LARGEST
from bench.suites.make import make_plugin, several
from bench.suites.read import preprocess_settings

# So many times as much as the brightest pixel of a picture, as the network takes it, was not made from one.
_FAR_BEYOND = 10.0
_log = logging.getLogger("heatmark")

OnError = Literal["raise", "status"]
Targets = Tensor | Sequence[int] | Sequence[str] | str | None
Model = nn.Module | Network | str | Mapping[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """The arguments of `evaluate` and `explain`, as they were given."""

    model: nn.Module | Network
    images: GivenImages
    targets: Targets
    attributions: Sequence[str | Attribution]
    references: Tensor | None
    preprocess: Preprocess | Mapping[str, Any] | None
    output: OutputKind | None
    classes: Sequence[str] | None
    batch: int
    on_error: OnError
    seed: int
    memory: int | None = None
    metrics: Sequence[ImageMetric] = ()

    def __post_init__(self) -> None:
        if type(self.batch) is not int or not 1 <= self.batch <= LARGEST:
            raise HeatmarkError(f"batch: expected a whole number from 1, got {self.batch!r:.40}")
        if type(self.seed) is not int or abs(self.seed) > LARGEST:
            raise HeatmarkError(f"seed: expected a whole number of 64 bits, got {self.seed!r:.40}")
        names = self.classes
        several_names = isinstance(names, Sequence) and not isinstance(names, str)
        if names is not None and not (several_names and all(isinstance(name, str) for name in names)):
            raise HeatmarkError(f"classes: expected a name for each output, got {names!r:.80}")
        if self.on_error not in get_args(OnError):
            raise HeatmarkError(f"on_error: expected 'raise' or 'status', got {self.on_error!r}")
        own = self.preprocess
        if not (isinstance(own, Preprocess | None) or (isinstance(own, Mapping) and own)):
            raise HeatmarkError(f"preprocess: expected a Preprocess or a table with settings, got {own!r:.80}")

    @property
    def methods(self) -> list[Attribution]:
        """The methods as instances."""
        return several(self.attributions, "attributions", _attribution)

    def explained(self, progress: bool) -> Iterator[tuple[Request, dict[Attribution, Explained | str]]]:
        """Each batch's request, and its explanation by every method or why there is none."""
        methods, network = self.methods, self.network
        forget_networks()
        device = device_of_network(network.module)
        seen: Counter[str] = Counter()
        right: list[bool] = []
        by_label = isinstance(self.targets, str) and network.output != "number"
        keep_large_blocks()
        with progress_bars() if progress else nullcontext() as bars:
            self._check_targets()
            for batch in self.images.batches(network, self.batch, device):
                if not seen:
                    _warn_of_levels(batch.images, network.preprocess)
                    network = self._within_memory(network, batch.images[:1])
                    look_before(network, batch.images, methods, self.metrics)
                seen.update(batch.ids)
                _check_ids(seen)
                request, clean = self._request(network, batch, sum(seen.values()) - len(batch.ids))
                if by_label:
                    right += right_among_classes(network, clean, batch.outputs).tolist()
                yield request, {method: self._explained(method, network, batch, request, clean) for method in methods}
                if bars is not None:
                    total = (self.images.count or 0) if sum(seen.values()) == len(batch.ids) else 0
                    bars.advance("images", len(batch.ids), total)
        if by_label:
            warn_of_guessing(network.name, right, len(network.known_outputs(clean.shape[1])))

    def scored(
        self, explanations: dict[Attribution, Explained | str]
    ) -> Iterator[tuple[Attribution, ImageMetric, Scored | str]]:
        """The score of every method by every metric, or why there is none."""
        scorers = self.metrics
        pairs = [(m, s, own) for m, own in explanations.items() for s in scorers if isinstance(own, Explained)]
        together = [(scorer, own) for _, scorer, own in pairs]
        raises = self.on_error == "raise"
        results: Sequence[Scored | str] = measure(together) if raises else measure_each(together, lambda _: None)
        for (method, scorer, _), scored in zip(pairs, results, strict=True):
            yield method, scorer, scored
        for method, own in explanations.items():
            if isinstance(own, str):
                yield from ((method, scorer, own) for scorer in scorers)

    @property
    def network(self) -> Network:
        """The network with the preprocessing and the kind of output that were asked for."""
        if self.output is not None and self.output not in KINDS:
            raise HeatmarkError(f"output: {self.output!r} is no kind of output; {nearest(str(self.output), KINDS)}")
        if isinstance(self.model, Network):
            preprocess = self._preprocess(self.model.preprocess)
            return replace(self.model, preprocess=preprocess, output=self.output or self.model.output)
        if not isinstance(self.model, nn.Module):
            raise HeatmarkError(
                f"model: expected a name, a torch.nn.Module or a Network, got {type(self.model).__name__}"
            )
        preprocess = self._preprocess(self._own_size())
        return in_usual_chunks(Network(self.model, preprocess=preprocess, output=self.output or "logits"))

    def _within_memory(self, network: Network, image: Tensor) -> Network:
        """The network with no more inputs at once than the memory has room for, of images like this one."""
        if self.memory is None:
            return network
        limit = MemoryLimit(self.memory, self.batch, len(self.methods))
        return replace(network, chunk=min(network.chunk, limit.most_at_once(network, image)))

    def _own_size(self) -> Preprocess:
        """Images in [0, 1] of the size that they have; said in the log where they are pictures and nothing is known."""
        if isinstance(self.preprocess, Preprocess) or "size" in (self.preprocess or {}):
            return Preprocess()
        ready, first = self.images.first
        own = Preprocess(size=(int(first.shape[1]), int(first.shape[2])))
        if not ready and self.preprocess is None:
            unsaid_preprocess(own, "network")
        return own

    def _preprocess(self, known: Preprocess) -> Preprocess:
        """What was given, or what is known without it; a table says some of it otherwise, key by key."""
        if self.preprocess is None or isinstance(self.preprocess, Preprocess):
            return self.preprocess or known
        return replace(known, **settings_of(self.preprocess))

    def _request(self, network: Network, batch: Batch, first: int) -> tuple[Request, Tensor]:
        clean = clean_logits(network, batch.images)
        check_references(self.references, batch.images)
        self._check_classes(clean.shape[1])
        targets = self._targets(batch, clean, first)
        return Request(
            batch.images, targets, ImageRandom(self.seed, "run", batch.ids), batch.truth, self.references, batch.without
        ), clean

    def _targets(self, batch: Batch, clean: Tensor, first: int) -> Tensor:
        """The outputs to explain of a batch that begins at position `first`."""
        if self.targets is None:
            return clean.argmax(1)
        if isinstance(self.targets, str):
            return _outputs(batch.outputs, clean.shape[1])
        own = self.targets[first : first + len(batch.ids)]
        numbers = [self._number(name) if isinstance(name, str) else name for name in own]
        if any(isinstance(number, bool) for number in numbers):
            raise HeatmarkError(f"targets: expected whole numbers, got {numbers!r:.80}")
        try:
            tensor = own if isinstance(own, Tensor) else torch.as_tensor(np.asarray(numbers))
        except (TypeError, ValueError, OverflowError) as error:
            raise HeatmarkError(f"targets: expected outputs or class names, got {numbers!r}") from error
        return _outputs(tensor.to(clean.device), clean.shape[1])

    def _check_targets(self) -> None:
        """One target for each image, where it is known how many there are."""
        if isinstance(self.targets, str) and self.targets != "labels":
            raise HeatmarkError(f"targets: expected outputs, class names or 'labels', got {self.targets!r}")
        count = self.images.count
        if self.targets is None or isinstance(self.targets, str) or count is None:
            return
        if not hasattr(self.targets, "__len__") or not getattr(self.targets, "ndim", 1):
            raise HeatmarkError(f"targets: expected one for each image, got {type(self.targets).__name__}")
        shape = tuple(self.targets.shape) if isinstance(self.targets, Tensor) else (len(self.targets),)
        if shape != (count,):
            raise HeatmarkError(f"targets: expected {count}, one for each image, got the shape {shape}")

    def _check_classes(self, outputs: int) -> None:
        names = self.classes
        if names is not None and len(names) != outputs:
            raise HeatmarkError(f"classes: expected {outputs} names, one for each output, got {len(names)}")

    def _number(self, name: str) -> int:
        if self.classes is None or name not in self.classes:
            hint = "give `classes`, the names of the outputs" if self.classes is None else nearest(name, self.classes)
            raise HeatmarkError(f"targets: no class is named {name!r}; {hint}")
        if list(self.classes).count(name) > 1:
            raise HeatmarkError(f"targets: several outputs are named {name!r}; give their numbers")
        return list(self.classes).index(name)

    def _explained(
        self, method: Attribution, network: Network, batch: Batch, request: Request, clean: Tensor
    ) -> Explained | str:
        explain_it = partial(explained_by, method, network, request, clean)
        own = explain_it() if self.on_error == "raise" else attempt(explain_it)
        return own if isinstance(own, str) else replace(own, fixations=batch.fixations)


def in_usual_chunks(network: Network) -> Network:
    """The network with as many inputs at once as are fast on most devices."""
    return replace(network, chunk=usual_chunk(network, device_of_network(network.module)))


def settings_of(preprocess: Preprocess | Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings of a preprocessing that was given as a record or a table."""
    if isinstance(preprocess, Preprocess):
        return asdict(preprocess)
    return preprocess_settings(preprocess, "preprocess") if preprocess else {}


def _attribution(plugin: str | Attribution) -> Attribution:
    made = make_plugin("attributions", {"name": plugin}, "attributions") if isinstance(plugin, str) else plugin
    if not isinstance(made, Attribution):
        raise HeatmarkError(f"attributions: {plugin!r} is not one; expected a name or an instance")
    return made


def _warn_of_levels(images: Tensor, preprocess: Preprocess) -> None:
    """One line of the log where images are as if the levels of pictures, 0 to 255, had been given as numbers."""
    channels = [*zip(preprocess.mean, preprocess.std, strict=True)]
    usual = [(level - mean) / std for level in (0, 1) for mean, std in channels]
    if not images.numel():
        return
    for reached, bound in zip(torch.aminmax(images), (min(usual), max(usual)), strict=True):
        if reached.abs() > _FAR_BEYOND * max(abs(own) for own in (*usual, 1.0)):
            _log.warning(
                "images: floating point is taken as the network takes it, and reaches %g, where pictures in [0, 1] "
                "reach %.3g; 8-bit arrays (batch, height, width, 3) are brought to the network",
                *(reached, bound),
            )
            return


def _check_ids(seen: Counter[str]) -> None:
    twice, times = seen.most_common(1)[0]
    if times > 1:
        raise HeatmarkError(f"image_ids: {twice!r} is there {times} times; expected another id for each image")


def _outputs(targets: Tensor, count: int) -> Tensor:
    """The targets as outputs to explain; HeatmarkError where the network has no such output."""
    if targets.ndim != 1:
        raise HeatmarkError(f"targets: expected one for each image, got the shape {tuple(targets.shape)}")
    whole = not (targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool)
    if not whole or targets.amin() < 0 or targets.amax() >= count:
        raise HeatmarkError(f"targets: expected whole numbers from 0 to {count - 1}, got {targets.tolist()}")
    return targets.long()
