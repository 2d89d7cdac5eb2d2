import math

import numpy as np
import pytest

from mlx_drmario import spec, stats


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


def test_cvar():
    assert stats.cvar(range(1, 21)) == 19.5
    assert stats.cvar([3, 9, 1], tail=1) == pytest.approx(13 / 3)
    assert stats.cvar([5]) == 5
    # 15 values: the slowest one counts fully, the next one half.
    assert stats.cvar(range(15), tail=0.1) == pytest.approx((14 + 0.5 * 13) / 1.5)
    assert math.isnan(stats.cvar([]))
    assert stats.cvar([math.inf, math.inf, 1, 2], tail=0.25) == math.inf  # failures may count as endless
    assert stats.cvar([-math.inf, 1, 2, 3], tail=0.5) == 2.5
    for tail in (0, 1.1, math.nan):
        with pytest.raises(ValueError, match=f"tail is {tail}"):
            stats.cvar([1], tail)


def test_cvar_minimises_rockafellar_and_uryasev_s_function():
    """CVaR = min over t of t + E[max(0, T - t)] / tail, which is piecewise linear with its corners at the values."""
    values = np.random.default_rng(4).exponential(100, 37)
    for tail in (0.05, 0.1, 0.33):
        smallest = min(t + np.maximum(0, values - t).mean() / tail for t in values)
        assert stats.cvar(values, tail) == pytest.approx(smallest)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (0, 0, 1),
        (5, 5, 1),
        (0, 5, 2 / 32),
        (1, 5, 14 / 64),
        (9, 2, 0.06543),  # mcnemar.exact(matrix(c(21, 9, 2, 12), 2, 2)) of R's exact2x2
    ],
)
def test_mcnemar_known_values(only_first, only_second, p):
    assert stats.mcnemar(only_first, only_second) == pytest.approx(p, abs=5e-6)
    assert stats.mcnemar(only_second, only_first) == stats.mcnemar(only_first, only_second)


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_counts_of_numpy_do_not_overflow(kind):
    assert stats.mcnemar(kind(100), kind(70)) == stats.mcnemar(100, 70)
    assert stats.wilson(kind(200), kind(250)) == stats.wilson(200, 250)
    assert stats.evidence(kind(200), kind(250), 0.5) == stats.evidence(200, 250, 0.5)


def test_mcnemar_of_many_games_is_near_the_normal_approximation_and_never_breaks():
    z = (2100 - 1996 - 1) / math.sqrt(4096)
    assert stats.mcnemar(2100, 1996) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.01)
    assert 0 <= stats.mcnemar(4096, 0) < 1e-300
    with pytest.raises(ValueError, match="only_second is -1"):
        stats.mcnemar(3, -1)


def test_mcnemar_keeps_its_level():
    """Under the hypothesis it rejects at 5 % in at most 5 % of experiments."""
    counts = np.random.default_rng(5).binomial(40, 0.5, 4000)
    assert 0.01 < np.mean([stats.mcnemar(int(k), 40 - int(k)) <= 0.05 for k in counts]) <= 0.05


def test_holm():
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, never falling
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.7, 0.8]).tolist() == [1, 1] and stats.holm([0.2]).tolist() == [0.2]
    assert stats.holm([]).size == 0


def test_paired_bootstrap_covers():
    """The interval holds the true difference in about 95 % of samples, although the pairs are strongly correlated."""
    rng = np.random.default_rng(6)
    hits = []
    for _ in range(300):
        shared = rng.normal(0, 10, 80)
        first, second = shared + rng.normal(1, 1, 80), shared + rng.normal(0, 1, 80)
        found = stats.paired_bootstrap(first, second, rng, resamples=300)
        assert found.mean == pytest.approx((first - second).mean())
        hits.append(found.low <= 1 <= found.high)
        assert found.high - found.low < 1.2
    assert 0.90 < np.mean(hits) < 0.98


def test_paired_bootstrap_is_antisymmetric_and_repeats():
    rng = np.random.default_rng
    first, second = rng(7).random((2, 50)) < [[0.8], [0.5]]
    found = stats.paired_bootstrap(first, second, rng(8))
    assert found == stats.paired_bootstrap(first, second, rng(8))
    turned = stats.paired_bootstrap(second, first, rng(8))
    assert (turned.mean, turned.low, turned.high) == pytest.approx((-found.mean, -found.high, -found.low))
    assert stats.paired_bootstrap([2, 3], [1, 2], rng(8)) == stats.Difference(1, 1, 1)
    with pytest.raises(ValueError, match="must be pairs"):
        stats.paired_bootstrap([1, 2], [1], rng(8))


def test_bad_input():
    rng = np.random.default_rng(0)
    for successes, n in ((-1, 5), (6, 5)):
        with pytest.raises(ValueError, match=f"successes is {successes}"):
            stats.wilson(successes, n)
    with pytest.raises(ValueError, match=r"successes is 1\.5; it must be a whole number in 0\.\.2"):
        stats.wilson(1.5, 2)
    with pytest.raises(ValueError, match="confidence is 1"):
        stats.wilson(1, 2, confidence=1)
    with pytest.raises(ValueError, match="values has shape"):
        stats.bootstrap([], np.mean, rng)
    with pytest.raises(ValueError, match="resamples is 0"):
        stats.bootstrap([1.0], np.mean, rng, resamples=0)


