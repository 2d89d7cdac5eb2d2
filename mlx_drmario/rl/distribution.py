"""The categorical distribution over legal placements, in the forms that heads return (nets/heads.py).

MLX where gradients are needed, NumPy where actions are drawn: on a CPU that is several times faster.
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from mlx_drmario.nets.heads import ILLEGAL, sum_rows


def entropy(log_probs: mx.array, decision: mx.array, batch: int) -> mx.array:
    """Entropy f32[B] in nats of every decision, of the log-probabilities f32[M] of its rows (heads.Head.of_rows)."""
    return -sum_rows(mx.exp(log_probs) * log_probs, decision, batch)[:batch]


def log_of_shares(share: np.ndarray) -> np.ndarray:
    """The logarithms f32[B, 512] of chances f64[B, 512]; ILLEGAL where a chance is 0, so that it stays 0."""
    return np.where(share > 0, np.log(np.maximum(share, 1e-30)), ILLEGAL).astype(np.float32)


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
