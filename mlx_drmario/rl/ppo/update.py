"""The gradient of PPO's loss on one minibatch."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from mlx_drmario.nets.heads import Afterstates
from mlx_drmario.nets.policy import ActorCritic
from mlx_drmario.rl.distribution import entropy
from mlx_drmario.rl.gradient import Gradient, gradient_of
from mlx_drmario.rl.ppo.config import PPOConfig
from mlx_drmario.rl.ppo.losses import ppo_loss


def make_gradient(model: ActorCritic, ppo: PPOConfig, compile: bool) -> Gradient:
    """Return the function from a (part of a) minibatch, of numpy arrays, to its evaluated metrics and gradient.

    It takes planes and scalars of B decisions; `Afterstates` of all their legal placements; i32[B], which of those rows
    was chosen; old log-prob, advantage, target, entropy weight; and gives f32[5], losses.METRICS, means over the B.
    """

    def loss(log_probs: mx.array, value: mx.array, after: Afterstates, chosen: mx.array, *batch: mx.array) -> Any:
        return ppo_loss(ppo, log_probs[chosen], entropy(log_probs, after.decision, len(value)), value, *batch)

    return gradient_of(model, loss, compile)
