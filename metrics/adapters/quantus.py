"""Metrics of Quantus by the names of its classes: `quantus:Sparseness`."""

import inspect
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from bench.api import OK, Explained, HeatmarkError, Metric, OutputKind, Scored, UnsupportedError
from bench.api.adapter import FAILURES, adapted_class, answers_of, refuse, seeded, settings_of, silenced, unsupported

try:
    import quantus as library
    from quantus.helpers.constants import AVAILABLE_METRICS
except ImportError:
    library = None  # type: ignore[assignment]

TRUTH = (
    *("AUC", "AttributionLocalisation", "PointingGame", "RelevanceMassAccuracy", "RelevanceRankAccuracy"),
    "TopKIntersection",
)
EXPLAINING = (
    *("AvgSensitivity", "Continuity", "EfficientMPRT", "InputInvariance", "LocalLipschitzEstimate", "MPRT"),
    *("MaxSensitivity", "RandomLogit", "RelativeInputStability", "RelativeOutputStability"),
    "RelativeRepresentationStability",
)
PROPERTIES = ("Complexity", "EffectiveComplexity", "Sparseness")
# These want an attribution of every value: each channel gets the heatmap.
EVERY_VALUE = ("IROF", "NonSensitivity", "ROAD", "SensitivityN")
WORKING = (
    *TRUTH,
    *EXPLAINING,
    *("Complexity", "Completeness", "EffectiveComplexity", "FaithfulnessCorrelation", "FaithfulnessEstimate", "IROF"),
    *("Infidelity", "Monotonicity", "MonotonicityCorrelation", "NonSensitivity", "PixelFlipping", "ROAD"),
    *("RegionPerturbation", "Selectivity", "SensitivityN", "Sparseness"),
)
_NEIGHBOURS = "its score of an image depends on the other images of the batch"
REFUSED = {
    "Consistency": _NEIGHBOURS,
    "Focus": "it needs mosaics of several images, which no data set here has",
    "SmoothMPRT": "it averages explanations itself; use quantus:MPRT of the method smooth_grad",
    "Sufficiency": _NEIGHBOURS,
}
_INSIDE = 0.5  # from here on a truth map counts as segmentation
# What this project gives or fixes itself.
_GIVEN = ("return_aggregate", "disable_warnings", "display_progressbar", "seed", "return_auc_per_sample")
_FIXED = {"return_aggregate": False, "disable_warnings": True, "display_progressbar": False}


@dataclass(frozen=True)
class QuantusMetric(Metric):
    """A metric of Quantus as its class has it, one image at a time, with the settings of its constructor.

    The heatmap is given as the attribution (1, height, width), the truth map, cut at one half, as the segmentation.
    """

    output_kinds: ClassVar[tuple[OutputKind, ...]] = ("logits",)
    question: ClassVar[str] = "What Quantus reports under this name."
    blind_spot: ClassVar[str] = "Whatever its own documentation says."
    range: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))
    target: ClassVar[Any]

    @property
    def protocol(self) -> str:
        """The library's own."""
        return "quantus"

    def score(self, explained: Explained) -> Scored:
        """Scores (batch,), where a score is a list or a dictionary the mean of its numbers.

        Quantus fails on some maps, such as constant ones: these images have a status. UnsupportedError where it fails
        on all.
        """
        scores, status = [], []
        for row, seed in enumerate(explained.rng.seeds()):
            score, text = self._score_or_status(explained.select([row]), seed)
            scores.append(score)
            status.append(text)
        failed = f"unsupported: {self.name}"
        if all(text.startswith(failed) for text in status):
            raise UnsupportedError(status[0].removeprefix("unsupported: "))
        return Scored(torch.tensor(scores, dtype=torch.float64), status=tuple(status))

    def _score_or_status(self, one: Explained, seed: int) -> tuple[float, str]:
        """The score of one image, NaN where the network has no answer to something that it is shown."""
        if self.target.__name__ in TRUTH and not (one.truth >= _INSIDE).any():
            return math.nan, "empty truth map"
        with seeded(seed), silenced(), answers_of(one.network.module) as answers:
            try:
                score = self._scored(one)
            except FAILURES as error:
                if not all(answers):
                    return math.nan, OK
                return math.nan, f"unsupported: {unsupported(f'{self.name}: {type(error).__name__}', error)}"
        return (score if all(answers) else math.nan), OK

    def _scored(self, explained: Explained) -> float:
        maps = explained.heatmaps[:, None]
        maps = maps.expand_as(explained.images) if self.target.__name__ in EVERY_VALUE else maps
        asked: dict[str, Any] = {"a_batch": maps.float().cpu().numpy().copy()}
        if self.target.__name__ in TRUTH:
            asked["s_batch"] = (explained.truth[:, None] >= _INSIDE).cpu().numpy()
        if self.target.__name__ in EXPLAINING:
            asked["explain_func"] = _explainer(explained)
        found = self._made()(
            model=explained.network.module,
            x_batch=explained.images.float().cpu().numpy(),
            y_batch=explained.targets.cpu().numpy(),
            device=str(explained.images.device),
            channel_first=True,
            batch_size=1,
            **asked,
        )
        return float(np.mean(_numbers(found)))

    def _made(self) -> Any:
        names = inspect.signature(self.target.__init__).parameters
        given = {name: value for name, value in (self.settings | _FIXED).items() if name in names}
        return self.target(**given)


def _explainer(explained: Explained) -> Any:
    """The method as Quantus calls it: for other images, other targets, and networks with other weights."""

    def explain(model: nn.Module, inputs: Any, targets: Any, **_: Any) -> Any:
        images = torch.as_tensor(np.asarray(inputs)).to(explained.images)
        wanted = torch.as_tensor(np.asarray(targets)).to(explained.targets).reshape(-1).expand(len(images))
        rows = [0] * len(images)
        request = replace(explained.request.select(rows), images=images, targets=wanted)
        network = replace(explained.network, module=model)
        return explained.method.heatmaps(explained.method.explain(network, request))[:, None].float().cpu().numpy()

    return explain


def _numbers(found: Any) -> list[float]:
    """All numbers in what a metric returns."""
    if isinstance(found, dict):
        return [number for value in found.values() for number in _numbers(value)]
    if isinstance(found, list | tuple | np.ndarray):
        return [number for value in found for number in _numbers(value)]
    return [float(found)]


def names() -> tuple[str, ...]:
    """The metrics that work."""
    return tuple(sorted(WORKING))


def plugin(name: str) -> type[Metric]:
    """The plug-in class of one of Quantus' metrics; HeatmarkError where there is none."""
    if library is None:
        raise HeatmarkError(f'quantus:{name} needs Quantus: pip install "heatmark[quantus]"')
    if name not in WORKING:
        raise refuse("quantus", name, REFUSED, WORKING)
    target = next(
        metric for group in AVAILABLE_METRICS.values() for metric in group.values() if metric.__name__ == name
    )
    made = adapted_class(QuantusMetric, "quantus", target, settings_of(target.__init__, leaving=_GIVEN))
    made.direction = "lower" if target.score_direction.name == "LOWER" else "higher"
    made.needs_truth = name in TRUTH
    made.is_property = name in PROPERTIES
    return made
