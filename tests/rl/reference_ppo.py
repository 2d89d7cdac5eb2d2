"""PPO's loss and its gradient in NumPy, by hand, for the MLP encoder with one hidden layer and the dense head.

Double precision, no automatic differentiation, nothing shared with the code under test.
"""

from typing import Any

import numpy as np


def forward(weights: dict[str, np.ndarray], inputs: np.ndarray, legal: np.ndarray) -> tuple[np.ndarray, ...]:
    """Hidden units f64[B, H], log-probabilities f64[B, 512] (-inf where illegal) and values f64[B]."""
    hidden = np.maximum(inputs @ weights["encoder.layers.0.weight"].T + weights["encoder.layers.0.bias"], 0)
    logits = hidden @ weights["head.score.weight"].T + weights["head.score.bias"]
    logits = np.where(legal, logits, -np.inf)
    top = logits.max(axis=1, keepdims=True)
    log_probs = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    return hidden, log_probs, hidden @ weights["value.weight"][0] + weights["value.bias"][0]


def loss_and_gradient(
    weights: dict[str, np.ndarray],
    inputs: np.ndarray,
    legal: np.ndarray,
    action: np.ndarray,
    old_log_prob: np.ndarray,
    advantage: np.ndarray,
    target: np.ndarray,
    entropy_weight: float,
    value_weight: float,
    clip: float,
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """inputs f64[B, I] is what the first layer sees. Returns the parts of the loss, and its gradient by weight."""
    hidden, log_probs, value = forward(weights, inputs, legal)
    rows, batch = np.arange(len(action)), len(action)
    p = np.exp(log_probs)
    finite = np.where(legal, log_probs, 0.0)
    entropy = -(p * finite).sum(axis=1)
    ratio = np.exp(log_probs[rows, action] - old_log_prob)
    free, bound = ratio * advantage, np.clip(ratio, 1 - clip, 1 + clip) * advantage
    parts = {
        "policy": -np.minimum(free, bound).mean(),
        "value": 0.5 * np.square(value - target).mean(),
        "entropy": entropy.mean(),
        "kl": (ratio - 1 - np.log(ratio)).mean(),
        "clipped": (np.abs(ratio - 1) > clip).mean(),
    }
    # The surrogate pulls at the log-probability of the action taken, unless the clipped branch is the smaller one.
    pull = np.where(free <= bound, -ratio * advantage, 0.0) / batch
    chosen = np.zeros_like(p)
    chosen[rows, action] = 1.0
    logits = pull[:, None] * (chosen - p)
    logits += entropy_weight / batch * p * (finite + entropy[:, None])
    values = value_weight * (value - target) / batch
    below = logits @ weights["head.score.weight"] + values[:, None] * weights["value.weight"]
    below = np.where(hidden > 0, below, 0.0)
    gradient: dict[str, Any] = {
        "head.score.weight": logits.T @ hidden,
        "head.score.bias": logits.sum(axis=0),
        "value.weight": (values @ hidden)[None],
        "value.bias": values.sum(keepdims=True),
        "encoder.layers.0.weight": below.T @ inputs,
        "encoder.layers.0.bias": below.sum(axis=0),
    }
    return parts, gradient
