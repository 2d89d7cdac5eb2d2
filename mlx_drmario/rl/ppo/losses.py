"""PPO's losses (Schulman et al. 2017) as pure functions of arrays; every mean is over the batch."""

from __future__ import annotations

import mlx.core as mx

from mlx_drmario.rl.ppo.config import PPOConfig

METRICS = ("loss/policy", "loss/value", "loss/entropy", "stats/approx_kl", "stats/clip_fraction")
"""What `ppo_loss` returns beside the loss, in order."""


def ppo_loss(
    ppo: PPOConfig,
    log_prob: mx.array,
    entropy: mx.array,
    value: mx.array,
    old_log_prob: mx.array,
    advantage: mx.array,
    target: mx.array,
    entropy_weight: mx.array,
) -> tuple[mx.array, mx.array]:
    """The loss of a minibatch, and f32[5], METRICS.

    All f32[B] but the weight. Of the chosen placement log_prob is what the network says now, old_log_prob what it said
    in the rollout, which advantage and target are of as well.
    """
    policy = policy_loss(log_prob, old_log_prob, advantage, ppo.clip)
    value_error = value_loss(value, target)
    mean_entropy = entropy.mean()
    loss = policy + ppo.value * value_error - entropy_weight * mean_entropy
    kl = approx_kl(log_prob, old_log_prob)
    clipped = clip_fraction(log_prob, old_log_prob, ppo.clip)
    return loss, mx.stack([policy, value_error, mean_entropy, kl, clipped])


def policy_loss(log_prob: mx.array, old_log_prob: mx.array, advantage: mx.array, clip: float) -> mx.array:
    """Clipped surrogate: -mean(min(ratio * A, clip(ratio, 1 - clip, 1 + clip) * A)). All f32[B]."""
    ratio = mx.exp(log_prob - old_log_prob)
    clipped = mx.clip(ratio, 1 - clip, 1 + clip)
    return -mx.minimum(ratio * advantage, clipped * advantage).mean()


def value_loss(value: mx.array, target: mx.array) -> mx.array:
    """Half the mean squared error. f32[B]."""
    return 0.5 * mx.square(value - target).mean()


def approx_kl(log_prob: mx.array, old_log_prob: mx.array) -> mx.array:
    """Estimate KL(old || new) by mean(ratio - 1 - log ratio): never negative, low variance (Schulman's k3)."""
    log_ratio = log_prob - old_log_prob
    return (mx.exp(log_ratio) - 1 - log_ratio).mean()


def clip_fraction(log_prob: mx.array, old_log_prob: mx.array, clip: float) -> mx.array:
    """Share of the batch whose ratio lies outside 1 +- clip."""
    return (mx.abs(mx.exp(log_prob - old_log_prob) - 1) > clip).astype(mx.float32).mean()
