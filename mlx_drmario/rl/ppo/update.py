"""The update step: the gradient of PPO's loss on one minibatch, and Adam's step along a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_reduce

from mlx_drmario.nets.policy import ActorCritic
from mlx_drmario.rl.ppo.config import PPOConfig
from mlx_drmario.rl.ppo.losses import ppo_loss

STEP_METRICS = ("stats/grad_norm", "stats/param_norm")
"""What `make_apply`'s function returns, in order: before clipping, and after the step."""

Gradient = Callable[..., tuple[mx.array, Any]]
"""(planes, scalars, legal, afterstates or (), action, old log-prob, advantage, target, entropy weight)
-> (f32[5], losses.METRICS; gradient): means over the minibatch."""

Function = TypeVar("Function", bound=Callable[..., Any])


def make_gradient(model: ActorCritic, ppo: PPOConfig) -> Gradient:
    """Return the function from a (part of a) minibatch to its metrics and the gradient of its loss."""

    def loss(planes: mx.array, scalars: mx.array, legal: mx.array, after: Any, *batch: mx.array) -> Any:
        log_probs, value = model(planes, scalars, legal, after or None)
        return ppo_loss(ppo, log_probs, value, *batch)

    loss_and_gradient = nn.value_and_grad(model, loss)

    def gradient(*batch: Any) -> tuple[mx.array, Any]:
        (_, metrics), tree = loss_and_gradient(*batch)
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
