"""Group-sequential tests: how small a p-value has to be at each look, and the p-value that has paid for the looks.

Alpha is spent over looks (Lan and DeMets, 1983, Biometrika 70:659), by the function that is like Pocock's boundary: the
same strictness at every look, for answers that come early. Levels are found by the recursive integration of Armitage,
McPherson and Rowe (1969), for tests whose statistic is a sum over independent images. P-values of t tests are held
against these levels as they are (Jennison and Turnbull, 2000, section 4.4). Where successive looks hang together more
closely than that, as where training seeds add the same chance to each, less than alpha is spent.
"""

from functools import cache

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy import optimize, special, stats

Array = NDArray[np.float64]
SMALLEST = 1e-12  # no p-value that has paid for its looks is smaller
_NODES = 64
_ALPHAS = 40


def spent(fraction: float, alpha: float) -> float:
    """How much of alpha may be spent up to this fraction of the images."""
    return float(alpha * np.log1p((np.e - 1) * fraction))


@cache
def levels(fractions: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """The two-sided p-value at or below which a test is decided at each look, at these fractions of all images."""
    nodes, weights = leggauss(_NODES)
    points, density = np.zeros(1), np.ones(1)
    found, before, paid = [], 0.0, 0.0
    for fraction in fractions:
        step = np.sqrt(fraction - before)
        due = spent(fraction, alpha) - paid
        bound = _bound(points, density, step, due)
        found.append(float(2 * stats.norm.sf(bound / np.sqrt(fraction))))
        inside = nodes * bound
        moved = np.exp(-(((inside[:, None] - points[None, :]) / step) ** 2) / 2) / (step * np.sqrt(2 * np.pi))
        density = weights * bound * (moved @ density)
        points, before, paid = inside, fraction, paid + due
    return tuple(found)


def _bound(points: Array, density: Array, step: float, due: float) -> float:
    """How far from 0 a sum has to be, so that it first goes there at this look with the probability that is due."""

    def crossing(bound: float) -> float:
        beyond = special.ndtr((points - bound) / step) + special.ndtr((-points - bound) / step)
        return float(np.log(max(float(beyond @ density), 1e-300) / due))

    return float(optimize.brentq(crossing, 0, np.abs(points).max() + 40 * step, xtol=1e-9))


def paid(p: Array, fractions: tuple[float, ...], look: int) -> Array:
    """Two-sided p-values of one look as those that have paid for all looks so far: the alpha that would be needed.

    The smallest of them over the looks is at most alpha with a probability of alpha at most, whenever one stops, and
    takes part in Holm's correction like any other (Maurer and Bretz, 2013, Statistics in Biopharmaceutical Research
    5:311). NaN stays NaN.
    """
    alphas, table = _table(fractions)
    known = np.clip(np.where(np.isfinite(p), p, 1.0), 1e-300, 1.0)
    needed = np.exp(np.interp(np.log(known), table[:, look], alphas))
    return np.where(np.isfinite(p), np.where(known > np.exp(table[-1, look]), 1.0, needed), np.nan)


@cache
def _table(fractions: tuple[float, ...]) -> tuple[Array, Array]:
    """Logarithms of alphas (alpha,), and of the levels of each look that they lead to, (alpha, look)."""
    alphas = np.geomspace(SMALLEST, 0.999, _ALPHAS)
    return np.log(alphas), np.log([levels(fractions, float(alpha)) for alpha in alphas])


def still_possible(z: Array, fraction: float, level: float) -> Array:
    """The chance that a test is decided for the positive side once all images are there, by what is seen of them.

    `z` are signed statistics at this fraction of the images, `level` the two-sided level at the end. The predictive
    probability without prior knowledge of the difference (Spiegelhalter, Freedman and Blackburn, 1986, Controlled
    Clinical Trials 7:8).
    """
    bound = stats.norm.isf(level / 2)
    return np.asarray(stats.norm.sf((bound - z / np.sqrt(fraction)) / np.sqrt((1 - fraction) / fraction)))
