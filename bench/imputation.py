"""Linear imputation (ROAD, Rong et al., 2022): each missing pixel is the weighted mean of its neighbours.

Direct neighbours weigh 1/6, diagonal ones 1/12, scaled up at the border of the image. That is one sparse system per
image, symmetric and positive definite; here all are solved together, without ever being written down, by conjugate
gradients. Large holes are bridged by a multigrid cycle as the preconditioner: the same stencil on ever coarser grids,
so that the number of steps hardly depends on the size of the holes.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import HeatmarkError

# An image of 224 x 224 at a time stays in the cache of a CPU core, which is several times faster than a whole batch.
_CPU_VALUES = 200_000
# Two Jacobi steps that together damp best (Chebyshev) what the coarser grid cannot see: eigenvalues from 1/2 to 4/3.
_STEPS = (1.6077, 0.8255)


def linear_imputation(images: Tensor, missing: Tensor, tolerance: float = 1e-5, most: int = 500) -> Tensor:
    """Images (batch, channel, height, width) with their `missing` pixels, bool (batch, height, width), imputed.

    The error is a few `tolerance` times the image's largest value. An image without any known pixel becomes zero.
    Raises HeatmarkError where `most` steps were not enough.
    """
    if images.device.type != "cpu":
        return _imputed(images, missing, tolerance, most)
    together = max(1, _CPU_VALUES // max(images[0].numel(), 1))
    starts = range(0, len(images), together)
    threads = torch.get_num_threads()
    # Each thread on images of its own: threads that share one image wait for each other after every operation.
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        parts = [
            pool.submit(_imputed, images[start : start + together], missing[start : start + together], tolerance, most)
            for start in starts
        ]
        imputed = torch.cat([part.result() for part in parts])
    torch.set_num_threads(threads)
    return imputed


def _imputed(images: Tensor, missing: Tensor, tolerance: float, most: int) -> Tensor:
    grids = _grids(missing[:, None].to(images.dtype))
    finest, tiny = grids[0], torch.finfo(images.dtype).tiny
    known = torch.where(missing[:, None], 0.0, images)
    enough = tolerance * known.abs().amax((2, 3), keepdim=True)
    mean = known.sum((2, 3), keepdim=True) / (~missing).sum((1, 2)).clamp_min(1)[:, None, None, None]
    known = F.pad(known, (1, 1, 1, 1))
    values = finest.holes * mean
    residual = finest.residual(finest.holes * _stencil(known), values)
    correction = _cycle(grids, residual)
    direction, product = correction, _dot(residual, correction)
    for _ in range(most):
        unsolved = correction.abs().amax((2, 3), keepdim=True) > enough
        if not unsolved.any():
            return (known + values)[:, :, 1:-1, 1:-1]
        image = finest.applied(direction)
        # A system that is solved stands still, so that the others of the batch leave no trace in it.
        step = torch.where(unsolved, product / _dot(direction, image).clamp_min(tiny), 0.0)
        values.addcmul_(step, direction)
        residual.addcmul_(step, image, value=-1)
        correction = _cycle(grids, residual)
        before, product = product, _dot(residual, correction)
        direction = torch.addcmul(correction, product / before.clamp_min(tiny), direction)
    raise HeatmarkError(f"linear imputation: {most} steps do not reach a tolerance of {tolerance}")


@dataclass(frozen=True)
class _Grid:
    """The system on one grid, times twelve; maps (batch, 1, height + 2, width + 2) with a border of zeros.

    `holes` is one where a value is unknown, `centre` what a value itself weighs beyond its part in the stencil. Each of
    two Jacobi steps takes `inverse` of what the others say and keeps `kept` of the value.
    """

    holes: Tensor
    centre: Tensor
    inverse: tuple[Tensor, ...]
    kept: tuple[Tensor, ...]

    def applied(self, values: Tensor) -> Tensor:
        return (self.centre * values).addcmul_(self.holes, _stencil(values), value=-1)

    def residual(self, right: Tensor, values: Tensor) -> Tensor:
        return torch.addcmul(right, self.centre, values, value=-1).addcmul_(self.holes, _stencil(values))

    def smoothed(self, right: Tensor, values: Tensor, step: int) -> Tensor:
        return _stencil(values).add_(right).mul_(self.inverse[step]).addcmul_(self.kept[step], values)


def _grids(missing: Tensor) -> list[_Grid]:
    """The grid of the image and coarser ones, as long as some system has holes that need them."""
    levels = [F.pad(missing, (1, 1, 1, 1))]
    while levels[-1].any() and min(levels[-1].shape[2:]) > 3:
        levels.append((_coarser(levels[-1]) == 4).to(missing.dtype))
    # A hole that the grid after the next cannot see is small: it closes without help.
    needed = [below.flatten(2).any(2)[..., None, None] for below in levels[2:]]
    coarse = [own * need for own, need in zip(levels[1:], needed, strict=False)]
    return [_grid(levels[0]), *(_grid(own) for own in coarse if own.any())]


def _grid(holes: Tensor) -> _Grid:
    inside = F.pad(torch.ones_like(holes[:, :, 1:-1, 1:-1]), (1, 1, 1, 1))
    centre = holes * _stencil(inside)
    inverse = tuple(step * holes / (centre - 4).clamp_min(1) for step in _STEPS)
    return _Grid(holes, centre, inverse, tuple(holes - own * centre for own in inverse))


def _cycle(grids: list[_Grid], right: Tensor) -> Tensor:
    """About the solution of the system for this right side: smooth, correct on the coarser grid, smooth."""
    grid, *coarser = grids
    values = grid.smoothed(right, grid.inverse[0] * right, 1)
    if coarser:
        below = coarser[0].holes * _coarser(grid.residual(right, values))
        _add_finer(values, _cycle(coarser, below))
    return grid.smoothed(right, grid.smoothed(right, values, 1), 0)


def _stencil(values: Tensor) -> Tensor:
    """Sums weighted 1 2 1, 2 4 2, 1 2 1 of maps with a border of zeros; what comes out on the border means nothing.

    Shifts of the flattened maps: the border keeps one row from reaching into the next, and memory is read in order.
    """
    width = values.shape[3]
    flat = values.flatten(2)
    sums = flat[..., 1:] + flat[..., :-1]
    sums = sums[..., 1:] + sums[..., :-1]
    sums = sums[..., width:] + sums[..., :-width]
    whole = torch.empty_like(flat)
    whole[..., : width + 1] = whole[..., -width - 1 :] = 0
    torch.add(sums[..., width:], sums[..., :-width], out=whole[..., width + 1 : -width - 1])
    return whole.reshape(values.shape)


def _coarser(values: Tensor) -> Tensor:
    """Sums over 2 x 2 pixels; a last odd row or column is alone in its sum."""
    height, width = values.shape[2:]
    even = values[:, :, 1 : height - 1 + height % 2, 1 : width - 1 + width % 2]
    rows = even[:, :, ::2] + even[:, :, 1::2]
    return F.pad(rows[..., ::2] + rows[..., 1::2], (1, 1, 1, 1))


def _add_finer(values: Tensor, coarse: Tensor) -> None:
    """Add each coarse value to the four pixels above it; coarse holes lie above holes only."""
    inner = coarse[:, :, 1:-1, 1:-1]
    for row in (1, 2):
        for column in (1, 2):
            above = values[:, :, row:-1:2, column:-1:2]
            above += inner[:, :, : above.shape[2], : above.shape[3]]


def _dot(first: Tensor, second: Tensor) -> Tensor:
    dots: Tensor = torch.linalg.vecdot(first.flatten(2), second.flatten(2))
    return dots[..., None, None]
