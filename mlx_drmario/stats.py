"""Intervals and quantiles for tables: small, plain, with their sources."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a proportion: (low, high), both in [0, 1]; (0, 1) for n = 0.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927) 209-212;
    recommended for small n by Brown, Cai and DasGupta, Statistical Science 16 (2001) 101-133.

    Raises:
        ValueError: successes outside 0..n, or confidence outside (0, 1).
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes is {successes}; it must lie in 0..n = {n}")
    _check_confidence(confidence)
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate, weight = successes / n, z * z / n
    middle = (rate + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * (rate * (1 - rate) / n + weight / (4 * n)) ** 0.5
    # At the ends the bound is exactly 0 or 1; the arithmetic above may miss it by a rounding error.
    return (0.0 if successes == 0 else middle - reach), (1.0 if successes == n else middle + reach)


def quantiles(values: ArrayLike, levels: ArrayLike) -> NDArray[np.float64]:
    """Sample quantiles by linear interpolation, one per level; NaN when there are no values.

    Definition 7 of Hyndman and Fan, "Sample quantiles in statistical packages", Am. Statistician 50 (1996) 361-365.
    """
    values = np.asarray(values, np.float64)
    levels = np.asarray(levels, np.float64)
    return np.quantile(values, levels) if values.size else np.full(levels.shape, np.nan)


def bootstrap(
    values: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], float],
    rng: np.random.Generator,
    resamples: int = 2_000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of `statistic` over values[n]: (low, high).

    B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979) 1-26.

    Raises:
        ValueError: no values, fewer than 1 resample, or confidence outside (0, 1).
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"values has shape {values.shape}; give a one-dimensional array that is not empty")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}; it must be at least 1")
    _check_confidence(confidence)
    draws = [statistic(rng.choice(values, values.size)) for _ in range(resamples)]
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie strictly between 0 and 1")
