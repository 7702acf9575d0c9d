"""LIME, Sobol indices, HSIC and extremal perturbations beside slow readings of their papers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats.qmc import Sobol as SobolSequence
from torch import nn

from bench.api import HeatmarkError, Network
from bench.attribution.superpixels import superpixels
from bench.checks.fixtures import small_network, small_request
from bench.methods.attributions import extremal_perturbation
from bench.methods.attributions.extremal_perturbation import ExtremalPerturbation
from bench.methods.attributions.hsic import Hsic
from bench.methods.attributions.lime import Lime
from bench.methods.attributions.sobol import Sobol

REQUEST = small_request(2)
CLOSE = {"rtol": 0, "atol": 1e-6}


def said(network: Network, picture: np.ndarray, target: int, output: str = "logit") -> float:
    with torch.no_grad():
        logits = network.logits(torch.from_numpy(picture)[None])[0]
    return float((logits.softmax(0) if output == "probability" else logits)[target])


def enlarged(grid: np.ndarray) -> np.ndarray:
    return F.interpolate(torch.from_numpy(grid)[None, None], (16, 16), mode="bicubic")[0, 0].numpy()


def cell_of(pixel: int, cells: int) -> int:
    return pixel * cells // 16


def masked(picture: np.ndarray, grid: np.ndarray) -> np.ndarray:
    result = np.zeros_like(picture)
    for row in range(16):
        for column in range(16):
            share = grid[cell_of(row, len(grid)), cell_of(column, len(grid))]
            result[:, row, column] = picture[:, row, column] * share
    return result


def assert_reads(found: torch.Tensor, expected: np.ndarray) -> None:
    """Equal to 1e-6 of the largest."""
    largest = np.abs(expected).max()
    assert largest > 0
    np.testing.assert_allclose(found.numpy() / largest, expected / largest, **CLOSE)


@pytest.mark.parametrize("row", [0, 1])
def test_lime_is_a_weighted_ridge_regression_on_what_is_shown(row: int) -> None:
    network, target = small_network(), int(REQUEST.targets[row])
    images = F.interpolate(REQUEST.images[:, :, ::8, ::8], (16, 16), mode="bilinear")
    picture, part = images[row].numpy(), superpixels(network, images, 8)[row].numpy()
    found = Lime(samples=30, segments=8).explain(network, REQUEST.with_images(images))[row, 0]
    parts = int(part.max()) + 1
    uniform = REQUEST.rng.select([row]).uniform((30, parts), torch.empty(0, dtype=torch.float64))[0].numpy()
    shown = np.array([[1.0] * parts, *(uniform[1:] < 0.5)])
    values, weights = [], []
    for sample in shown:
        image = picture.copy()
        for number in range(parts):
            if not sample[number]:
                for channel in range(3):
                    image[channel][part == number] = picture[channel][part == number].mean()
        values.append(said(network, image, target, "probability"))
        norms = np.linalg.norm(sample) * np.sqrt(parts)
        distance = 1 - (sample.sum() / norms if norms else 0)
        weights.append(np.sqrt(np.exp(-(distance**2) / 0.25**2)))
    roots = np.sqrt(weights)[:, None]
    rows = np.concatenate([np.c_[shown, np.ones(30)] * roots, np.eye(parts + 1)[:-1]])
    fitted = np.linalg.lstsq(rows, np.append(np.array(values) * roots[:, 0], np.zeros(parts)))[0]
    assert parts > 2
    assert_reads(found, fitted[part])


@pytest.mark.parametrize(("cells", "samples"), [(4, 16), (3, 6)])
def test_sobol_is_jansen_s_estimator_cell_by_cell(cells: int, samples: int) -> None:
    network, picture, target = small_network(), REQUEST.images[1].numpy(), int(REQUEST.targets[1])
    sequence = SobolSequence(2 * cells * cells, scramble=False)
    points = sequence.random(16 if samples == 16 else 8)[:samples]
    first, second = points[:, : cells * cells], points[:, cells * cells :]
    outputs = [said(network, masked(picture, own.reshape(cells, cells)), target) for own in first]
    variance = sum((value - np.mean(outputs)) ** 2 for value in outputs) / (samples - 1)
    indices = np.zeros(cells * cells)
    for cell in range(cells * cells):
        for sample in range(samples):
            other = first[sample].copy()
            other[cell] = second[sample, cell]
            value = said(network, masked(picture, other.reshape(cells, cells)), target)
            indices[cell] += (outputs[sample] - value) ** 2 / (2 * samples * variance)
    found = Sobol(samples=samples, cells=cells).explain(network, REQUEST)[1, 0]
    assert_reads(found, enlarged(indices.reshape(cells, cells)))


def test_no_cell_of_the_default_design_is_drawn_anew_as_it_was() -> None:
    method = Sobol()
    design = method._design().reshape(1 + 64, 32, 64)
    moved = design[1:] != design[0]
    assert moved.any(1).sum() == moved.any(1).diagonal().sum() == 64


def test_sobol_finds_the_shares_of_an_additive_function() -> None:
    """Of independent uniform masks the index of a cell is its squared weight over the sum of all."""
    weights = torch.arange(1.0, 17.0, dtype=torch.float64)
    linear = nn.Linear(3 * 16, 2).double()
    with torch.no_grad():
        linear.weight.copy_(torch.stack([weights.repeat(3) / 3] * 2))
    network = Network(nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), linear), chunk=64)
    request = replace(REQUEST.with_images(torch.ones_like(REQUEST.images)), targets=REQUEST.targets * 0)
    found = Sobol(samples=2048, cells=4).explain(network, request)[0, 0]
    expected = enlarged((weights**2 / (weights**2).sum()).reshape(4, 4).numpy())
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=0.01)


def test_one_mask_has_no_variance() -> None:
    with pytest.raises(HeatmarkError, match="samples 1: expected 2 or more"):
        Sobol(samples=1).explain(small_network(), REQUEST)


@pytest.mark.parametrize("samples", [20, 21])
def test_hsic_is_the_trace_of_centred_kernels(samples: int) -> None:
    network, picture, target = small_network(), REQUEST.images[0].numpy(), int(REQUEST.targets[0])
    rng = REQUEST.rng.shared()
    strata = rng.permuted(np.tile(np.arange(samples)[:, None], 9), axis=0)
    shown = np.round((strata + rng.random((samples, 9))) / samples)
    outputs = [said(network, masked(picture, own.reshape(3, 3)), target) for own in shown]
    distances = np.array([[abs(one - other) for other in outputs] for one in outputs])
    width = np.sort(distances.ravel())[(samples**2 - 1) // 2]
    kernel = np.exp(-(distances**2) / (2 * width**2))
    centre = np.eye(samples) - 1 / samples
    dependences = []
    for cell in range(9):
        dirac = np.array([[float(one == other) for other in shown[:, cell]] for one in shown[:, cell]])
        dependences.append(np.trace(dirac @ centre @ kernel @ centre) / samples**2)
    found = Hsic(samples=samples, cells=3).explain(network, REQUEST)[0, 0]
    assert_reads(found, enlarged(np.array(dependences).reshape(3, 3)))
    assert (np.abs(shown.mean(0) - 0.5) <= 0.5 / samples + 1e-12).all()


def test_a_cell_that_a_network_does_not_see_has_no_sobol_index_and_little_dependence() -> None:
    class Left(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen = images[:, 0, :8, :8].mean((1, 2))
            return torch.stack([seen, -seen], 1)

    network = Network(Left(), chunk=64)
    request = replace(REQUEST, images=REQUEST.images + 3, targets=REQUEST.targets * 0)
    for method, least in ((Sobol(samples=16, cells=2), 0.02), (Hsic(samples=200, cells=2), 0.05)):
        found = method.explain(network, request)[:, 0]
        seen, unseen = found[:, 2, 2], found[:, 13, 13]
        assert (unseen.abs() <= least * seen + 1e-12).all(), method.name


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    reach = int(4 * sigma + 0.5)
    kernel = np.array([np.exp(-0.5 * (k / sigma) ** 2) if sigma else 1.0 for k in range(-reach, reach + 1)])
    kernel /= kernel.sum()
    for axis in (1, 2):
        picture = np.apply_along_axis(lambda line: np.convolve(line, kernel)[reach : reach + len(line)], axis, picture)
    return picture


def slow_mask(points: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The smooth maximum over all points at once, cells of two pixels; points beyond the border are 0."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    y, x = torch.meshgrid(torch.arange(height // 2), torch.arange(width // 2), indexing="ij")
    down = (2 * y + 0.5).flatten() - rows.flatten()[:, None]
    across = (2 * x + 0.5).flatten() - columns.flatten()[:, None]
    bumps = torch.exp(-2 * ((down**2 + across**2).double().sqrt() / 6 - 0.5).clamp_min(0) ** 2)
    around = (y.flatten() - rows.flatten()[:, None] // 2).abs() <= 4
    around &= (x.flatten() - columns.flatten()[:, None] // 2).abs() <= 4
    values = points.flatten() * bumps
    powers = (20 * values).exp() * around
    beyond = 81 - around.sum(1)
    return ((values * powers).sum(1) / (powers.sum(1) + beyond)).reshape(height, width)


def test_extremal_perturbation_climbs_as_its_paper_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extremal_perturbation, "AREAS", (0.3,))
    height, width = 52, 48
    network, request = small_network(), small_request(2, height, width)
    picture, target = request.images[1], int(request.targets[1])
    levels = torch.from_numpy(np.stack([blurred(picture.numpy(), 20 * (1 - k / 7)) for k in range(8)]))
    result = np.zeros((height, width))
    for area in extremal_perturbation.AREAS:
        points, velocity = torch.ones(height // 2, width // 2, dtype=torch.float64), None
        wanted = torch.tensor([float(place >= height * width * (1 - area)) for place in range(height * width)])
        for step in range(2):
            points.requires_grad_()
            mask = slow_mask(points, height, width)
            places = 7 * mask
            lower = places.detach().long().clamp(0, 6)
            shown = torch.zeros_like(picture)
            for level in range(8):
                weight = (places - lower) * (lower + 1 == level) + (1 - places + lower) * (lower == level)
                shown = shown + weight * levels[level]
            logits = network.logits((shown.flip(2) if step % 2 == 0 else shown)[None])[0]
            order = sorted(range(height * width), key=mask.detach().flatten().mul(1e4).round().tolist().__getitem__)
            misfit = ((mask.flatten()[order] - wanted) ** 2).mean()
            (gradient,) = torch.autograd.grad(300 * 1.0035**step * misfit - logits[target], points)
            velocity = gradient if velocity is None else 0.9 * velocity + 0.1 * gradient
            points = (points.detach() - 0.01 * velocity).clamp(0, 1)
        result += slow_mask(points, height, width).numpy()
    found = ExtremalPerturbation(steps=2).explain(network, request)[1, 0]
    assert_reads(found, result)


def test_extremal_perturbation_keeps_what_a_network_sees() -> None:
    class Corner(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen = 50 * images[:, :, 2:8, 12:20].std((1, 2, 3))
            return torch.stack([seen, -seen], 1)

    request = replace(small_request(1, 32, 32), targets=torch.zeros(1, dtype=torch.int64))
    found = ExtremalPerturbation(steps=100).explain(Network(Corner(), chunk=4), request)[0, 0]
    inside = torch.zeros(32, 32, dtype=torch.bool)
    inside[2:8, 12:20] = True
    assert inside.flatten()[found.flatten().argmax()]
    assert found[inside].mean() > found[~inside].mean() + 0.4
    assert 0 <= found.min() <= found.max() <= 1
