import numpy as np
import pytest
import torch
from scipy.ndimage import sobel
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from bench.api import Explained, Network, Preprocess
from bench.metrics.fidelity.image_gradients import ImageGradients
from bench.metrics.fidelity.image_psnr import ImagePsnr
from bench.metrics.fidelity.image_sobel import ImageSobel
from bench.metrics.fidelity.image_ssim import ImageSsim
from tests.support.maps import explained_by_maps

STD, MEAN = np.array([0.2, 0.5, 0.3]), np.array([0.4, 0.5, 0.6])
PREPROCESS = Preprocess(mean=tuple(MEAN), std=tuple(STD))


def explained(maps: np.ndarray, images: np.ndarray) -> Explained:
    module = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    network = Network(module, preprocess=PREPROCESS)
    return explained_by_maps(torch.from_numpy(maps), images=torch.from_numpy(images), network=network)


def scaled(picture: np.ndarray) -> np.ndarray:
    return (picture - picture.min()) / np.ptp(picture)


@pytest.fixture
def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Heatmaps and normalised images."""
    rng = np.random.default_rng(0)
    return [(rng.standard_normal((15, 18)), rng.standard_normal((3, 15, 18))) for _ in range(3)]


def slow_sobel(heat: np.ndarray, grey: np.ndarray) -> float:
    return float(sum((sobel(heat - grey, axis, mode="mirror") ** 2).sum() for axis in (0, 1)) / heat.size)


def slow_gradients(heat: np.ndarray, grey: np.ndarray) -> float:
    difference = heat - grey
    total = sum((np.diff(difference, axis=axis) ** 2).sum() for axis in (0, 1))
    return float(np.sqrt(total / heat.size))


def slow_ssim(heat: np.ndarray, grey: np.ndarray) -> float:
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    return float(structural_similarity(heat, grey, **options))


def slow_psnr(heat: np.ndarray, grey: np.ndarray) -> float:
    return float(peak_signal_noise_ratio(heat, grey, data_range=1))


@pytest.mark.parametrize(
    ("metric", "slow"),
    [
        (ImageSsim(), slow_ssim),
        (ImagePsnr(), slow_psnr),
        (ImageSobel(), slow_sobel),
        (ImageGradients(), slow_gradients),
    ],
    ids=lambda part: getattr(part, "name", ""),
)
def test_equals_the_definition(metric, slow, pairs) -> None:
    maps, images = (np.stack(part) for part in zip(*pairs, strict=True))
    got = metric.measure(explained(maps, images)).score
    for row, (heat, image) in enumerate(pairs):
        grey = (image * STD[:, None, None] + MEAN[:, None, None]).mean(0)
        assert got[row].item() == pytest.approx(slow(scaled(heat), scaled(grey)), abs=1e-9)


@pytest.mark.parametrize(
    ("metric", "best"),
    [(ImageSsim(), 1), (ImagePsnr(), 100), (ImageSobel(), 0), (ImageGradients(), 0)],
    ids=lambda part: getattr(part, "name", ""),
)
def test_the_image_itself_is_perfect(metric, best: float, pairs) -> None:
    image = pairs[0][1]
    grey = (image * STD[:, None, None] + MEAN[:, None, None]).mean(0)
    assert metric.measure(explained(grey[None], image[None])).score.item() == pytest.approx(best, abs=1e-9)
