"""The losses of an evaluator as pure functions of arrays; every mean is over the rows that count."""

from __future__ import annotations

import mlx.core as mx

from mlx_drmario.nets.quantile import Outlook


def quantile_huber(quantiles: mx.array, target: mx.array, kappa: float) -> mx.array:
    """The quantile Huber loss f32[B] of quantiles f32[B, K] (levels (2 i + 1) / 2 K) against samples f32[B, T].

    mean over i and j of |level_i - 1{u_ij < 0}| L(u_ij) / kappa with u_ij = target_j - quantile_i and Huber's L, which
    is u^2 / 2 up to kappa and kappa (|u| - kappa / 2) beyond. W. Dabney, M. Rowland, M. Bellemare and R. Munos,
    "Distributional reinforcement learning with quantile regression", AAAI 2018, equations 9 and 10. As kappa goes to 0
    it becomes the quantile (pinball) loss of R. Koenker and G. Bassett, Econometrica 46 (1978) 33-50.
    """
    count = quantiles.shape[1]
    levels = (mx.arange(count) + 0.5) / count
    error = target[:, None, :] - quantiles[:, :, None]
    size = mx.abs(error)
    huber = mx.where(size <= kappa, 0.5 * mx.square(error), kappa * (size - 0.5 * kappa))
    return (mx.abs(levels[:, None] - (error < 0)) * huber / kappa).mean(axis=(1, 2))


def cross_entropy(log_odds: mx.array, chance: mx.array) -> mx.array:
    """Binary cross entropy f32[B] of log odds f32[B] against chances f32[B] in [0, 1], a proper scoring rule."""
    return mx.logaddexp(log_odds, mx.array(0.0)) - chance * log_odds


def outlook_loss(
    outlook: Outlook, target: mx.array, chance: mx.array, counts: mx.array, cleared: mx.array, kappa: float
) -> mx.array:
    """f32[2]: mean quantile loss of the rows that count and were cleared, mean cross entropy of those that count.

    target f32[B, T] scaled frames, of the cleared rows; chance f32[B] of being cleared; counts and cleared bool[B].
    Frames of a lost game are no time to clear, so they teach the quantiles nothing: those are conditional on clearing.
    """
    timed = (counts & cleared).astype(mx.float32)
    counted = counts.astype(mx.float32)
    times = (quantile_huber(outlook.quantiles, target, kappa) * timed).sum() / mx.maximum(timed.sum(), 1)
    clears = (cross_entropy(outlook.clear, chance) * counted).sum() / mx.maximum(counted.sum(), 1)
    return mx.stack([times, clears])
