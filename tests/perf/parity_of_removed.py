"""Metrics that take pixels away, beside Quantus, pytorch-grad-cam and torch-cam.

The libraries remove single channels, so that images here are grey: a feature is then a pixel. What is drawn at random
is drawn once, by us, and handed to them.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from bench.api import Explained
from bench.api.registry import find
from bench.functional.heatmaps import min_max
from bench.scoring.measure import explained_by
from tests.perf.parity_material import HEIGHT, WIDTH, Comparison, Pair, called, ours

PIXELS = HEIGHT * WIDTH


def grey(explained: Explained, reduction: str = "sum") -> Explained:
    """The same of the images' first channel, its logits larger, explained by signed gradients times the input."""
    network, request = explained.network, explained.request
    module = nn.Sequential(Repeated(), network.module, Times(20.0)).eval()
    own = replace(network, module=module)
    one = replace(request, images=request.images[:, :1], references=None)
    clean = own.logits(one.images).detach()
    one = replace(one, targets=clean.argmax(1))
    return explained_by(find("attributions")["input_x_gradient"](reduction=reduction), own, one, clean)


class Repeated(nn.Module):
    """One channel three times."""

    def forward(self, images: Tensor) -> Tensor:
        return images.expand(-1, 3, -1, -1)


class Times(nn.Module):
    """Logits that many times as large."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, logits: Tensor) -> Tensor:
        return logits * self.factor


def in_rows(draws: Iterator[np.ndarray]) -> Callable[..., np.ndarray]:
    """A stand-in for a library's own draws: the next row of ours each time."""
    return lambda *_, **__: next(draws)


def filled(fills: Callable[[], np.ndarray]) -> Callable[..., np.ndarray]:
    """A perturbation of Quantus that puts the next of our `fills` (batch, features) where it is asked to."""

    def perturbed(arr: np.ndarray, indices: np.ndarray, **_: object) -> np.ndarray:
        rows, changed = np.arange(len(arr))[:, None], arr.copy()
        changed[rows, indices] = np.broadcast_to(fills(), arr.shape)[rows, indices]
        return changed

    return perturbed


def nothing() -> np.ndarray:
    return np.zeros((1, 1), np.float32)


def options(**own: object) -> dict[str, object]:
    return {"abs": False, "normalise": False, "disable_warnings": True, "return_aggregate": False, **own}


def faithfulness_correlation(explained: Explained) -> Pair:
    import quantus

    of, settings = grey(explained), {"size": 40, "samples": 30}
    metric = find("metrics")["faithfulness_correlation"](**settings)
    sets = list(metric._sets(replace(of, rng=of.rng.of(metric.label))))
    rows = (np.flatnonzero(own.numpy()) for chosen in sets for own in chosen)
    theirs = quantus.FaithfulnessCorrelation(
        **options(nr_runs=30, subset_size=40, perturb_func=filled(nothing), similarity_func=correlation("pearson"))
    )
    with patch("numpy.random.choice", in_rows(rows)):
        return ours(metric.name, of, **settings), called(theirs, of, of.attributions)


def correlation(name: str) -> Callable[..., np.ndarray]:
    from quantus.functions import similarity_func

    found: Callable[..., np.ndarray] = getattr(similarity_func, f"correlation_{name}")
    return found


