"""Which points of a curve are worth a forward pass, when its area is wanted to a tolerance only.

A curve is known at some points, straight in between. Where the middle of an interval lies off the straight
line the area there is uncertain by half the deviation times the width; such intervals are halved until each
is certain to its share of the tolerance. A curve that is not known yet is NaN.
"""

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]
Points = NDArray[np.int64]
_INTERVALS = 16
# The deviation of the middle of an interval is taken for that of its halves: half of it for a step, a quarter of it
# for a smooth curve; the tolerance is divided by this for curves that bend more in one half than the middle tells.
_CAUTION = 2.0


def first_points(curve: Curve) -> Points:
    """Evenly spaced points to begin with; those that are known are not evaluated again."""
    grid = np.linspace(0, len(curve) - 1, min(_INTERVALS, len(curve) - 1) + 1).round().astype(np.int64)
    return grid[np.isnan(curve[grid])]


def next_points(curve: Curve, evaluated: Points, tolerance: float) -> Points:
    """Middles of the intervals whose area is not certain yet, after the points in `evaluated` have become known."""
    known = np.flatnonzero(~np.isnan(curve))
    steps = len(curve) - 1
    wanted: list[int] = []
    for point in evaluated:
        at = int(np.searchsorted(known, point))
        if at in {0, len(known) - 1}:
            continue
        left, right = int(known[at - 1]), int(known[at + 1])
        if not np.isfinite(curve[[left, point, right]]).all():
            continue
        straight = np.interp(point, (left, right), (curve[left], curve[right]))
        uncertain = abs(curve[point] - straight) * (right - left) / 2 / steps
        if uncertain > tolerance / _CAUTION * (right - left) / steps:
            wanted += [(left + point) // 2, (point + right) // 2]
    middles = np.array(sorted(set(wanted)), dtype=np.int64)
    return middles[np.isnan(curve[middles])] if len(middles) else middles


def straightened(curve: Curve) -> Curve:
    """The curve with straight lines where it is not known."""
    known = np.flatnonzero(~np.isnan(curve))
    return np.interp(np.arange(len(curve)), known, curve[known])
