"""The decisions of the last iterations, in the order of time, and their n-step returns.

Axis letters: T decisions per iteration, N games, L decisions kept of each game (T times as many iterations).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.rollout import Rollout

COLUMNS = ("planes", "scalars", "action", "reward", "tau", "terminated", "truncated")


class Replay:
    """A ring of whole rollouts; a rollout goes on where the one before it ended."""

    def __init__(self, iterations: int, steps: int, gamma: float) -> None:
        self.iterations, self.steps, self.gamma = iterations, steps, gamma
        self.kept: list[dict[str, NDArray[Any]]] = []
        self.after_kept: list[list[AfterstateRows]] = []

    def add(self, rollout: Rollout) -> None:
        """Copy a rollout, drop the oldest when there are too many, and work the returns out anew."""
        self.kept = [*self.kept, {name: getattr(rollout, name).copy() for name in COLUMNS}][-self.iterations :]
        self.after_kept = [*self.after_kept, list(rollout.after)][-self.iterations :]
        joined = {name: np.concatenate([part[name] for part in self.kept]) for name in COLUMNS}
        length, self.games = joined["tau"].shape
        self.columns = {name: column.reshape(length * self.games, *column.shape[2:]) for name, column in joined.items()}
        self.after = AfterstateRows.join([rows for part in self.after_kept for rows in part])
        self.reward, self.discount, usable = n_step(
            joined["reward"], joined["tau"], joined["terminated"], joined["truncated"], self.steps, self.gamma
        )
        self.usable = np.flatnonzero(usable)

    def sample(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Usable decisions i64[B], with replacement."""
        return self.usable[rng.integers(0, len(self.usable), count)]

    def later(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """The decisions of the same games `steps` later, i64[B] (which count for nothing where the discount is 0)."""
        return at + self.steps * self.games

    def facts(self, at: NDArray[np.int64]) -> NDArray[np.float32]:
        """f32[B, F]: what the placements that were chosen did."""
        decision, action, facts = self.after.take(at)
        chosen = action == self.columns["action"][at][decision]
        return facts[chosen]


def n_step(
    reward: NDArray[np.float32],
    tau: NDArray[np.uint32],
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
    steps: int,
    gamma: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """(return of the next decisions f32[D], discount of what comes after them f32[D], usable bool[D]), D = L * N.

    With d_j = gamma^(tau_0 + ... + tau_j): sum over j < steps of d_j reward_j (a reward comes at the end of its
    decision, as in returns.smdp_gae), and d_{steps - 1}; after the end of a game both count no more. Not usable: the
    last `steps` decisions, whose games are not known to the end, and those within reach of a truncation, where what
    comes after is not kept. Arguments are [L, N].
    """
    length, games = tau.shape
    begun = max(0, length - steps)
    total, discount = np.zeros((length, games), np.float32), np.ones((length, games), np.float32)
    going, usable = np.ones((length, games), np.bool_), np.zeros((length, games), np.bool_)
    usable[:begun] = True
    for j in range(steps):
        now = slice(j, j + begun)
        discount[:begun] *= np.where(going[:begun], np.power(np.float32(gamma), tau[now].astype(np.float32)), 1)
        total[:begun] += np.where(going[:begun], discount[:begun] * reward[now], 0)
        usable[:begun] &= ~(going[:begun] & truncated[now])
        going[:begun] &= ~terminated[now]
    discount[~going] = 0
    return total.reshape(-1), discount.reshape(-1), usable.reshape(-1)
