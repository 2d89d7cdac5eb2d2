"""SMDP-GAE against the definition, summed the slow way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_drmario.rl.returns import explained_variance, smdp_gae


def reference(reward, value, last_value, tau, terminated, truncated, final_value, gamma, gae_lambda):
    """advantage_t = sum over k of (product of gamma^tau * lambda) * delta, term by term in double precision."""
    horizon, games = reward.shape
    advantage = np.zeros((horizon, games))
    for n in range(games):
        for t in range(horizon):
            weight = 1.0
            for k in range(t, horizon):
                discount = gamma ** int(tau[k, n])
                following = float(last_value[n]) if k + 1 == horizon else float(value[k + 1, n])
                if terminated[k, n]:
                    following = 0.0
                elif truncated[k, n]:
                    following = float(final_value[k, n])
                advantage[t, n] += weight * (discount * (float(reward[k, n]) + following) - float(value[k, n]))
                if terminated[k, n] or truncated[k, n]:
                    break
                weight *= discount * gae_lambda
    return advantage


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    horizon=st.integers(1, 9),
    games=st.integers(1, 4),
    gamma=st.floats(0.99, 1.0),
    gae_lambda=st.floats(0.0, 1.0),
)
def test_equals_the_definition(seed, horizon, games, gamma, gae_lambda):
    rng = np.random.default_rng(seed)
    shape = (horizon, games)
    reward, value, final_value = rng.normal(size=(3, *shape)).astype(np.float32)
    last_value = rng.normal(size=games).astype(np.float32)
    tau = rng.integers(1, 200, shape, np.uint32)
    end = rng.integers(0, 4, shape)
    columns = (reward, value, last_value, tau, end == 1, end == 2, final_value)
    advantage, target = smdp_gae(*columns, gamma=gamma, gae_lambda=gae_lambda)
    assert advantage.dtype == target.dtype == np.float32
    np.testing.assert_allclose(advantage, reference(*columns, gamma, gae_lambda), rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(target, advantage + value, rtol=1e-5, atol=1e-5)


def test_by_hand():
    """Two decisions of 10 and 20 frames, then the clear: with lambda = 1 the return is the discounted reward, each
    reward at the end of its decision."""
    column = lambda *xs: np.array(xs, np.float32)[:, None]  # noqa: E731
    no, yes = np.array([[False], [False]]), np.array([[False], [True]])
    tau = np.array([[10], [20]], np.uint32)
    advantage, target = smdp_gae(
        column(1, 5), column(2, 3), column(9)[0], tau, yes, no, column(7, 7), gamma=0.99, gae_lambda=1.0
    )
    expected = np.array([0.99**10 * 1 + 0.99**30 * 5, 0.99**20 * 5])
    np.testing.assert_allclose(target[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(advantage[:, 0], expected - [2, 3], rtol=1e-5)


def test_a_faster_last_capsule_is_worth_more():
    """Two games that differ in nothing but how long the clearing placement takes."""
    one, none = np.ones((1, 2), np.float32), np.zeros((1, 2), np.float32)
    yes, no = np.ones((1, 2), bool), np.zeros((1, 2), bool)
    tau = np.array([[60, 120]], np.uint32)
    _, target = smdp_gae(one, none, none[0], tau, yes, no, none, gamma=0.999, gae_lambda=0.9)
    np.testing.assert_allclose(target[0], [0.999**60, 0.999**120], rtol=1e-5)


def test_truncation_bootstraps_from_the_games_own_last_observation():
    one = np.ones((1, 1), np.float32)
    yes, no = np.array([[True]]), np.array([[False]])
    tau = np.array([[100]], np.uint32)
    last = np.array([1000.0], np.float32)  # belongs to the next game: must not leak in
    arguments = {"gamma": 0.999, "gae_lambda": 0.5}
    _, cut = smdp_gae(one, 0 * one, last, tau, no, yes, 3 * one, **arguments)
    _, ended = smdp_gae(one, 0 * one, last, tau, yes, no, 3 * one, **arguments)
    assert cut[0, 0] == pytest.approx(0.999**100 * (1 + 3), rel=1e-5)
    assert ended[0, 0] == pytest.approx(0.999**100, rel=1e-5)


def test_explained_variance():
    target = np.array([1.0, 2.0, 3.0])
    assert explained_variance(target, target) == 1.0
    assert explained_variance(np.full(3, 2.0), target) == 0.0
    assert explained_variance(np.zeros(3), np.ones(3)) == 0.0
