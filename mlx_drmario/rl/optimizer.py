"""The optimiser, and the course of what falls over a run."""

from __future__ import annotations

import mlx.optimizers as optim

EPSILON = 1e-5
"""Adam's epsilon: 100 times larger than usual, as is customary for PPO."""


def adam(learning_rate: float) -> optim.Adam:
    """Adam with bias correction (Kingma and Ba 2015)."""
    return optim.Adam(learning_rate, eps=EPSILON, bias_correction=True)


def linear(first: float, last: float, progress: float) -> float:
    """Go from `first` to `last` as `progress` goes from 0 to 1."""
    return first + (last - first) * progress
