"""A shard: a share of a run's games, and a replica of the network that plays and differentiates in them.

A run is divided into shards that work side by side, in threads or processes (parallel.py). A shard draws its randomness
from the run's seed and its own number, and takes minibatches from its own games; what the shards compute together is
therefore the same wherever they live.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

from mlx_drmario.nets.policy import ActorCritic
from mlx_drmario.observer import Observer
from mlx_drmario.rl.actor import NetworkActor
from mlx_drmario.rl.afterstates import AfterstateRows, padded
from mlx_drmario.rl.curriculum import Curriculum, Task
from mlx_drmario.rl.evaluator.potential import FramesToGo
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.ppo.update import make_gradient
from mlx_drmario.rl.returns import smdp_gae
from mlx_drmario.rl.rollout import Collector, Rollout


class Flat(NamedTuple):
    """All decisions of a rollout as columns [D, ...]."""

    rank: np.ndarray  # i32[D]: which of the decision's afterstates was chosen
    planes: np.ndarray
    scalars: np.ndarray
    log_prob: np.ndarray
    advantage: np.ndarray
    target: np.ndarray


Minibatch = tuple[Flat, AfterstateRows, np.ndarray]
"""A rollout and its afterstates, and the rows i64[B] of this minibatch."""


class Shard:
    """Number `index` of `config.shards` equal parts.

    `decisions` is how far the run is when these games start: games that start anew in a resumed run are other ones.
    """

    def __init__(
        self,
        config: PPORunConfig,
        index: int,
        model: ActorCritic,
        observer: Observer | None = None,
        decisions: int = 0,
    ) -> None:
        self.config = config
        self.model = model

        shaping = config.shaping
        potential = None
        if shaping.evaluator is not None:
            potential = FramesToGo(shaping.evaluator, shaping.weight, config.ppo.gamma)

        def collector(stream: int) -> Collector:
            return Collector(
                config.env.share(config.shards),
                config.reward,
                config.ppo.horizon,
                (config.seed, stream, index, decisions),
                facts=model.facts,
                potential=potential,
                observer=observer,
                part=index,
            )

        self.frontier = collector(1)  # plays the stage in training
        self.replay = collector(3) if config.curriculum.enabled else None  # plays stages passed earlier
        self.shuffle = np.random.default_rng([config.seed, 2, index, decisions])
        self.actor = NetworkActor(model)
        self.gradient = make_gradient(model, config.ppo, config.compile)
        self.minibatches: Iterator[Minibatch] = iter(())

    def collect(self, weights: Any, task: Task | None = None) -> tuple[Rollout, np.ndarray]:
        """Play a rollout with `weights`; returns it and f32[2, T, N], advantage and value target."""
        self.model.update(weights)
        collector, ppo = self.frontier, self.config.ppo
        if task is not None:
            if task.replayed:
                assert self.replay is not None  # made when the curriculum is enabled
                collector = self.replay
            if task.fresh:
                collector.restart(task.stage)
        rollout = collector.collect(self.actor)
        estimates = smdp_gae(
            rollout.reward,
            rollout.value,
            rollout.last_value,
            rollout.tau,
            rollout.terminated,
            rollout.truncated,
            rollout.final_value,
            gamma=ppo.gamma,
            gae_lambda=ppo.gae_lambda,
        )
        return rollout, np.stack(estimates)

    def prepare(self, rollout: Rollout, advantage: np.ndarray, target: np.ndarray) -> None:
        """Set what `differentiate` goes through: all decisions once per epoch, in a fresh random order.

        advantage (normalised) and target are f32[T, N].
        """
        after = AfterstateRows.join(rollout.after)
        rank = after.rank(rollout.action.reshape(-1))
        columns: list[np.ndarray] = [rollout.planes, rollout.scalars, rollout.log_prob, advantage, target]
        flat = Flat(rank, *(column.reshape(-1, *column.shape[2:]) for column in columns))
        size = self.config.ppo.minibatch // self.config.shards

        def minibatches() -> Iterator[Minibatch]:
            for _ in range(self.config.ppo.epochs):
                order = self.shuffle.permutation(len(rank))
                for first in range(0, len(order), size):
                    yield flat, after, order[first : first + size]

        self.minibatches = minibatches()

    def differentiate(self, weights: Any, entropy_weight: float) -> tuple[mx.array, Any]:
        """(metrics, gradient) at `weights` of this shard's part of the next minibatch, evaluated."""
        self.model.update(weights)
        flat, after, rows = next(self.minibatches)
        placements = after.take(rows)
        first = np.searchsorted(placements[0], np.arange(len(rows)))
        rank, planes, scalars, *others = (column[rows] for column in flat)
        chosen = (first + rank).astype(np.int32)
        weight = np.float32(entropy_weight)
        return self.gradient(planes, scalars, padded(placements, len(rows)), chosen, *others, weight)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: arrays and plain values."""
        replay = {"replay": self.replay.state()} if self.replay else {}
        return {"frontier": self.frontier.state(), **replay, "shuffle": self.shuffle.bit_generator.state}

    def load(self, state: dict[str, Any], curriculum: Curriculum | None) -> None:
        """Undo `state`; the curriculum, if there is one, must be restored before."""
        self.frontier.load(state["frontier"], curriculum.stage if curriculum else self.frontier.stage)
        if self.replay and curriculum:
            self.replay.load(state["replay"], curriculum.replayed or self.replay.stage)
        self.shuffle.bit_generator.state = state["shuffle"]
