"""PPO's losses against numbers worked out by hand."""

import mlx.core as mx
import numpy as np
import pytest

from mlx_drmario.rl.ppo import losses


def logs(*ratios: float) -> mx.array:
    return mx.log(mx.array(ratios))


def test_clipped_objective_by_hand():
    """clip 0.2. Ratio 1.5, A = 2: clipped, 1.2 * 2. Ratio 0.5, A = 2: not clipped (it is the smaller), 0.5 * 2.
    Ratio 0.5, A = -1: clipped, 0.8 * -1. Ratio 1.5, A = -1: not clipped, 1.5 * -1."""
    advantage = mx.array([2.0, 2.0, -1.0, -1.0])
    loss = losses.policy_loss(logs(1.5, 0.5, 0.5, 1.5), mx.zeros(4), advantage, 0.2)
    assert loss.item() == pytest.approx(-(2.4 + 1.0 - 0.8 - 1.5) / 4, rel=1e-5)


def test_gradient_stops_where_the_clip_binds():
    gradient = mx.grad(lambda x: losses.policy_loss(x, mx.zeros(4), mx.array([2.0, 2.0, -1.0, -1.0]), 0.2))
    pull = np.asarray(gradient(logs(1.5, 0.5, 0.5, 1.5)))
    np.testing.assert_allclose(pull, [0.0, -0.5 * 2 / 4, 0.0, 1.5 / 4], rtol=1e-5, atol=1e-7)


def test_value_loss_by_hand():
    assert losses.value_loss(mx.array([1.0, 2.0]), mx.array([3.0, 2.0])).item() == 0.5 * (4 + 0) / 2


def test_kl_and_clip_fraction():
    log_prob, old = logs(1.5, 1.1, 0.5, 1.0), mx.zeros(4)
    assert losses.clip_fraction(log_prob, old, 0.2).item() == 0.5
    expected = np.mean([r - 1 - np.log(r) for r in (1.5, 1.1, 0.5, 1.0)])
    assert losses.approx_kl(log_prob, old).item() == pytest.approx(expected, rel=1e-4)
    assert losses.approx_kl(old, old).item() == 0.0
