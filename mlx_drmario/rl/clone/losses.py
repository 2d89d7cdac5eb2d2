"""What is learnt of a teacher's judgement, and how far a network is from it."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlx_drmario.rl.clone.config import CloneConfig

QUARTERS = 4


def targets(
    config: CloneConfig, decision: NDArray[np.int32], frames: NDArray[np.float32], least: NDArray[np.float32]
) -> NDArray[np.float32]:
    """f32[M]: how likely each placement is to be learnt; sums to 1 over the placements of every decision.

    decision: i32[M], rows of B decisions that each have some placement
    frames: f32[M], what the teacher expects after each, inf where it did not look; least: f32[B], of each decision.
    """
    count = len(least)
    behind = frames - least[decision]
    share = np.exp(-behind / config.temperature) if config.temperature else (behind == 0).astype(np.float32)
    share = share / np.bincount(decision, share, count)[decision]
    if config.smoothing:
        legal = np.bincount(decision, minlength=count)[decision]
        share = (1 - config.smoothing) * share + config.smoothing / legal
    return share.astype(np.float32)


def weights_of(config: CloneConfig, viruses: NDArray[np.integer], levels: NDArray[np.integer]) -> NDArray[np.float32]:
    """f32[B], mean 1: how much every decision counts. viruses left and level of each, [B].

    With `config.balance` the quarters of the bottles (full to almost empty) that occur count the same together.
    """
    if not config.balance:
        return np.ones(len(viruses), np.float32)
    full = 4 * np.minimum(levels, 20).astype(np.int64) + 4
    quarter = (QUARTERS * np.minimum(viruses, full) - 1) // full
    counts = np.bincount(quarter, minlength=QUARTERS)
    return (len(viruses) / (np.count_nonzero(counts) * counts[quarter])).astype(np.float32)


def judgement_loss(
    config: CloneConfig,
    log_probs: mx.array,
    decision: mx.array,
    target: mx.array,
    weight: mx.array,
) -> mx.array:
    """Mean cross entropy between the target and the network, less the target's own entropy (so 0 is perfect).

    log_probs, decision i32[M] and target f32[M] are of the placements, rows of padding having decision B and target 0;
    weight f32[B]. With `config.focal` g every term is multiplied by (1 - p)^g, where 1 - p counts as a millionth at
    least: at p = 1 a g below 1 has no slope.
    """
    said = mx.maximum(log_probs, -100.0)
    distance = target * (mx.log(mx.maximum(target, 1e-12)) - said)
    if config.focal:
        distance = distance * mx.power(mx.maximum(1 - mx.exp(said), 1e-6), config.focal)
    return (distance * mx.pad(weight, [(0, 1)])[decision]).sum() / len(weight)
