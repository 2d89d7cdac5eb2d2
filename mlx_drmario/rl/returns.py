"""Generalised advantage estimation for a semi-Markov process: a decision lasts tau frames, gamma is per frame.

Sources: Schulman et al. 2016 (GAE), Sutton, Precup and Singh 1999 (options, gamma^tau).
"""

from __future__ import annotations

import numpy as np


def smdp_gae(
    reward: np.ndarray,
    value: np.ndarray,
    last_value: np.ndarray,
    tau: np.ndarray,
    terminated: np.ndarray,
    truncated: np.ndarray,
    final_value: np.ndarray,
    *,
    gamma: float,
    gae_lambda: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (advantage, return), both f32[T, N].

    With d = gamma^tau_t:
        delta_t = d * (reward_t + next_value_t) - value_t
        advantage_t = delta_t + d * gae_lambda * advantage_{t+1}   (the second term only while the game goes on)
        return_t = advantage_t + value_t
    A decision's reward is earned when the decision is over (the bottle has settled, the last virus is gone), so it is
    discounted by the decision's own duration like everything after it: clearing the last virus sooner is worth more.
    next_value_t is 0 where the game terminated (cleared or topped out), `final_value` (the value of the game's own last
    observation) where it was truncated, else value_{t+1}. `gae_lambda` is per decision: it limits the number
    of bootstraps, not time.

    reward, value f32[T, N]; last_value f32[N] (of the observation after the rollout); tau u32[T, N] frames;
    terminated, truncated bool[T, N]; final_value f32[T, N] (read only where truncated); gamma per frame.
    """
    discount = np.power(np.float32(gamma), tau.astype(np.float32))
    next_value = np.concatenate([value[1:], last_value[None]])
    next_value = np.where(truncated, final_value, np.where(terminated, np.float32(0), next_value))
    delta = discount * reward + discount * next_value - value
    carry = np.where(terminated | truncated, np.float32(0), discount * np.float32(gae_lambda))
    advantage = np.empty_like(delta)
    running = np.zeros_like(last_value)
    for t in reversed(range(len(delta))):
        running = delta[t] + carry[t] * running
        advantage[t] = running
    return advantage, advantage + value


def explained_variance(prediction: np.ndarray, target: np.ndarray) -> float:
    """1 - Var(target - prediction) / Var(target); 0 when the target does not vary."""
    variance = float(np.var(target))
    return 0.0 if variance == 0.0 else 1.0 - float(np.var(target - prediction)) / variance
