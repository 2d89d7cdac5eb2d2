"""Positions from shortly before a game was lost, to be played again.

Games that are lost are rare and look alike: few viruses, tall towers, capsules that fall too fast to get past them. So
a network that learns from its own games meets too few of them to learn what to do there, though its teacher knows.
Every rollout therefore goes on from some of them for a few decisions (compare the restarts of T. Salimans and R. Chen,
"Learning Montezuma's Revenge from a Single Demonstration", 2018).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.lib.recfunctions import repack_fields
from numpy.typing import NDArray

from mlx_drmario import Decisions
from mlx_drmario.rl.clone.config import RETRY_DECISIONS, CloneRunConfig
from mlx_drmario.rl.rollout import Collector, Rollout

BACK = 40
"""Decisions before the loss from which a position is taken, at most."""
OF_A_GAME = 8
"""Positions of one lost game, at most."""
POOL = 512
"""Positions that are kept, of all shards together: the latest."""


def position_of(games: Decisions) -> NDArray[Any]:
    """Copies of the states of all games, structured [N], without the bytes of no meaning that lie between the fields
    of `games.state`: checkpoints hold them."""
    return repack_fields(games.state)


class Retries:
    """The positions of one shard, and the games that go on from them; nobody observes those."""

    def __init__(self, config: CloneRunConfig, index: int, facts: tuple[str, ...]) -> None:
        env = config.env.share(config.shards)
        games = dataclasses.replace(env, num_envs=config.clone.retries // config.shards)
        seed = (config.seed, 3, index)
        self.collector = Collector(games, config.reward, RETRY_DECISIONS, seed, facts=facts)
        self.rng = np.random.default_rng([config.seed, 4, index])
        self.pool = position_of(self.collector.games)[:0]  # structured [0..POOL / shards], the latest last
        self.most = POOL // config.shards

    def place(self) -> None:
        """Put all games on positions drawn from the pool; while that is empty they are games like any other."""
        if len(self.pool):
            drawn = self.pool[self.rng.integers(0, len(self.pool), self.collector.games.num_envs)]
            self.collector.games.set_state(drawn, drawn["reserve"])

    def learn(self, rollout: Rollout, states: NDArray[Any]) -> None:
        """Keep positions of the games that were lost, or too long, in a rollout; states: of every decision [T, N]."""
        ended = rollout.episodes
        for t, n in np.argwhere(ended["done"] & ~ended["cleared"]):
            seen = min(BACK, int(t) + 1, int(ended["decisions"][t, n]))
            before = self.rng.permutation(seen)[:OF_A_GAME]
            self.pool = np.concatenate([self.pool, states[t - before, n]])
        self.pool = self.pool[-self.most :]

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: arrays and plain values."""
        return {
            "games": self.collector.state(),
            "rng": self.rng.bit_generator.state,
            "pool": np.frombuffer(self.pool.tobytes(), np.uint8),
        }

    def load(self, state: dict[str, Any], stage: Any) -> None:
        """Undo `state`."""
        self.collector.load(state["games"], stage)
        self.rng.bit_generator.state = state["rng"]
        self.pool = np.frombuffer(state["pool"].tobytes(), self.pool.dtype)
