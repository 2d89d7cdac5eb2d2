"""Intervals, quantiles and tests for tables: small, plain, with their sources."""

from __future__ import annotations  # numpy.random is imported by those who sample

import operator
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlx_drmario.spec import LONGEST, whole


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a proportion: (low, high), both in [0, 1]; (0, 1) for n = 0.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927) 209-212;
    recommended for small n by Brown, Cai and DasGupta, Statistical Science 16 (2001) 101-133.

    Raises:
        ValueError: successes outside 0..n, or confidence outside (0, 1).
    """
    successes, n = _counts(successes, n)
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


def cvar(values: ArrayLike, tail: float = 0.1) -> float:
    """Mean of the greatest `tail` share of values[n]: the conditional value at risk at level 1 - tail; NaN for n = 0.

    With m = tail * n, the floor(m) greatest values count fully and the next one with weight m - floor(m): the exact
    CVaR of the empirical distribution, R. T. Rockafellar and S. Uryasev, "Conditional value-at-risk for general loss
    distributions", Journal of Banking & Finance 26 (2002) 1443-1471, proposition 8.

    Raises:
        ValueError: tail outside (0, 1].
    """
    if not 0 < tail <= 1:
        raise ValueError(f"tail is {tail}; it must lie above 0 and be at most 1")
    worst = np.sort(np.asarray(values, np.float64))[::-1]
    if worst.size == 0:
        return float("nan")
    mass = tail * worst.size
    counted = worst[: int(np.ceil(mass))]  # others may be infinite, and weigh nothing
    weights = np.clip(mass - np.arange(counted.size), 0, 1)
    return float(weights @ counted / mass)


@dataclass(frozen=True)
class Difference:
    """A mean difference with its interval."""

    mean: float
    low: float
    high: float


def paired_bootstrap(
    first: ArrayLike, second: ArrayLike, rng: np.random.Generator, resamples: int = 2_000, confidence: float = 0.95
) -> Difference:
    """Mean of first[n] - second[n], with the percentile interval of a bootstrap that resamples the pairs.

    B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), section 13.3 (percentile interval). When
    all pairs differ by the same amount the interval has no width: it cannot know of differences it never saw.

    Raises:
        ValueError: no pairs, shapes that differ, fewer than 1 resample, or confidence outside (0, 1).
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"first has shape {first.shape} and second {second.shape}; they must be pairs")
    low, high = bootstrap(first - second, np.mean, rng, resamples, confidence)
    return Difference(float(np.mean(first - second)), low, high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value of McNemar's test, from the numbers of pairs in which just one of the two succeeded.

    If both succeed equally often, each such pair is a fair coin: p = min(1, 2 P[Binomial(n, 1/2) <= the smaller]) with
    n = only_first + only_second; 1 for n = 0. Q. McNemar, "Note on the sampling error of the difference between
    correlated proportions or percentages", Psychometrika 12 (1947) 153-157; in this exact form for small samples:
    A. Agresti, Categorical Data Analysis (2nd ed. 2002), section 10.1.

    Raises:
        ValueError: a negative number.
    """
    only_first, only_second = operator.index(only_first), operator.index(only_second)
    for name, count in (("only_first", only_first), ("only_second", only_second)):
        if count < 0:
            raise ValueError(f"{name} is {count}; it must not be negative")
    n = only_first + only_second
    # Python's whole numbers throughout, so that nothing under- or overflows before the one division.
    ways = term = 1
    for k in range(min(only_first, only_second)):
        term = term * (n - k) // (k + 1)
        ways += term
    return min(1.0, 2 * ways / 2**n)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """p-values[n] adjusted for being n tests, in the same order: those below a reject with that family-wise error.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979)
    65-70. Makes no assumption on how the tests depend on each other.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    return adjusted


BETS = np.arange(1, 33) / 32
"""Shares of the largest possible stake that `evidence` bets, with equal weights."""


def evidence(successes: int, n: int, rate: float) -> float:
    """Log evidence against a success chance of at most `rate`, after n outcomes of which `successes` were good.

    The log capital of a gambler who starts with 1, spread over the fixed stakes `BETS`, on a bet that is fair at `rate`
    and unfavourable below. As long as every outcome's chance, given those before it, is at most `rate`, the capital is
    a nonnegative supermartingale, so it ever reaches 1 / alpha with probability at most alpha (Ville's inequality):
    look as often as you like, stop when you like; the outcomes need not be independent nor equally likely. Depends on
    the outcomes only through their numbers, and falls as `rate` rises.

    I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024) 1-27;
    J. Ville, Etude critique de la notion de collectif (1939).

    Raises:
        ValueError: successes outside 0..n, or rate outside (0, 1).
    """
    successes, n = _counts(successes, n)
    if not 0 < rate < 1:
        raise ValueError(f"rate is {rate}; it must lie strictly between 0 and 1")
    # A stake u multiplies capital by 1 - u after a failure and by 1 + u (1 - rate) / rate after a success.
    capital = successes * np.log1p(BETS * (1 - rate) / rate)
    if successes < n:
        with np.errstate(divide="ignore"):  # the full stake is lost by the first failure: log 0
            capital = capital + (n - successes) * np.log1p(-BETS)
    top = capital.max()
    return float(top + np.log(np.exp(capital - top).mean()))


def lower_bound(successes: int, n: int, alpha: float) -> float:
    """Lower confidence bound on a success chance that may be looked at after every outcome.

    The greatest rate that `evidence` refutes at error `alpha` (by bisection, rounded down by at most 1e-9); 0 when
    there is none. All bounds of one sequence together exceed a constant chance with probability at most alpha.

    Raises:
        ValueError: successes outside 0..n, or alpha outside (0, 1).
    """
    _check_alpha(alpha)
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if evidence(successes, n, middle) >= -np.log(alpha) else (low, middle)
    return low


def fewest_trials(rate: float, alpha: float) -> int:
    """Successes in a row after which `evidence` first refutes `rate` at error `alpha`: no test can end sooner.

    Raises:
        ValueError: rate or alpha outside (0, 1), or a rate that `LONGEST` trials do not refute.
    """
    _check_alpha(alpha)
    high = 1
    while evidence(high, high, rate) < -np.log(alpha):
        high *= 2
        if high > LONGEST:
            raise ValueError(f"{LONGEST:,} successes in a row do not certify a rate above {rate}")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if evidence(middle, middle, rate) >= -np.log(alpha) else (middle, high)
    return high


def _counts(successes: int, n: int) -> tuple[int, int]:
    """As Python's whole numbers, which do not overflow; ValueError unless successes lies in 0..n."""
    n = whole("n", n, 0, LONGEST)
    return whole("successes", successes, 0, n), n


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; it must lie strictly between 0 and 1")


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie strictly between 0 and 1")
