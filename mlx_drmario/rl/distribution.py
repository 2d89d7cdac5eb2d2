"""The masked categorical distribution over placements, in the form that heads return (heads.masked_log_softmax).

MLX where gradients are needed, NumPy where actions are drawn: on a CPU that is several times faster.
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np


def log_prob(log_probs: mx.array, action: mx.array) -> mx.array:
    """Log-probability f32[B] of action i32[B] under log_probs f32[B, 512]."""
    return mx.take_along_axis(log_probs, action[:, None], axis=1).squeeze(1)


def entropy(log_probs: mx.array) -> mx.array:
    """Entropy f32[B] in nats; illegal entries contribute exactly 0."""
    return -(mx.exp(log_probs) * mx.maximum(log_probs, -100.0)).sum(axis=1)


def sample_numpy(rng: np.random.Generator, log_probs: np.ndarray) -> np.ndarray:
    """Draw i32[B] from log_probs f32[B, 512] by inverting the cumulative distribution.

    Rows without a legal entry (ended games) give 0.
    """
    cumulative = np.cumsum(np.exp(log_probs), axis=1)
    threshold = rng.random((len(log_probs), 1), np.float32) * cumulative[:, -1:]
    # The first entry whose cumulative mass exceeds the threshold has positive mass itself, so it is legal.
    return np.argmax(cumulative > threshold, axis=1).astype(np.int32)


def log_prob_numpy(log_probs: np.ndarray, action: np.ndarray) -> np.ndarray:
    """Log-probability f32[B] of action i32[B] under log_probs f32[B, 512]."""
    return np.take_along_axis(log_probs, action[:, None], axis=1)[:, 0]
