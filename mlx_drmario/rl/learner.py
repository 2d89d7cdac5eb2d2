"""The update step: the gradient of PPO's loss on one minibatch, and the optimiser's step along a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_reduce

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.policy import ActorCritic, in_dtype
from mlx_drmario.rl import dist, losses
from mlx_drmario.rl.config import PPOConfig

GRADIENT_METRICS = ("loss/policy", "loss/value", "loss/entropy", "stats/approx_kl", "stats/clip_fraction")
"""What `make_gradient`'s function returns beside the gradient, in order."""
STEP_METRICS = ("stats/grad_norm", "stats/param_norm")
"""What `make_apply`'s function returns, in order: before clipping, and after the step."""

Gradient = Callable[..., tuple[mx.array, Any]]
"""(planes, scalars, legal, afterstates or (), action, old log-prob, advantage, target, entropy weight)
-> (metrics f32[5], gradient): means over the minibatch."""

Function = TypeVar("Function", bound=Callable[..., Any])


def make_gradient(model: ActorCritic, net: NetConfig, ppo: PPOConfig) -> Gradient:
    """Return the function from a (part of a) minibatch to its metrics and the gradient of its mean loss.

    The weights of `model` are float32, and so is the gradient, whatever type the network computes in.
    """

    def loss(
        planes: mx.array,
        scalars: mx.array,
        legal: mx.array,
        after: Any,
        action: mx.array,
        old_log_prob: mx.array,
        advantage: mx.array,
        target: mx.array,
        entropy_weight: mx.array,
    ) -> tuple[mx.array, mx.array]:
        model.update(in_dtype(net, model.trainable_parameters()))
        log_probs, value = model(planes, scalars, legal, after or None)
        log_prob = dist.log_prob(log_probs, action)
        policy = losses.policy_loss(log_prob, old_log_prob, advantage, ppo.clip)
        value_error = losses.value_loss(value, target)
        entropy = dist.entropy(log_probs).mean()
        kl = losses.approx_kl(log_prob, old_log_prob)
        clipped = losses.clip_fraction(log_prob, old_log_prob, ppo.clip)
        total = policy + ppo.value * value_error - entropy_weight * entropy
        return total, mx.stack([policy, value_error, entropy, kl, clipped])

    loss_and_gradient = nn.value_and_grad(model, loss)

    def gradient(*batch: Any) -> tuple[mx.array, Any]:
        weights = model.parameters()
        (_, metrics), tree = loss_and_gradient(*batch)
        model.update(weights)
        return metrics, tree

    return gradient


def make_apply(model: ActorCritic, optimizer: optim.Optimizer, ppo: PPOConfig) -> Callable[[Any], mx.array]:
    """Return the function that clips a gradient and takes the optimiser's step; it returns f32[2], STEP_METRICS."""

    def apply(gradient: Any) -> mx.array:
        gradient, norm = optim.clip_grad_norm(gradient, ppo.max_grad_norm)
        optimizer.update(model, gradient)
        squares = tree_reduce(lambda total, w: total + mx.square(w).sum(), model.trainable_parameters(), mx.array(0.0))
        return mx.stack([norm, mx.sqrt(squares)])

    return apply


def compiled(function: Function, wanted: bool, state: Any) -> Function:
    """`mx.compile` if that is wanted. Tracing writes to the modules it meets, so `state` is an output as well."""
    return cast(Function, mx.compile(function, inputs=state, outputs=state)) if wanted else function
