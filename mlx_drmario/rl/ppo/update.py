"""The update step: the gradient of PPO's loss on one minibatch, and Adam's step along a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import mlx.core as mx
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_reduce

from mlx_drmario.nets.heads import Afterstates
from mlx_drmario.nets.policy import ActorCritic
from mlx_drmario.nets.sparse import SparseSight
from mlx_drmario.rl.distribution import entropy
from mlx_drmario.rl.ppo.config import PPOConfig
from mlx_drmario.rl.ppo.losses import ppo_loss

STEP_METRICS = ("stats/grad_norm", "stats/param_norm")
"""What `make_apply`'s function returns, in order: before clipping, and after the step."""

Gradient = Callable[..., tuple[mx.array, Any]]
"""(planes and scalars of B decisions; `Afterstates` of all their legal placements; i32[B], which of those rows was
chosen; old log-prob, advantage, target, entropy weight) -> (f32[5], losses.METRICS; gradient), means over the B."""

Function = TypeVar("Function", bound=Callable[..., Any])


def make_gradient(model: ActorCritic, ppo: PPOConfig, compile: bool) -> Gradient:
    """Return the function from a (part of a) minibatch, of numpy arrays, to its evaluated metrics and gradient."""
    sight = SparseSight(model) if SparseSight.serves(model) else None

    def loss(weights: Any, view: mx.array, scalars: mx.array, after: Any, chosen: mx.array, *batch: mx.array) -> Any:
        model.update(weights)
        after = Afterstates(*after)  # mx.compile passes plain tuples
        seen = view if sight else model.see(view, scalars)
        log_probs, value = model.judge(seen, scalars, after)
        return ppo_loss(ppo, log_probs[chosen], entropy(log_probs, after.decision, len(scalars)), value, *batch)

    differentiate = mx.value_and_grad(loss, argnums=(0, 1) if sight else 0)
    function = compiled(lambda *given: differentiate(model.trainable_parameters(), *given), compile, [model.state])

    def gradient(planes: np.ndarray, scalars: np.ndarray, after: Any, *batch: np.ndarray) -> tuple[mx.array, Any]:
        given = (mx.array(scalars), tuple(map(mx.array, after)), *map(mx.array, batch))
        weights = model.trainable_parameters()
        looked = sight.see(planes, scalars) if sight else None
        (_, metrics), derived = function(looked.seen if looked else mx.array(planes), *given)
        mx.eval(metrics, derived)  # so that they may cross to another thread
        model.update(weights)  # what the function left there was of its own making, and not evaluated
        if sight is None or looked is None:
            return metrics, derived
        tree, of_seen = derived
        sight.complete(tree, looked, of_seen)
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
