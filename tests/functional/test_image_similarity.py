"""Image similarities against second implementations, and where their formulas divide by zero."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn
from skimage.metrics import structural_similarity

from bench.errors import HeatmarkError
from bench.functional.image_similarity import (
    gradient_difference,
    image_ssim,
    image_ssim_unfiltered,
    inverse_psnr,
    inverse_psnr_hvs,
    normalised,
    sobel_difference,
    squared_correlation,
    total_variation,
)

PAIRS = (
    squared_correlation,
    gradient_difference,
    sobel_difference,
    inverse_psnr,
    inverse_psnr_hvs,
    image_ssim,
    image_ssim_unfiltered,
)

# The contrast-sensitivity table as the authors of PSNR-HVS print it.
SENSITIVITY = np.array(
    [
        [1.608443, 2.339554, 2.573509, 1.608443, 1.072295, 0.643377, 0.504610, 0.421887],
        [2.144591, 2.144591, 1.838221, 1.354478, 0.989811, 0.443708, 0.428918, 0.467911],
        [1.838221, 1.979622, 1.608443, 1.072295, 0.643377, 0.451493, 0.372972, 0.459555],
        [1.838221, 1.513829, 1.169777, 0.887417, 0.504610, 0.295806, 0.321689, 0.415082],
        [1.429727, 1.169777, 0.695543, 0.459555, 0.378457, 0.236102, 0.249855, 0.334222],
        [1.072295, 0.735288, 0.467911, 0.402111, 0.317717, 0.247453, 0.227744, 0.279729],
        [0.525206, 0.402111, 0.329937, 0.295806, 0.249855, 0.212687, 0.214459, 0.254803],
        [0.357432, 0.279729, 0.270896, 0.262603, 0.229778, 0.257351, 0.249855, 0.259950],
    ]
)


def pair(channels=3, height=26, width=19, dtype=torch.float64):
    numbers = torch.Generator().manual_seed(5)
    return (torch.rand(2, channels, height, width, generator=numbers, dtype=dtype) for _ in range(2))


def psnr_hvs_by_the_paper(first, second, step):
    """Egiazarian et al., 2006: blocks at every `step` pixels; step 1 in the paper's formula, 8 in its program."""
    luminance = [0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2] for image in (first, second)]
    height, width = luminance[0].shape
    total, blocks = 0.0, 0
    for top in range(0, height - 7, step):
        for left in range(0, width - 7, step):
            one, other = (dctn(image[top : top + 8, left : left + 8], norm="ortho") for image in luminance)
            total += (((one - other) * SENSITIVITY) ** 2).sum()
            blocks += 1
    return 10 * np.log10(1 / (total / (blocks * 64)))


def test_psnr_hvs_equals_a_second_implementation_from_its_paper():
    first, second = pair()
    second = 0.7 * first + 0.3 * second
    result = 1 / inverse_psnr_hvs(first, second)
    expected = [psnr_hvs_by_the_paper(x, y, 8) for x, y in zip(first.numpy(), second.numpy(), strict=True)]
    overlapping = [psnr_hvs_by_the_paper(x, y, 1) for x, y in zip(first.numpy(), second.numpy(), strict=True)]
    # The printed table has six decimals, and near the JPEG table its last digits are rounded.
    assert result.tolist() == pytest.approx(expected, rel=1e-6)
    assert result.tolist() != pytest.approx(overlapping, rel=1e-4)


def test_psnr_hvs_of_one_channel_is_its_own_luminance():
    first, second = pair(channels=1)
    grey = inverse_psnr_hvs(first.expand(-1, 3, -1, -1), second.expand(-1, 3, -1, -1))
    assert (inverse_psnr_hvs(first, second) - grey).abs().max() < 1e-12


def test_psnr_hvs_of_other_channels_is_refused():
    with pytest.raises(HeatmarkError, match="1 or 3 channels"):
        inverse_psnr_hvs(*pair(channels=4))