def test_evidence_is_a_fair_bet():
    """At the boundary capital keeps its mean exactly; below it loses. It rises with successes, falls with the rate."""
    for rate in (0.1, 0.5, 0.9):
        for chance in (rate, 0.7 * rate):
            weights = [math.comb(6, s) * chance**s * (1 - chance) ** (6 - s) for s in range(7)]
            capital = sum(w * math.exp(stats.evidence(s, 6, rate)) for s, w in enumerate(weights))
            assert capital == pytest.approx(1) if chance == rate else capital < 1
    assert stats.evidence(0, 0, 0.3) == 0
    assert stats.evidence(5, 9, 0.3) < stats.evidence(6, 9, 0.3)
    assert stats.evidence(6, 9, 0.4) < stats.evidence(6, 9, 0.3)
    assert math.isfinite(stats.evidence(90_000, 100_000, 0.5))


@pytest.mark.parametrize("rate", [0.3, 0.8, 0.95])
def test_continuous_monitoring_keeps_the_error_rate(rate):
    """Looked at after every one of 400 games, a true rate at the threshold is certified in at most alpha of the runs.

    One game in two depends on the past: its chance drops after a success. A test for one fixed n would fail this.
    """
    alpha, runs, games = 0.1, 1_000, 400
    rng = np.random.default_rng(9)
    won = rng.random((runs, games)) < rate
    won[:, 2::2] &= ~(won[:, 1:-1:2] & (rng.random((runs, games // 2 - 1)) < 0.05))
    table = {}
    false, naive = 0, 0
    for row in won:
        successes = np.cumsum(row)
        peak = -math.inf
        for n, s in enumerate(successes.tolist(), 1):
            if s > rate * n:  # otherwise the evidence is below that of the average outcome and never decides
                if (s, n) not in table:
                    table[s, n] = stats.evidence(s, n, rate)
                peak = max(peak, table[s, n])
        false += peak >= -math.log(alpha)
        n = np.arange(1, games + 1)
        naive += bool((successes / n - 1.2816 * np.sqrt(rate * (1 - rate) / n) > rate).any())
    assert false <= alpha * runs + 3 * math.sqrt(alpha * (1 - alpha) * runs)
    assert naive > 2 * false


def test_evidence_finds_what_is_there():
    """A rate of 0.95 against a threshold of 0.9 is certified within 1,500 games nearly always."""
    rng = np.random.default_rng(10)
    found = [stats.evidence(int(rng.binomial(1_500, 0.95)), 1_500, 0.9) >= math.log(20) for _ in range(200)]
    assert np.mean(found) > 0.98


def test_lower_bound_inverts_evidence():
    for successes, n in ((9, 10), (95, 100), (100, 100), (500, 1000)):
        bound = stats.lower_bound(successes, n, 0.05)
        assert stats.evidence(successes, n, bound) >= math.log(20) > stats.evidence(successes, n, bound + 2e-9)
        assert bound < stats.wilson(successes, n, 0.9)[0]
    assert stats.lower_bound(0, 0, 0.05) == stats.lower_bound(0, 50, 0.05) == 0


def test_fewest_trials_is_the_first_that_can_decide():
    for rate, alpha in ((0.5, 0.05), (0.9, 0.01), (0.99, 1e-6), (0.001, 0.5)):
        n = stats.fewest_trials(rate, alpha)
        assert stats.evidence(n, n, rate) >= -math.log(alpha)
        assert n == 1 or stats.evidence(n - 1, n - 1, rate) < -math.log(alpha)
        assert n >= math.log(alpha) / math.log(rate)  # no test can be faster than the chance of the run itself


def test_bad_input_of_sequential_tests():
    with pytest.raises(ValueError, match="successes is 3"):
        stats.evidence(3, 2, 0.5)
    with pytest.raises(ValueError, match="rate is 1"):
        stats.evidence(1, 2, 1)
    with pytest.raises(ValueError, match="alpha is 0"):
        stats.lower_bound(1, 2, 0)
    with pytest.raises(ValueError, match="alpha is 1"):
        stats.fewest_trials(0.5, 1)
    with pytest.raises(ValueError, match=r"1,073,741,824 successes in a row do not certify a rate above"):
        stats.fewest_trials(0.99999999999, 0.05)


def test_all_and_none_are_no_rounded_shares():
    shares = (0, 1e-6, 1 / 4096, 0.0005, 0.5, 0.9995, 4095 / 4096, 1)
    shown = ["0.0%", "0.0001%", "0.02%", "0.1%", "50.0%", "99.95%", "99.98%", "100.0%"]
    assert [spec.percent(share) for share in shares] == shown
