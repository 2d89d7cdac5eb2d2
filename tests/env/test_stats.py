import math

import numpy as np
import pytest

from mlx_drmario import stats


# Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998) 857-872,
# table I, method 3 (score, without continuity correction), 95 %.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_against_published_values(successes, n, low, high):
    assert stats.wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_ends_and_symmetry():
    assert stats.wilson(0, 0) == (0.0, 1.0)
    assert stats.wilson(0, 7)[0] == 0.0 and stats.wilson(7, 7)[1] == 1.0
    low, high = stats.wilson(3, 10)
    assert stats.wilson(7, 10) == pytest.approx((1 - high, 1 - low))
    wide = stats.wilson(3, 10, confidence=0.99)
    assert wide[0] < low < 0.3 < high < wide[1]


def test_wilson_covers():
    """The interval holds the true rate in about 95 % of samples."""
    rng = np.random.default_rng(1)
    hits = [low <= 0.3 <= high for low, high in (stats.wilson(int(k), 200) for k in rng.binomial(200, 0.3, 4000))]
    assert 0.93 < np.mean(hits) < 0.97


def test_quantiles():
    assert stats.quantiles([4, 1, 3, 2], [0, 0.5, 0.9, 1]).tolist() == pytest.approx([1, 2.5, 3.7, 4])
    assert stats.quantiles([7], [0.1, 0.9]).tolist() == [7, 7]
    assert np.isnan(stats.quantiles([], [0.1, 0.5])).tolist() == [True, True]


def test_bootstrap_of_the_mean_matches_theory():
    values = np.random.default_rng(2).normal(10, 2, 400)
    low, high = stats.bootstrap(values, np.mean, np.random.default_rng(3))
    reach = 1.96 * values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - reach, abs=0.05)
    assert high == pytest.approx(values.mean() + reach, abs=0.05)
    assert (low, high) == stats.bootstrap(values, np.mean, np.random.default_rng(3))


def test_bad_input():
    rng = np.random.default_rng(0)
    for successes, n in ((-1, 5), (6, 5)):
        with pytest.raises(ValueError, match=f"successes is {successes}"):
            stats.wilson(successes, n)
    with pytest.raises(ValueError, match="confidence is 1"):
        stats.wilson(1, 2, confidence=1)
    with pytest.raises(ValueError, match="values has shape"):
        stats.bootstrap([], np.mean, rng)
    with pytest.raises(ValueError, match="resamples is 0"):
        stats.bootstrap([1.0], np.mean, rng, resamples=0)
