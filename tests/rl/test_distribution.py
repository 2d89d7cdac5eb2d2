"""Laws of the masked categorical distribution."""

import mlx.core as mx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_drmario.nets.heads import ILLEGAL, log_softmax_of_rows, masked_log_softmax
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
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0, 50), padding=st.integers(0, 3))
def test_rows_are_the_legal_entries(seed, scale, padding):
    """Log-probabilities by rows are those of the whole, and the entropy is its definition; padding changes nothing."""
    log_probs, legal = random_distribution(seed, scale)
    wanted = np.asarray(log_probs)[legal]
    decision, _ = np.nonzero(legal)
    decision = mx.array(np.append(decision, [6] * padding).astype(np.int32))
    score = mx.array(np.append(wanted + 7.5, [1e4] * padding).astype(np.float32))  # what is added to all has no say
    rows = log_softmax_of_rows(score, decision, 6)
    np.testing.assert_allclose(np.asarray(rows)[: len(wanted)], wanted, rtol=1e-4, atol=1e-4)
    expected = [-sum(np.exp(x) * x for x in np.asarray(log_probs, np.float64)[n, legal[n]]) for n in range(6)]
    np.testing.assert_allclose(np.asarray(dist.entropy(rows, decision, 6)), expected, rtol=1e-3, atol=1e-4)


def test_uniform_entropy_and_single_choice():
    decision = mx.array([0] * 40 + [1])
    log_probs = log_softmax_of_rows(mx.zeros((41,)), decision, 2)
    np.testing.assert_allclose(np.asarray(dist.entropy(log_probs, decision, 2)), [np.log(40), 0.0], atol=1e-5)
    np.testing.assert_allclose(np.asarray(log_probs), [-np.log(40)] * 40 + [0.0], atol=1e-6)


def test_an_ended_game_is_finite():
    log_probs = masked_log_softmax(mx.ones((1, 512)), mx.zeros((1, 512), mx.bool_))
    assert (np.asarray(log_probs) == ILLEGAL).all()


def test_gradients_of_rows_are_those_of_the_whole():
    legal = np.arange(1024).reshape(2, 512) % 7 == 0
    decision, action = (places.astype(np.int32) for places in np.nonzero(legal))
    chosen = mx.array([0, int((decision == 0).sum()) + 3])

    def by_rows(logits):
        rows = log_softmax_of_rows(logits[mx.array(decision), mx.array(action)], mx.array(decision), 2)
        return dist.entropy(rows, mx.array(decision), 2).sum() + 2 * rows[chosen].sum()

    def whole(logits):
        log_probs = masked_log_softmax(logits, mx.array(legal))
        entropy = -(mx.exp(log_probs) * mx.maximum(log_probs, -100.0)).sum()
        places = mx.array([[action[0].item()], [action[chosen[1].item()].item()]])
        return entropy + 2 * mx.take_along_axis(log_probs, places, axis=1).sum()

    logits = mx.random.normal((2, 512), key=mx.random.key(0))
    gradient = np.asarray(mx.grad(by_rows)(logits))
    assert (gradient[~legal] == 0).all()
    assert np.abs(gradient).max() > 0.1
    np.testing.assert_allclose(gradient, np.asarray(mx.grad(whole)(logits)), atol=1e-6)


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


def test_no_draw_is_illegal():
    """Not even the least one, 0, which one of 2^24 is."""

    class Least:
        def random(self, shape, dtype):
            return np.zeros(shape, dtype)

    share = np.zeros((2, 512))
    share[0, [300, 301]] = 0.5
    share[1, 511] = 1
    assert dist.sample_numpy(Least(), dist.log_of_shares(share)).tolist() == [300, 511]
    np.testing.assert_allclose(np.exp(dist.log_of_shares(share)), share)


def test_numpy_log_prob_matches():
    log_probs, legal = random_distribution(1)
    action = np.array([row.nonzero()[0][-1] for row in legal], np.int32)
    expected = [row[a] for row, a in zip(np.asarray(log_probs), action, strict=True)]
    assert (dist.log_prob_numpy(np.asarray(log_probs), action) == expected).all()
