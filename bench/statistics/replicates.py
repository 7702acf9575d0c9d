"""How many seeds, or networks, it takes to find an effect, by the test that is used."""

from math import inf, isfinite, sqrt

from scipy import stats

from bench.statistics.paired_tests import ALPHA, POWER

MOST = 10_000


def seeds_needed(effect: float, deviation: float, tests: int = 1, of_images: float = 0.0, images: int = 2) -> float:
    """With how many seeds an effect, were it true, is found with 80% power; infinite where none suffice.

    `deviation` is that of the effect between seeds; `of_images` the variance of its mean by the images, which more
    seeds leave as it is. At the strictest step of Holm's correction over `tests`, by Student's t with seeds - 1 degrees
    of freedom, joined with that of the images as the test does.
    """
    if not (isfinite(effect) and isfinite(deviation)) or effect == 0:
        return inf
    low, high = 1, 2
    while high <= MOST and _power(effect, deviation, high, tests, of_images, images) < POWER:
        low, high = high, 2 * high
    if high > MOST:
        return inf
    while high - low > 1:
        middle = (low + high) // 2
        enough = _power(effect, deviation, middle, tests, of_images, images) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return float(high)


def _power(effect: float, deviation: float, seeds: int, tests: int, of_images: float, images: int) -> float:
    by_seeds = deviation**2 / seeds
    error = sqrt(by_seeds + of_images)
    if error == 0:
        return 1.0
    tail = ALPHA / 2 / max(tests, 1)
    reach = sqrt(stats.t.isf(tail, seeds - 1) ** 2 * by_seeds + stats.t.isf(tail, images - 1) ** 2 * of_images) / error
    freedom = error**4 / (by_seeds**2 / (seeds - 1) + of_images**2 / max(images - 1, 1))
    return float(stats.nct.sf(reach, freedom, abs(effect) / error))
