"""Metrics that explain again, beside Quantus: the same steps around the images, the same randomised networks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from bench.api import Explained, ImageRandom
from bench.api.registry import find
from bench.attribution.randomised_weights import layers_of, randomised
from bench.scoring.measure import explained_by
from bench.scoring.neighbourhood import steps_around
from tests.perf.parity_material import Comparison, Pair, called, ours
from tests.perf.parity_of_removed import correlation, grey, options


def stepping(explained: Explained, radius: float, samples: int) -> Callable[..., np.ndarray]:
    """A perturbation of Quantus: our next step from the images."""
    steps = steps_around(explained, radius, samples)

    def perturbed(arr: np.ndarray, indices: np.ndarray, **_: object) -> np.ndarray:
        return arr + next(steps).flatten(1).numpy()

    return perturbed


def explaining(explained: Explained, heatmaps: bool = False) -> Callable[..., np.ndarray]:
    """How Quantus is to explain: by our method, with the network, the images and the targets that it names."""

    def run(model: nn.Module, inputs: np.ndarray, targets: np.ndarray, **_: object) -> np.ndarray:
        request = replace(explained.request, images=torch.as_tensor(inputs), targets=torch.as_tensor(targets))
        found = explained.method.explain(replace(explained.network, module=model), request)
        return (explained.method.heatmaps(found)[:, None] if heatmaps else found).numpy()

    return run


def stability(of: str, metric: str, **layers: object) -> Callable[[Explained], Pair]:
    """Relative stability of the input, the output or a representation."""

    def run(explained: Explained) -> Pair:
        import quantus

        method = find("attributions")["input_x_gradient"]()
        own = explained_by(method, explained.network, explained.request, explained.clean)
        steps = stepping(own, 0.01, 5)
        theirs = getattr(quantus, metric)(**options(nr_samples=5, perturb_func=steps), **layers)
        found = called(theirs, own, own.attributions, explain_func=explaining(own))
        # From 1 to some millions, decided by values near zero: their logarithms, where no step changes the prediction.
        both = ours("relative_stability", own, of=of, radius=0.01, samples=5).log10(), np.log10(found)
        whole = np.isfinite(found)
        return both[0][whole], both[1][whole]

    return run


def sensitivity(name: str, metric: str) -> Callable[[Explained], Pair]:
    """The mean or the largest change of the attributions."""

    def run(explained: Explained) -> Pair:
        import quantus

        steps = options(nr_samples=10, perturb_func=stepping(explained, 0.02, 10))
        theirs = getattr(quantus, metric)(**steps, return_nan_when_prediction_changes=False)
        found = called(theirs, explained, explained.attributions, explain_func=explaining(explained))
        return ours(name, explained), found

    return run


def local_lipschitz(explained: Explained) -> Pair:
    """Ours times the length of the attributions, which the library does not divide by."""
    import quantus

    steps = stepping(explained, 0.1, 10)
    theirs = quantus.LocalLipschitzEstimate(
        **options(nr_samples=10, perturb_func=steps), return_nan_when_prediction_changes=False
    )
    lengths = explained.attributions.double().flatten(1).norm(dim=1)
    return ours("local_lipschitz", explained) * lengths, called(
        theirs, explained, explained.attributions, explain_func=explaining(explained)
    )


def random_logit(explained: Explained) -> Pair:
    """The library's draw of the other class handed to it from ours."""
    import quantus

    outputs = explained.clean.shape[1]
    metric = find("metrics")["random_logit"]()
    drawn = explained.rng.of("other class").uniform((), explained.clean.double()) * (outputs - 1)
    others = (explained.targets + 1 + drawn.long()) % outputs
    places = (others - (others > explained.targets).long()).numpy()
    theirs = quantus.RandomLogit(**options(num_classes=outputs, similarity_func=correlation("spearman")))
    with patch("numpy.random.randint", lambda *_, **__: places):
        found = called(
            theirs, explained, explained.heatmaps[:, None], explain_func=explaining(explained, heatmaps=True)
        )
    return ours(metric.name, explained), found


def strangers(explained: Explained, label: str) -> list[tuple[str, nn.Module]]:
    """Our networks with drawn weights, from the last layer down to all."""
    layers = layers_of(explained.network.module)[::-1]
    rng = explained.rng.of(label)
    return [(name, randomised(explained.network, layers[: at + 1], rng).module) for at, name in enumerate(layers)]


