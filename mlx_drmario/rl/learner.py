"""The update step: gradients of PPO's loss on one minibatch, in one or more threads, then one optimiser step.

On a CPU the matrix products of one MLX stream use one core. With `shards` = 2 a minibatch is cut in two equal parts, a
second thread (with its own stream) computes the gradient of the second part, and the average is applied: the same step
as on the whole minibatch, up to rounding. Sums have a fixed order, so runs stay reproducible bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_map

from mlx_drmario.nets.policy import ActorCritic, make_policy
from mlx_drmario.rl import dist, losses
from mlx_drmario.rl.config import PPOConfig, TrainConfig

STEP_METRICS = (
    "loss/policy",
    "loss/value",
    "loss/entropy",
    "stats/approx_kl",
    "stats/clip_fraction",
    "stats/grad_norm",
)
"""What a step returns, in order."""

Gradient = Callable[..., tuple[mx.array, Any]]
"""(planes, scalars, legal, action, old log-prob, advantage, target, entropy weight) -> (metrics f32[5], gradient)."""


class Learner:
    """Owns the optimiser and, beside the model itself, one replica of it per extra shard."""

    def __init__(self, model: ActorCritic, optimizer: optim.Optimizer, config: TrainConfig) -> None:
        self.model = model
        self.optimizer = optimizer
        self.shards = config.shards
        compiled = mx.compile if config.compile else _uncompiled
        # Tracing writes to the module that is traced: every thread gets its own, and it is an output as well.
        self.replicas = [make_policy(config.net, model.layout, config.seed) for _ in range(1, config.shards)]
        self.gradients = [
            compiled(make_gradient(module, config.ppo), inputs=[module.state], outputs=[module.state])
            for module in (model, *self.replicas)
        ]
        state = [model.state, optimizer.state]
        self.apply = compiled(make_apply(model, optimizer, config.ppo), inputs=state, outputs=state)
        # One single-thread pool per replica: a compiled function and its stream belong to the thread that traced it.
        self.threads = [ThreadPoolExecutor(1, thread_name_prefix="learner") for _ in self.replicas]

    def step(self, minibatches: Iterable[Sequence[np.ndarray]], entropy_weight: float) -> np.ndarray:
        """Take one optimiser step along the mean gradient of minibatches (each a list of columns), one after the other.

        Changes weights and optimiser state in place; returns f32[len(STEP_METRICS)].
        """
        for replica in self.replicas:
            replica.update(self.model.parameters())  # references to the evaluated arrays, no copy
        results: list[tuple[mx.array, Any]] = []
        parts = 0
        for minibatch in minibatches:
            if parts:  # keep only the sum of what is there
                results = [tree_map(lambda *leaves: sum(leaves[1:], leaves[0]), *results)]
                mx.eval(results)
            results += self._gradients(minibatch, entropy_weight)
            parts += self.shards
        metrics, gradient = tree_map(lambda *leaves: sum(leaves[1:], leaves[0]) / parts, *results)
        norm = self.apply(gradient)
        mx.eval(self.model.state, self.optimizer.state, norm, metrics)
        return np.append(np.asarray(metrics), np.asarray(norm))

    def _gradients(self, minibatch: Sequence[np.ndarray], entropy_weight: float) -> list[tuple[mx.array, Any]]:
        """(metrics, gradient) of every shard's part."""
        pieces = list(zip(*(np.array_split(column, self.shards) for column in minibatch), strict=True))
        pending = [
            thread.submit(_evaluate, gradient, piece, entropy_weight)
            for thread, gradient, piece in zip(self.threads, self.gradients[1:], pieces[1:], strict=True)
        ]
        results = [_evaluate(self.gradients[0], pieces[0], entropy_weight)]
        return results + [future.result() for future in pending]

    def close(self) -> None:
        """End the threads. Without this MLX (0.32) may abort at exit, when their streams outlive them."""
        for thread in self.threads:
            thread.submit(mx.clear_streams).result()
            thread.shutdown()
        self.threads = []


def make_gradient(model: ActorCritic, ppo: PPOConfig) -> Gradient:
    """Return the function from a (part of a) minibatch to its metrics and the gradient of its mean loss."""

    def loss(
        planes: mx.array,
        scalars: mx.array,
        legal: mx.array,
        action: mx.array,
        old_log_prob: mx.array,
        advantage: mx.array,
        target: mx.array,
        entropy_weight: mx.array,
    ) -> tuple[mx.array, mx.array]:
        log_probs, value = model(planes, scalars, legal)
        log_prob = dist.log_prob(log_probs, action)
        policy = losses.policy_loss(log_prob, old_log_prob, advantage, ppo.clip)
        value_error = losses.value_loss(value, target)
        entropy = dist.entropy(log_probs).mean()
        kl = losses.approx_kl(log_prob, old_log_prob)
        clipped = losses.clip_fraction(log_prob, old_log_prob, ppo.clip)
        total = policy + ppo.value * value_error - entropy_weight * entropy
        return total, mx.stack([policy, value_error, entropy, kl, clipped])

    loss_and_gradient = nn.value_and_grad(model, loss)

    def gradient(*batch: mx.array) -> tuple[mx.array, Any]:
        (_, metrics), tree = loss_and_gradient(*batch)
        return metrics, tree

    return gradient


def make_apply(model: ActorCritic, optimizer: optim.Optimizer, ppo: PPOConfig) -> Callable[[Any], mx.array]:
    """Return the function that clips a gradient, takes the optimiser's step, and returns the norm before clipping."""

    def apply(gradient: Any) -> mx.array:
        gradient, norm = optim.clip_grad_norm(gradient, ppo.max_grad_norm)
        optimizer.update(model, gradient)
        return norm

    return apply


def _evaluate(gradient: Gradient, piece: Sequence[np.ndarray], entropy_weight: float) -> tuple[mx.array, Any]:
    """Run in the thread that owns `gradient`; the result is evaluated, so it may cross to another thread."""
    metrics, tree = gradient(*(mx.array(column) for column in piece), mx.array(entropy_weight))
    mx.eval(metrics, tree)
    return metrics, tree


def _uncompiled(function: Callable[..., Any], inputs: Any = None, outputs: Any = None) -> Callable[..., Any]:
    return function
