"""Laws of the masked categorical distribution."""

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_drmario.nets.heads import ILLEGAL, masked_log_softmax
from mlx_drmario.rl import distribution as dist


def random_distribution(seed: int, scale: float = 3.0) -> tuple[mx.array, np.ndarray]:
    """Log-probabilities f32[6, 512] and their mask, with 1 to 512 legal entries per row."""
    rng = np.random.default_rng(seed)
    share = rng.random((6, 1))
    legal = rng.random((6, 512)) < share
    legal[np.arange(6), rng.integers(0, 512, 6)] = True
    logits = mx.array((scale * rng.normal(size=(6, 512))).astype(np.float32))
    return masked_log_softmax(logits, mx.array(legal)), legal


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0, 50))
def test_illegal_is_impossible_and_the_rest_sums_to_one(seed, scale):
    log_probs, legal = random_distribution(seed, scale)
    probability = np.exp(np.asarray(log_probs))
    assert (probability[~legal] == 0.0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, rtol=1e-5)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_entropy_equals_the_definition(seed):
    log_probs, legal = random_distribution(seed)
    expected = []
    for row, mask in zip(np.asarray(log_probs, np.float64), legal, strict=True):
        expected.append(-sum(np.exp(x) * x for x in row[mask]))
    np.testing.assert_allclose(np.asarray(dist.entropy(log_probs)), expected, rtol=1e-3, atol=1e-4)


def test_uniform_entropy_and_single_choice():
    legal = np.zeros((2, 512), bool)
    legal[0, 5:45] = True
    legal[1, 99] = True
    log_probs = masked_log_softmax(mx.zeros((2, 512)), mx.array(legal))
    np.testing.assert_allclose(np.asarray(dist.entropy(log_probs)), [np.log(40), 0.0], atol=1e-5)
    assert dist.log_prob(log_probs, mx.array([5, 99])).tolist() == pytest.approx([-np.log(40), 0.0], abs=1e-6)


def test_an_ended_game_is_finite():
    log_probs = masked_log_softmax(mx.ones((1, 512)), mx.zeros((1, 512), mx.bool_))
    assert (np.asarray(log_probs) == ILLEGAL).all()
    assert np.isfinite(dist.entropy(log_probs).item())


def test_gradients_are_finite_and_vanish_on_illegal_entries():
    legal = mx.array(np.arange(512) % 7 == 0)[None]

    def objective(logits):
        log_probs = masked_log_softmax(logits, legal)
        return (dist.entropy(log_probs) + dist.log_prob(log_probs, mx.array([14]))).sum()

    gradient = np.asarray(mx.grad(objective)(mx.random.normal((1, 512), key=mx.random.key(0))))
    assert np.isfinite(gradient).all()
    assert (gradient[~np.asarray(legal)] == 0).all()
    assert np.abs(gradient).max() > 0


def test_samples_follow_the_distribution():
    """Chi-square over 20,000 draws of one row; illegal entries are never drawn."""
    log_probs, legal = random_distribution(3, scale=1.0)
    draws = 20_000
    row = np.repeat(np.asarray(log_probs)[:1], draws, axis=0)
    action = dist.sample_numpy(np.random.default_rng(0), row)
    assert action.dtype == np.int32
    counts = np.bincount(action, minlength=512)
    assert counts[~legal[0]].sum() == 0
    expected = draws * np.exp(np.asarray(log_probs)[0])
    big = expected >= 5
    chi_square = ((counts[big] - expected[big]) ** 2 / expected[big]).sum()
    freedom = big.sum() - 1
    assert chi_square < freedom + 5 * np.sqrt(2 * freedom)


def test_numpy_log_prob_matches():
    log_probs, legal = random_distribution(1)
    action = np.array([row.nonzero()[0][-1] for row in legal], np.int32)
    expected = np.asarray(dist.log_prob(log_probs, mx.array(action)))
    assert (dist.log_prob_numpy(np.asarray(log_probs), action) == expected).all()