def weights_drawn(explained: Explained, label: str) -> AbstractContextManager[object]:
    """Quantus with our networks in the place of its own, layer by layer."""
    from quantus.helpers.model.pytorch_model import PyTorchModel

    made = strangers(explained, label)

    def yielded(*_: object, **__: object) -> Iterator[tuple[str, nn.Module]]:
        yield from made

    return patch.multiple(PyTorchModel, get_random_layer_generator=yielded, random_layer_generator_length=len(made))


def mprt(explained: Explained) -> Pair:
    """Its mean counts the network itself as a layer, which is as similar as can be."""
    import quantus

    own = find("metrics")["weight_randomisation"](points=4)
    theirs = quantus.MPRT(**options(similarity_func=correlation("spearman"), return_average_correlation=True))
    with weights_drawn(explained, own.label):
        found = called(
            theirs, explained, explained.heatmaps[:, None], explain_func=explaining(explained, heatmaps=True)
        )
    return ours(own.name, explained, points=4), (5 * found - 1) / 4


def efficient_mprt(explained: Explained) -> Pair:
    import quantus

    own = find("metrics")["efficient_mprt"]()
    theirs = quantus.EfficientMPRT(**options(skip_layers=True, complexity_func_kwargs={"n_bins": own.bins}))
    with weights_drawn(explained, own.label):
        found = called(
            theirs, explained, explained.heatmaps[:, None], explain_func=explaining(explained, heatmaps=True)
        )
    return ours(own.name, explained), found


def smooth_mprt(explained: Explained) -> Pair:
    """Its last copy is the image itself, and so is ours here; its mean counts the network as MPRT does.

    It takes the map that it is given for the smooth one of the network, and explains by Captum whatever it is told.
    """
    import quantus

    of, samples = grey(explained), 4
    own = find("metrics")["smooth_mprt"](points=4, samples=samples)
    theirs = quantus.SmoothMPRT(
        **options(similarity_func=correlation("spearman"), return_average_correlation=True, nr_samples=samples)
    )
    normal = ImageRandom.normal
    copies = of.rng.of("copies")
    noise = (normal(copies, tuple(of.images.shape[1:]), of.images, draw % 3).numpy() for draw in count())

    def last_is_none(self: ImageRandom, shape: tuple[int, ...], like: Tensor, draw: object = 0) -> Tensor:
        return normal(self, shape, like, draw) * (draw != samples - 1)

    with patch.object(ImageRandom, "normal", last_is_none):
        smooth, scores = own._smooth(of, of.network), ours(own.name, of, points=4, samples=samples)
    with weights_drawn(of, own.label), patch("numpy.random.randn", lambda *_: next(noise)):
        found = called(
            theirs, of, smooth[:, None], explain_func=quantus.explain, explain_func_kwargs={"method": "InputXGradient"}
        )
    return scores, (5 * found - 1) / 4


def top_k(explained: Explained) -> Pair:
    import quantus

    theirs = quantus.TopKIntersection(**options(k=30))
    return ours("top_k_intersection", explained, k=30), called(theirs, explained, explained.heatmaps[:, None])


COMPARISONS = (
    Comparison("relative stability, input", "quantus", stability("input", "RelativeInputStability"), 1e-5),
    Comparison("relative stability, output", "quantus", stability("output", "RelativeOutputStability"), 1e-3),
    Comparison(
        "relative stability, representation",
        "quantus",
        stability("representation", "RelativeRepresentationStability", layer_names=["5"]),
        1e-5,
    ),
    Comparison("avg-sensitivity", "quantus", sensitivity("avg_sensitivity", "AvgSensitivity"), 1e-5),
    Comparison("max-sensitivity", "quantus", sensitivity("max_sensitivity", "MaxSensitivity"), 1e-5),
    Comparison("local Lipschitz, not divided", "quantus", local_lipschitz, 1e-5),
    Comparison("random logit", "quantus", random_logit, 1e-5),
    Comparison("MPRT, every layer", "quantus", mprt, 1e-5),
    Comparison("Efficient MPRT", "quantus", efficient_mprt, 1e-5),
    Comparison("Smooth MPRT, every layer", "quantus", smooth_mprt, 1e-5),
    Comparison("top-k intersection", "quantus", top_k),
)
