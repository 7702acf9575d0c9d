"""Linear imputation (ROAD, Rong et al., 2022): each missing pixel is the weighted mean of its neighbours.

Direct neighbours weigh 1/6, diagonal ones 1/12, scaled up at the border of the image. That is one sparse system per
image, symmetric and positive definite; here many are solved together, without ever being written down, by conjugate
gradients. Large holes are bridged by a multigrid cycle as the preconditioner: the same stencil on ever coarser grids,
so that the number of steps hardly depends on the size of the holes.

Nothing here is bound by arithmetic, all by memory: so maps are made once and written over, because a fresh one costs
a CPU several times what is computed in it.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import HeatmarkError

# Three images of 224 x 224: a CPU core keeps most of what it works on in its caches.
_CPU_VALUES = 500_000


def _damping(steps: int, lowest: float) -> tuple[float, ...]:
    """Lengths of Jacobi steps that together damp eigenvalues from `lowest` to 1 best (Chebyshev)."""
    angles = (math.pi * (step + 0.5) / steps for step in range(steps))
    return tuple(2 / (1 + lowest + (1 - lowest) * math.cos(angle)) for angle in angles)


_STEPS = _damping(2, 0.25)


def linear_imputation(images: Tensor, missing: Tensor, tolerance: float = 2e-5, most: int = 500) -> Tensor:
    """Images (batch, channel, height, width) with their `missing` pixels, bool (batch, height, width), imputed.

    The error is a few `tolerance` times the image's largest value. An image without any known pixel becomes zero.
    Raises HeatmarkError where `most` steps were not enough. Rong et al., 2022, arXiv:2202.00449.

    >>> images = torch.tensor([[[[1.0, 1.0, 1.0], [1.0, 9.0, 1.0], [1.0, 1.0, 1.0]]]])
    >>> missing = images[:, 0] > 5
    >>> round(linear_imputation(images, missing)[0, 0, 1, 1].item(), 3)
    1.0
    """
    imputed = torch.empty_like(images)
    if images.device.type != "cpu":
        _impute(images, missing, imputed, len(images), tolerance, most)
        return imputed
    threads = torch.get_num_threads()
    together = max(1, _CPU_VALUES // max(images[0].numel(), 1))
    share = math.ceil(len(images) / threads)
    shares = zip(images.split(share), missing.split(share), imputed.split(share), strict=True)
    # Each thread on images of its own: threads that share one image wait for each other after every operation.
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        done = [pool.submit(_impute, *own, together, tolerance, most) for own in shares]
    torch.set_num_threads(threads)
    for own in done:
        own.result()
    return imputed


@torch.inference_mode()
def _impute(images: Tensor, missing: Tensor, imputed: Tensor, together: int, tolerance: float, most: int) -> None:
    """Write into `imputed`, so many images `together`."""
    grids: list[_Grid] = []
    for own, holes, out in zip(*(maps.split(together) for maps in (images, missing, imputed)), strict=True):
        if not grids or len(grids[0].values) != len(own):
            grids = _grids(own)
        out.copy_(_solved(own, holes, grids, tolerance, most))


def _solved(images: Tensor, missing: Tensor, grids: list["_Grid"], tolerance: float, most: int) -> Tensor:
    used, finest, tiny = _with_holes(missing, grids), grids[0], torch.finfo(images.dtype).tiny
    solution, direction = finest.solution, finest.direction
    _inner(solution).copy_(images).masked_fill_(missing[:, None], 0)
    enough = tolerance * finest.largest(solution)
    mean = solution.sum((2, 3), keepdim=True) / (~missing).sum((1, 2)).clamp_min(1)[:, None, None, None]
    solution.addcmul_(finest.holes, mean)
    residual = finest.right.copy_(finest.lack(solution))
    correction = _cycle(used)
    direction.copy_(correction)
    product = finest.dot(residual, correction)
    unsolved = torch.ones_like(enough, dtype=torch.bool)
    for _ in range(most):
        before, unsolved = unsolved, finest.largest(correction) > enough
        # A system that is solved takes the last correction and stands still: others of the batch leave no trace in it.
        solution.addcmul_((before & ~unsolved).to(solution.dtype), correction)
        if not unsolved.any():
            return _inner(solution)
        lack = finest.lack(direction)
        step = torch.where(unsolved, product / finest.dot(direction, lack).neg().clamp_min(tiny), 0.0)
        solution.addcmul_(step, direction)
        residual.addcmul_(step, lack)
        correction = _cycle(used)
        last, product = product, finest.dot(residual, correction)
        torch.addcmul(correction, product / last.clamp_min(tiny), direction, out=direction)
    raise HeatmarkError(f"linear imputation: {most} steps do not reach a tolerance of {tolerance}")


class _Stencil:
    """Sums weighted 1 2 1, 2 4 2, 1 2 1 of maps with a border of zeros; what comes out on the border means nothing.

    Shifts of the flattened maps: the border keeps one row from reaching into the next, and memory is read in order.
    """

    def __init__(self, maps: Tensor) -> None:
        self.sums, self.spare = torch.zeros_like(maps), torch.zeros_like(maps)
        sums, spare, width = self.sums.flatten(2), self.spare.flatten(2), maps.shape[3]
        size = sums.shape[2]
        self._pairs = spare[..., : size - 1]
        rows, tall = sums[..., : size - 2], spare[..., : size - 2 - width]
        self._steps = (
            (self._pairs[..., 1:], self._pairs[..., :-1], rows),
            (rows[..., width:], rows[..., :-width], tall),
            (tall[..., width:], tall[..., :-width], sums[..., width + 1 : size - width - 1]),
        )

    def of(self, maps: Tensor) -> Tensor:
        flat = maps.flatten(2)
        torch.add(flat[..., 1:], flat[..., :-1], out=self._pairs)
        for first, second, out in self._steps:
            torch.add(first, second, out=out)
        return self.sums


class _Grid:
    """The systems of some images on one grid, and room to solve them in.

    Maps are (batch, channel, height + 2, width + 2) with a border of zeros, those of the holes have one channel. A
    hole's value times its `weight`, 16 but for the border of the image, is the `stencil` of the values around it,
    itself included; `inverse` is one over the weight. Both are zero where there is no hole, and what maps of right
    sides and residuals hold there means nothing.
    """

    def __init__(self, like: Tensor, height: int, width: int) -> None:
        self.holes, self.weight, self.inverse = (self._maps(like, 1, height, width) for _ in range(3))
        self.solution, self.direction, self.right, self.values, self.scaled = (
            self._maps(like, like.shape[1], height, width) for _ in range(5)
        )
        self.stencil = _Stencil(self.values)
        self.image = F.pad(like.new_ones(1, 1, height, width), (1, 1, 1, 1))
        self.weights = self.image * _Stencil(self.image).of(self.image)

    @staticmethod
    def _maps(like: Tensor, channels: int, height: int, width: int) -> Tensor:
        return like.new_zeros(len(like), channels, height + 2, width + 2)

    def set_holes(self, holes: Tensor) -> None:
        """Write other holes into the grid."""
        self.holes.copy_(holes)
        torch.mul(holes, self.weights, out=self.weight)
        torch.div(holes, self.weights.clamp_min(1), out=self.inverse)

    def lack(self, values: Tensor) -> Tensor:
        """What the stencil of the values has beyond the weighted values."""
        return self.stencil.of(values).addcmul_(self.weight, values, value=-1)

    def start(self, steps: tuple[float, ...]) -> None:
        """Take Jacobi steps from zero towards the values of the right side."""
        torch.mul(self.inverse, self.right, out=self.scaled)
        torch.mul(self.scaled, steps[0], out=self.values)
        self.relax(steps[1:])

    def relax(self, steps: tuple[float, ...]) -> None:
        for step in steps:
            sums = self.stencil.of(self.values)
            self.values.lerp_(torch.addcmul(self.scaled, self.inverse, sums, out=sums), step)

    def dot(self, first: Tensor, second: Tensor) -> Tensor:
        return torch.mul(first, second, out=self.stencil.spare).sum((2, 3), keepdim=True)

    def largest(self, maps: Tensor) -> Tensor:
        return torch.abs(maps, out=self.stencil.spare).amax((2, 3), keepdim=True)


def _grids(images: Tensor) -> list[_Grid]:
    """Room for the images and for ever coarser grids."""
    sizes = [images.shape[2:]]
    while min(sizes[-1]) > 1:
        sizes.append(torch.Size(math.ceil(side / 2) for side in sizes[-1]))
    return [_Grid(images, *size) for size in sizes]


def _with_holes(missing: Tensor, grids: list[_Grid]) -> list[_Grid]:
    """The grids that some image needs, with the holes of each; a coarse hole is one where all pixels below are missing.

    A hole that the grid after the next cannot see is small: it closes without help.
    """
    levels = [F.pad(missing[:, None].to(grids[0].image.dtype), (1, 1, 1, 1))]
    for finer, grid in pairwise(grids):
        known = _coarser(finer.image - levels[-1], grid.holes) > 0
        levels.append(grid.image.masked_fill(known, 0))
        if not levels[-1].any():
            break
    needed = [below.flatten(2).any(2)[..., None, None] for below in levels[2:]]
    holes_of_grids = [levels[0], *(own * need for own, need in zip(levels[1:], needed, strict=False))]
    used = [grid for grid, holes in zip(grids, holes_of_grids, strict=False) if grid is grids[0] or holes.any()]
    for grid, holes in zip(used, holes_of_grids, strict=False):
        grid.set_holes(holes)
    return used


def _cycle(grids: list[_Grid]) -> Tensor:
    """About the solution of the system for its right side: smooth, correct on the coarser grid, smooth."""
    grid, *coarser = grids
    grid.start(_STEPS)
    if coarser:
        _coarser(grid.lack(grid.values).add_(grid.right), coarser[0].right)
        _add_finer(grid.values, _cycle(coarser), grid.stencil.spare)
    grid.relax(_STEPS[::-1])
    return grid.values


def _coarser(values: Tensor, out: Tensor) -> Tensor:
    """Sums over 2 x 2 pixels; a last odd row or column is alone in its sum, with the border, which is cleared."""
    height, width = values.shape[2:]
    values[:, :, -1] = values[..., -1] = 0
    even = values[:, :, 1 : height - 1 + height % 2, 1 : width - 1 + width % 2]
    rows = even[:, :, ::2] + even[:, :, 1::2]
    torch.add(rows[..., ::2], rows[..., 1::2], out=_inner(out))
    return out


def _add_finer(values: Tensor, coarse: Tensor, spare: Tensor) -> None:
    """Add each coarse value to the four pixels above it; coarse holes lie above holes only."""
    own = _inner(coarse)
    wide = spare[:, :, : own.shape[2], : 2 * own.shape[3]]
    wide[..., ::2] = wide[..., 1::2] = own
    for row in (1, 2):
        above = values[:, :, row:-1:2, 1:-1]
        above += wide[:, :, : above.shape[2], : above.shape[3]]


def _inner(maps: Tensor) -> Tensor:
    return maps[:, :, 1:-1, 1:-1]
