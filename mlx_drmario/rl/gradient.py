"""Update steps: the gradient of a loss of what a network says of placements, and the optimiser's step along it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_reduce

from mlx_drmario.nets.device import default_device
from mlx_drmario.nets.heads import Afterstates
from mlx_drmario.nets.native import native
from mlx_drmario.nets.policy import ActorCritic
from mlx_drmario.rl.device import compiler_problem

PARAM_NORM = "stats/param_norm"
"""Metric of every learner: the norm of all weights, after the step."""
GRAD_NORM = "stats/grad_norm"
STEP_METRICS = (GRAD_NORM, PARAM_NORM)
"""What `make_apply`'s function returns, in order: before clipping, and after the step."""

Loss = Callable[..., tuple[mx.array, mx.array]]
"""What is learnt from -> (loss, metrics); of `gradient_of` that is (log-probabilities f32[M], values f32[B], the
placements, ...)."""

Gradient = Callable[..., tuple[mx.array, Any]]
"""(planes u8[B, C, 16, 8], scalars f32[B, S], columns of placements, ...) -> (metrics, gradient)"""

Function = TypeVar("Function", bound=Callable[..., Any])


def gradient_of(model: ActorCritic, loss: Loss, compile: bool) -> Gradient:
    """Return the function from (planes, scalars, rows of placements, what else `loss` takes), all of numpy arrays, to
    the evaluated metrics and the gradient of the loss."""
    outside = native(model)

    def loss_of(weights: Any, inputs: Any, scalars: mx.array, after: Any, *batch: mx.array) -> Any:
        model.update(weights)
        after = Afterstates(*after)  # mx.compile passes plain tuples
        if outside:
            log_probs, value = outside.judge(inputs, scalars, after)
        else:
            log_probs, value = model.judge(model.see(inputs[0], scalars), scalars, after)
        return loss(log_probs, value, after, *batch)

    differentiate = mx.value_and_grad(loss_of, argnums=(0, 1) if outside else 0)
    function = compiled(lambda *given: differentiate(model.trainable_parameters(), *given), compile, [model.state])

    def gradient(planes: np.ndarray, scalars: np.ndarray, after: Any, *batch: np.ndarray) -> tuple[mx.array, Any]:
        given = (mx.array(scalars), tuple(map(mx.array, after)), *map(mx.array, batch))
        weights = model.trainable_parameters()
        looked = outside.look(planes, scalars, after) if outside else None
        (_, metrics), derived = function(looked.inputs if looked else (mx.array(planes),), *given)
        mx.eval(metrics, derived)  # so that they may cross to another thread
        model.update(weights)  # what the function left there was of its own making, and not evaluated
        if outside is None or looked is None:
            return metrics, derived
        tree, of_inputs = derived
        outside.complete(tree, looked, of_inputs)
        return metrics, tree

    return gradient


def make_apply(model: nn.Module, optimizer: optim.Optimizer, max_norm: float) -> Callable[[Any], mx.array]:
    """Return the function that scales a gradient down to `max_norm` and takes the optimiser's step.

    It returns f32[2], STEP_METRICS.
    """

    def apply(gradient: Any) -> mx.array:
        gradient, norm = optim.clip_grad_norm(gradient, max_norm)
        optimizer.update(model, gradient)
        return mx.stack([norm, norm_of(model)])

    return apply


def make_update(model: nn.Module, optimizer: optim.Optimizer, loss: Loss, compile: bool) -> Callable[..., mx.array]:
    """Return the function from what `loss` takes to its metrics, which takes the optimiser's step; compiled if that is
    wanted."""
    gradient = nn.value_and_grad(model, loss)

    def update(*batch: mx.array) -> mx.array:
        (_, metrics), tree = gradient(*batch)
        optimizer.update(model, tree)
        return metrics

    return compiled(update, compile, [model.state, optimizer.state])


def norm_of(model: nn.Module) -> mx.array:
    """The norm of all weights."""
    squares = tree_reduce(lambda total, w: total + mx.square(w).sum(), model.trainable_parameters(), mx.array(0.0))
    return mx.sqrt(squares)


def compiled(function: Function, wanted: bool, state: Any) -> Function:
    """`mx.compile` if that is wanted, and possible here (else RuntimeWarning says why not). Tracing writes to the
    modules it meets, so `state` is an output as well."""
    if not wanted:
        return function
    problem = compiler_problem() if default_device() == mx.cpu else None
    if problem is not None:
        warnings.warn(f"mx.compile is {problem}", RuntimeWarning, stacklevel=1)  # one place, so said once
        return function
    return cast(Function, mx.compile(function, inputs=state, outputs=state))