def test_ssim_equals_scikit_image_inside_the_border():
    first, second = pair()
    expected = []
    for x, y in zip(first.numpy(), second.numpy(), strict=True):
        _, windows = structural_similarity(
            x,
            y,
            channel_axis=0,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            truncate=10 / 3,
            use_sample_covariance=False,
            full=True,
        )
        expected.append(windows[:, 5:-5, 5:-5].mean())
    assert image_ssim(first, second).tolist() == pytest.approx(expected, abs=1e-12)


def test_sobel_equals_a_slow_loop():
    (first, second), total = pair(height=5, width=6), 0.0
    kernel = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    for channel in (first - second)[0].numpy():
        padded = np.pad(channel, 1, mode="reflect")
        for y in range(5):
            for x in range(6):
                window = padded[y : y + 3, x : x + 3]
                total += (window * kernel).sum() ** 2 + (window * kernel.T).sum() ** 2
    assert sobel_difference(first, second)[0].item() == pytest.approx(total)


def test_a_constant_map_is_normalised_to_zero_and_correlates_with_nothing():
    image, constant = torch.rand(1, 3, 16, 16, dtype=torch.float64), torch.full((1, 3, 16, 16), 0.3).double()
    assert torch.equal(normalised(constant), torch.zeros_like(constant))
    assert squared_correlation(image, constant).tolist() == [0]
    assert squared_correlation(constant, constant).tolist() == [0]


def test_equal_images():
    image = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    assert inverse_psnr(image, image).tolist() == [0]
    assert inverse_psnr_hvs(image, image).tolist() == [0]
    assert image_ssim(image, image).tolist() == pytest.approx([1])
    assert gradient_difference(image, image).tolist() == [0]


def test_opposite_images_end_at_one_hundredth_of_a_decibel():
    black, white = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    assert inverse_psnr(black, white).tolist() == pytest.approx([100])
    assert inverse_psnr_hvs(black, white).tolist() == pytest.approx([100])


@pytest.mark.parametrize("similarity", [image_ssim, image_ssim_unfiltered, inverse_psnr_hvs])
def test_images_smaller_than_the_window_are_refused(similarity):
    with pytest.raises(HeatmarkError, match="pixels, not 5 x 9"):
        similarity(*pair(height=5, width=9))


KINDS = st.sampled_from(
    ["zero", "constant", "constant channel", "binary", "random", "nearly constant", "tiny", "large"]
)


def some(kind, dtype, seed):
    numbers = torch.Generator().manual_seed(seed)
    values = torch.randn(2, 3, 16, 16, generator=numbers, dtype=torch.float64).to(dtype)
    constant = torch.full_like(values, 0.3)
    match kind:
        case "zero":
            return torch.zeros_like(values)
        case "constant":
            return constant
        case "constant channel":
            return torch.cat([constant[:, :1], values[:, 1:]], 1)
        case "binary":
            return (values > 0).to(dtype)
        case "nearly constant":
            return constant + torch.finfo(dtype).eps * (values > 0)
        case "tiny":
            return values * torch.finfo(dtype).tiny
        case "large":
            return values * 1e6
    return values


@settings(max_examples=80, deadline=None)
@given(first=KINDS, second=KINDS, same=st.booleans(), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_values_and_gradients_are_finite_whatever_degenerates(first, second, same, dtype):
    maps = some(first, dtype, 1).requires_grad_()
    others = maps.detach().clone() if same else some(second, dtype, 2)
    for similarity in PAIRS:
        value = similarity(normalised(maps), normalised(others))
        (gradients,) = torch.autograd.grad(value.sum(), maps)
        assert value.isfinite().all(), similarity.__name__
        assert gradients.isfinite().all(), similarity.__name__
    (gradients,) = torch.autograd.grad(total_variation(maps).sum(), maps)
    assert gradients.isfinite().all()