def faithfulness_estimate(explained: Explained) -> Pair:
    import quantus

    of = grey(explained)
    theirs = quantus.FaithfulnessEstimate(**options(features_in_step=PIXELS // 12, perturb_func=filled(nothing)))
    return ours("faithfulness_estimate", of, groups=12), called(theirs, of, of.heatmaps[:, None])


def monotonicity_correlation(explained: Explained) -> Pair:
    """Of maps that are never negative: of others it adds up signed values, and ours their sizes."""
    import quantus

    of = grey(explained, "absolute_sum")
    low, high = (own.numpy() for own in (of.images.amin((1, 2, 3)), of.images.amax((1, 2, 3))))
    drawn = [of.rng.of("fill").uniform((PIXELS,), of.images, sample).numpy() for sample in range(3)]
    fills = [low[:, None] + (high - low)[:, None] * own for own in drawn]
    turns = iter(range(10**6))
    theirs = quantus.MonotonicityCorrelation(
        **options(nr_samples=3, features_in_step=PIXELS // 8, perturb_func=filled(lambda: fills[next(turns) % 3]))
    )
    return (
        ours("monotonicity_correlation", of, groups=8, samples=3),
        called(theirs, of, of.heatmaps[:, None], softmax=True),
    )


def selectivity(explained: Explained) -> Pair:
    import quantus

    of = grey(explained)
    theirs = quantus.Selectivity(**options(patch_size=4, perturb_func=filled(nothing)))
    gone = called(theirs, of, of.heatmaps[:, None], softmax=True)
    clean = of.network.probabilities_of(of.images, of.targets).detach().numpy()
    curve = np.concatenate([clean[:, None], gone], 1)
    return ours("selectivity", of, rows=4), np.trapezoid(curve, axis=1) / gone.shape[1]


def region_perturbation(explained: Explained) -> Pair:
    import quantus

    of = grey(explained)
    low, high = (own.numpy() for own in (of.images.amin((1, 2, 3)), of.images.amax((1, 2, 3))))
    fill = low[:, None] + (high - low)[:, None] * of.rng.of("fill").uniform((PIXELS,), of.images).numpy()
    theirs = quantus.RegionPerturbation(
        **options(patch_size=4, regions_evaluation=9, perturb_func=filled(lambda: fill), order="morf")
    )
    falls = called(theirs, of, of.heatmaps[:, None], softmax=True)
    return ours("region_perturbation", of, rows=4, steps=9), falls.sum(1) / 10


def squared(run: Callable[[Explained], Pair]) -> Callable[[Explained], Pair]:
    """A comparison on the upper 16 x 16 pixels, whose cells are squares as Quantus' patches are."""

    def on_squares(explained: Explained) -> Pair:
        request = explained.request
        square = replace(request, images=request.images[:, :, :WIDTH], truth=explained.truth[:, :WIDTH])
        with patch.multiple(f"{__name__}", PIXELS=WIDTH**2):
            return run(replace(explained, request=square))

    return on_squares


def grad_cam_confidence(name: str, metric: str) -> Callable[[Explained], Pair]:
    def run(explained: Explained) -> Pair:
        from pytorch_grad_cam.metrics import cam_mult_image

        of = grey(explained)
        theirs = getattr(cam_mult_image, metric)()(of.images, scaled(of), probabilities(of), of.network.module)
        own = ours(name, of)
        # Its drop is not divided by the probability of the image.
        share = of.network.probabilities_of(of.images, of.targets).detach() if name == "average_drop" else 1
        return own * share, theirs

    return run


def scaled(of: Explained) -> np.ndarray:
    maps: np.ndarray = min_max(of.heatmaps).numpy()
    return maps


def probabilities(of: Explained) -> list[Callable[[Tensor], Tensor]]:
    return [lambda outputs, target=target: outputs.softmax(-1)[target] for target in of.targets.tolist()]


def grad_cam_road(explained: Explained) -> Pair:
    """Its mean over percentiles of half the gap, without noise."""
    from pytorch_grad_cam.metrics import road

    of = grey(explained)
    with patch.object(road.NoisyLinearImputer.__init__, "__defaults__", (0.0, road.neighbors_weights)):
        theirs = road.ROADCombined(percentiles=[20, 40, 60, 80])(
            of.images, scaled(of), probabilities(of), of.network.module
        )
    return ours("road", of, shares=(0.2, 0.4, 0.6, 0.8), noise=0.0), 2 * theirs


def grad_cam_arcc(explained: Explained) -> Pair:
    from pytorch_grad_cam.metrics import arcc, road

    of = grey(explained)

    def again(input_tensor: Tensor, targets: object) -> np.ndarray:
        maps: np.ndarray = min_max(of.explain_again(input_tensor)).numpy()
        return maps

    with patch.object(road.NoisyLinearImputer.__init__, "__defaults__", (0.0, road.neighbors_weights)):
        theirs = arcc.ARCC(again)(of.images, scaled(of), probabilities(of), of.network.module)
    return ours("arcc", of, noise=0.0), theirs


def torchcam_classification(explained: Explained) -> Pair:
    """Average drop and increase over all images, of torch-cam's own Grad-CAM maps of a layer as large as the images.

    Others it scales to [0, 1] before it enlarges them.
    """
    from torchcam.methods import GradCAM
    from torchcam.metrics import ClassificationMetric, _resize_cam

    maps = []
    with GradCAM(explained.network.module, "2") as extractor:
        metric = ClassificationMetric(extractor, lambda logits: logits.softmax(1))
        for image, target in zip(explained.images, explained.targets.tolist(), strict=True):
            metric.update(image[None].clone().requires_grad_(), target)
    for image, target in zip(explained.images, explained.targets.tolist(), strict=True):
        with GradCAM(explained.network.module, "2") as extractor:
            scores = explained.network.module(image[None].clone().requires_grad_()).softmax(1)
            maps.append(_resize_cam(extractor(target, scores)[0], (HEIGHT, WIDTH)).detach())
    of = replace(explained, heatmaps=torch.cat(maps))
    found = metric.summary()
    own = torch.stack([ours(name, of).mean() for name in ("average_drop", "average_increase")])
    return own, np.array([found["avg_drop"], found["conf_increase"]])


COMPARISONS = (
    Comparison("faithfulness correlation", "quantus", faithfulness_correlation, 1e-5),
    Comparison("faithfulness estimate", "quantus", faithfulness_estimate, 1e-5),
    Comparison("monotonicity correlation", "quantus", monotonicity_correlation, 1e-5),
    Comparison("area of selectivity", "quantus", squared(selectivity), 1e-5),
    Comparison("region perturbation", "quantus", squared(region_perturbation), 1e-5),
    Comparison("average drop", "grad-cam", grad_cam_confidence("average_drop", "DropInConfidence")),
    Comparison("average increase", "grad-cam", grad_cam_confidence("average_increase", "IncreaseInConfidence")),
    Comparison("ROAD, combined", "grad-cam", grad_cam_road, 1e-5),
    Comparison("ARCC", "grad-cam", grad_cam_arcc, 1e-5),
    Comparison("average drop and increase (it adds 1e-7)", "torchcam", torchcam_classification, 1e-5),
)
