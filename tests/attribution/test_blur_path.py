import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from bench.attribution.blur_path import BlurPath


@pytest.mark.parametrize("sigma", [0.0, 0.01, 0.2, 1.0, 3.3, 12.0])
def test_blurs_as_scipy_does_with_zeros_beyond_the_borders(sigma):
    images = torch.randn(2, 3, 9, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = gaussian_filter(images.numpy(), (0, 0, sigma, sigma), mode="constant") if sigma else images
    sigmas = torch.tensor([1.7, sigma], dtype=torch.float64)
    np.testing.assert_allclose(BlurPath().blurred(images, sigmas)[1], expected[1], rtol=0, atol=1e-12)


def test_the_derivative_is_the_forward_difference():
    images = torch.randn(3, 3, 9, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    sigmas = torch.tensor([0.5, 2.0, 7.0], dtype=torch.float64)
    path = BlurPath(difference=0.02)
    here, derivative = path.blurred_and_derivative(images, sigmas)
    torch.testing.assert_close(here, path.blurred(images, sigmas))
    torch.testing.assert_close(derivative, (path.blurred(images, sigmas + 0.02) - here) / 0.02, rtol=1e-8, atol=1e-10)


def test_spacings_end_where_they_should():
    by_sigma, by_square = BlurPath(9.0, 4).sigmas(), BlurPath(9.0, 4, spacing="sigma_squared").sigmas()
    assert by_sigma.tolist() == [0, 2.25, 4.5, 6.75, 9]
    torch.testing.assert_close(by_square.square().diff(), torch.full((4,), 2.25, dtype=torch.float64))
