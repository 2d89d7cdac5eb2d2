"""The optimiser's step: Adam by its formula, along a gradient that is scaled down when it is long."""

import dataclasses

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_map

from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl.gradient import make_apply
from mlx_drmario.rl.optimizer import adam
from mlx_drmario.rl.ppo.config import PPOConfig
from mlx_drmario.rl.rollout import observation_layout


def test_adam_by_the_formula():
    """Kingma and Ba 2015, algorithm 1, with gradients small enough for epsilon = 1e-5 to matter."""
    optimizer = adam(0.1)
    rng = np.random.default_rng(0)
    weights, m, v = rng.normal(size=5), np.zeros(5), np.zeros(5)
    parameters = {"w": mx.array(weights.astype(np.float32))}
    for step in range(1, 6):
        gradient = 1e-5 * rng.normal(size=5).astype(np.float32)
        parameters = optimizer.apply_gradients({"w": mx.array(gradient)}, parameters)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient.astype(float) ** 2
        weights = weights - 0.1 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-5)
        np.testing.assert_allclose(np.asarray(parameters["w"]), weights, rtol=1e-4, atol=1e-5)


def test_long_gradients_are_scaled_down(tiny):
    """The step along a gradient of norm 40 is that along the same direction with norm max_grad_norm."""
    ppo, layout = dataclasses.replace(PPOConfig(), max_grad_norm=0.01), observation_layout("bitplane")
    results = []
    for norm in (40.0, 0.01):
        model, optimizer = make_policy(tiny.net, layout, seed=0), adam(0.01)
        size = sum(weight.size for _, weight in tree_flatten(model.parameters()))
        gradient = tree_map(lambda w, norm=norm, size=size: mx.full(w.shape, norm / size**0.5), model.parameters())
        norms = make_apply(model, optimizer, ppo.max_grad_norm)(gradient)
        np.testing.assert_allclose(norms[0].item(), norm, rtol=1e-3)
        results.append(np.concatenate([np.asarray(w).ravel() for _, w in tree_flatten(model.parameters())]))
        np.testing.assert_allclose(norms[1].item(), np.linalg.norm(results[-1]), rtol=1e-4)
    np.testing.assert_allclose(*results, rtol=0, atol=1e-6)
