"""From gradients to weights: the optimiser, the learning rate over a run, and averaged weights for evaluation."""

from __future__ import annotations

import math
from typing import Any

import mlx.core as mx
import mlx.optimizers as optim
from mlx.utils import tree_map

from mlx_drmario.rl.config import OptimizerConfig, PPOConfig

EPSILON = 1e-5
"""Adam's epsilon: 100 times larger than usual, as is customary for PPO."""


def make_optimizer(config: OptimizerConfig, learning_rate: float) -> optim.Adam:
    """Return Adam or AdamW, with bias correction."""
    if config.kind == "adamw":
        return optim.AdamW(learning_rate, eps=EPSILON, bias_correction=True, weight_decay=config.weight_decay)
    return optim.Adam(learning_rate, eps=EPSILON, bias_correction=True)


def learning_rate(config: OptimizerConfig, ppo: PPOConfig, progress: float, iteration: int) -> float:
    """Return the step size of an iteration (counted from 0) that starts at `progress` (0 to 1) of the budget.

    The schedule gives ppo.learning_rate at 0 and ppo.final_learning_rate at 1; warm-up multiplies it by 1/warmup in the
    first iteration, 2/warmup in the second, and so on up to 1.
    """
    first, last = ppo.learning_rate, ppo.final_learning_rate
    if config.schedule == "constant":
        rate = first
    elif config.schedule == "linear":
        rate = linear(first, last, progress)
    else:
        rate = last + (first - last) * 0.5 * (1 + math.cos(math.pi * progress))
    return rate * min(1.0, (iteration + 1) / config.warmup) if config.warmup else rate


def linear(first: float, last: float, progress: float) -> float:
    """Go from `first` to `last` as `progress` goes from 0 to 1."""
    return first + (last - first) * progress


def average(mean: Any, weights: Any, decay: float, step: int) -> Any:
    """Return the moving average of a parameter tree after optimiser step number `step` (from 1), evaluated.

    Early on the decay is (1 + step) / (10 + step) when that is smaller, so that the average does not remember the
    random weights of the start (the rule of TensorFlow's ExponentialMovingAverage).
    """
    share = 1.0 - min(decay, (1 + step) / (10 + step))
    moved = tree_map(lambda m, w: m + share * (w - m), mean, weights)
    mx.eval(moved)
    return moved
