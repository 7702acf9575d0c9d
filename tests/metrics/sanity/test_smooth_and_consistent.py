"""Smooth MPRT and consistency against slow versions of their definitions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from bench.api import Explained, UnsupportedError
from bench.attribution.randomised_weights import layers_of, randomised
from bench.checks import small_network, small_request
from bench.methods.attributions.edges import Edges
from bench.methods.attributions.input_x_gradient import InputXGradient
from bench.metrics.sanity.consistency import Consistency
from bench.metrics.sanity.smooth_mprt import SmoothMprt
from bench.metrics.sanity.weight_randomisation import WeightRandomisation
from bench.scoring.measure import explained_by

DOUBLES = torch.empty(0, dtype=torch.float64)


@pytest.fixture
def explained() -> Explained:
    network, request = small_network(), small_request()
    clean = network.logits(request.images).detach()
    return explained_by(
        InputXGradient(reduction="sum_absolute"), network, replace(request, targets=clean.argmax(1)), clean
    )


def test_smooth_mprt_equals_the_definition(explained: Explained) -> None:
    metric = SmoothMprt(points=3, samples=4, noise=0.2)
    got = metric.measure(explained)
    layers = layers_of(explained.network.module)[::-1]
    networks = [explained.network] + [
        randomised(explained.network, layers[: depth + 1], explained.rng) for depth in (0, 2, 3)
    ]
    for row in range(3):
        alone = explained.select([row])
        image, maps = alone.images.numpy(), []
        for network in networks:
            made = []
            for sample in range(4):
                noise = alone.rng.of("copies").normal((3, 16, 16), DOUBLES, sample).numpy()
                copy = torch.from_numpy(image + 0.2 * (image.max() - image.min()) * noise)
                made.append(alone.method.explain(network, alone.request.with_images(copy)).numpy())
            maps.append(np.abs(np.mean(made, 0)[0].sum(0)))
        expected = [spearmanr(maps[0].ravel(), own.ravel()).statistic for own in maps[1:]]
        np.testing.assert_allclose(got.curve[row].numpy(), expected, atol=1e-6)
        assert got.score[row].item() == pytest.approx(np.mean(expected), abs=1e-6)


def test_without_noise_it_is_the_randomisation_of_weights(explained: Explained) -> None:
    plain = WeightRandomisation(points=3).measure(explained)
    smooth = SmoothMprt(points=3, samples=2, noise=0.0).measure(explained)
    torch.testing.assert_close(smooth.score, plain.score, rtol=0, atol=1e-9)


def highest_cell(of: Explained, image: np.ndarray, target: int) -> int:
    request = replace(of.request.with_images(torch.from_numpy(image)[None]), targets=torch.tensor([target]))
    heat = of.method.heatmaps(of.method.explain(of.network, request))[0].numpy()
    return int(heat.reshape(2, 8, 2, 8).sum((1, 3)).argmax())


def test_consistency_equals_the_definition(explained: Explained) -> None:
    # A head that changes its mind between the images.
    explained.network.module[-1].bias.data -= explained.clean.mean(0)
    clean = explained.network.logits(explained.images).detach()
    explained = replace(explained, clean=clean)
    got = Consistency(rows=2, samples=8).measure(explained)
    for row in range(3):
        alone = explained.select([row])
        image, pool = alone.images[0].numpy(), alone.request.references.numpy()
        before = int(alone.clean.argmax())
        same = []
        for sample, draw in enumerate(alone.rng.of("references").uniform((8,), DOUBLES)[0].tolist()):
            share = (sample + 0.5) / 8
            blend = (1 - share) * image + share * pool[int(draw * len(pool))]
            predicted = int(alone.network.logits(torch.from_numpy(blend)[None]).argmax())
            if highest_cell(alone, blend, predicted) == highest_cell(alone, image, before):
                same.append(predicted == before)
        if same:
            assert got.score[row].item() == pytest.approx(np.mean(same), abs=1e-9)
        else:
            assert got.status[row] == "no other image is explained alike"
    assert got.score.isfinite().any()


def test_a_map_of_the_image_alone_is_inconsistent_where_predictions_differ(explained: Explained) -> None:
    """Edges of the same picture, twice as dark: the same cell is highest, and the prediction another."""
    network, request = explained.network, explained.request
    dark = replace(request, references=request.images[:1] * 1e-6)

    class Contrast(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            size = images.flatten(1).std(1)
            return torch.stack([size - size.new_tensor(0.3), 0 * size], 1)

    own = replace(network, module=Contrast())
    clean = own.logits(dark.images)
    of = explained_by(Edges(), own, dark, clean).select([0])
    score = Consistency(samples=20).measure(of).score.item()
    assert 0 < score < 1


def test_without_other_images_nothing_is_blended(explained: Explained) -> None:
    alone = replace(explained, request=replace(explained.request, references=None))
    with pytest.raises(UnsupportedError, match="needs reference images"):
        Consistency().measure(alone)
