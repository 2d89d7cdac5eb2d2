"""A shard: a share of a run's games, and a replica of the network that plays and differentiates in them.

On a CPU the matrix products of one MLX stream use one core, so a run is divided into shards that work side by side,
each in a thread of its own (`Team`) or in another process (`group.Group`). A shard draws its randomness from the run's
seed and its own number, and takes minibatches from its own games; what the shards compute together is therefore the
same wherever they live.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map

from mlx_drmario.nets.afterstate import Afterstates
from mlx_drmario.nets.policy import ActorCritic, in_dtype
from mlx_drmario.rl.afterstates import AfterstateRows, padded
from mlx_drmario.rl.checkpoint import part
from mlx_drmario.rl.config import TrainConfig
from mlx_drmario.rl.curriculum import Curriculum, Lesson
from mlx_drmario.rl.learner import compiled, make_gradient
from mlx_drmario.rl.returns import smdp_gae
from mlx_drmario.rl.rollout import Collector, Rollout

Result = TypeVar("Result")


class Shard:
    """Number `index` of `config.shards` equal parts; a `rollout.Player` for its own games.

    Everything that computes must run in one and the same thread: a compiled function belongs to the thread that
    traced it.
    """

    def __init__(self, config: TrainConfig, index: int, model: ActorCritic) -> None:
        self.config = config
        self.model = model
        cores = max(1, (os.cpu_count() or 1) // config.shards)
        env = dataclasses.replace(
            config.env, num_envs=config.env.num_envs // config.shards, threads=config.env.threads or cores
        )

        def collector(stream: int) -> Collector:
            seed, needs = (config.seed, stream, index), (model.needs_afterstates, model.needs_bottles)
            return Collector(env, config.reward, config.ppo.horizon, seed, *needs)

        self.frontier = collector(1)
        self.replay = collector(3) if config.curriculum.enabled else None
        self.shuffle = np.random.default_rng([config.seed, 2, index])
        self.gradient = compiled(make_gradient(model, config.net, config.ppo), config.compile, [model.state])
        self.minibatches: Iterator[tuple[list[np.ndarray], AfterstateRows | None, np.ndarray]] = iter(())

    def act(
        self, planes: np.ndarray, scalars: np.ndarray, legal: np.ndarray, after: AfterstateRows | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `rollout.Player`. Not compiled: that does not pay for inference on a CPU (stack.md section 2)."""
        rows = None if after is None else after.take(np.arange(len(planes)))
        resolved = None if rows is None else Afterstates(*map(mx.array, rows))
        log_probs, value = self.model(mx.array(planes), mx.array(scalars), mx.array(legal), resolved)
        mx.eval(log_probs, value)
        return np.asarray(log_probs), np.asarray(value)

    def value(self, planes: np.ndarray, scalars: np.ndarray) -> np.ndarray:
        """See `rollout.Player`."""
        return np.asarray(self.model.value_of(mx.array(planes), mx.array(scalars)))

    def collect(self, weights: Any, lesson: Lesson | None) -> tuple[Rollout, np.ndarray]:
        """Play a rollout with `weights` and estimate its advantages.

        Returns the rollout and f32[2, T, N], advantage and value target.
        """
        self.model.update(in_dtype(self.config.net, weights))  # in float32 these are references, no copies
        collector, ppo = self.frontier, self.config.ppo
        if lesson is not None:
            if lesson.replayed:
                assert self.replay is not None  # made when the curriculum is enabled
                collector = self.replay
            if lesson.fresh:
                collector.restart(lesson.stage)
        rollout = collector.collect(self)
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
        observed, chosen = (rollout.planes, rollout.scalars, rollout.legal), (rollout.action, rollout.log_prob)
        columns: list[np.ndarray] = [*observed, *chosen, advantage, target]
        flat: list[np.ndarray] = [column.reshape(-1, *column.shape[2:]) for column in columns]
        after = AfterstateRows.join(rollout.after) if rollout.after else None
        size = self.config.ppo.minibatch // self.config.shards

        def minibatches() -> Iterator[tuple[list[np.ndarray], AfterstateRows | None, np.ndarray]]:
            for _ in range(self.config.ppo.epochs):
                order = self.shuffle.permutation(len(flat[0]))
                for first in range(0, len(order), size):
                    yield flat, after, order[first : first + size]

        self.minibatches = minibatches()

    def differentiate(self, weights: Any, entropy_weight: float) -> tuple[mx.array, Any]:
        """(metrics, gradient) at `weights`, summed over this shard's part of the next `accumulate` minibatches."""
        self.model.update(weights)
        total: tuple[mx.array, Any] | None = None
        for flat, after, rows in itertools.islice(self.minibatches, self.config.optimizer.accumulate):
            planes, scalars, legal, *others = (mx.array(column[rows]) for column in flat)
            resolved = () if after is None else tuple(map(mx.array, padded(after.take(rows), len(rows))))
            part = self.gradient(planes, scalars, legal, resolved, *others, mx.array(entropy_weight))
            total = part if total is None else tree_map(lambda a, b: a + b, total, part)
            mx.eval(total)  # evaluated, so that it may cross to another thread
        assert total is not None  # `prepare` provides enough minibatches for every step
        return total

    def save(self) -> dict[str, np.ndarray]:
        """Everything needed to go on, as arrays."""
        replay = {f"replay_{name}": value for name, value in self.replay.save().items()} if self.replay else {}
        shuffle = np.frombuffer(json.dumps(self.shuffle.bit_generator.state).encode(), np.uint8)
        return {**self.frontier.save(), **replay, "shuffle": shuffle}

    def load(self, state: dict[str, np.ndarray], curriculum: Curriculum | None) -> None:
        """Undo `save`; the curriculum, if there is one, must be restored before."""
        self.frontier.load(state, curriculum.stage if curriculum else self.frontier.stage)
        if self.replay and curriculum:
            self.replay.load(part(state, "replay_"), curriculum.replayed or self.replay.stage)
        self.shuffle.bit_generator.state = json.loads(state["shuffle"].tobytes())


class Team:
    """The shards of this process; the first works in the caller's thread, every other one in its own."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = list(shards)
        self._threads = [ThreadPoolExecutor(1, thread_name_prefix="shard") for _ in self.shards[1:]]

    def each(self, work: Callable[[Shard], Result]) -> list[Result]:
        """What `work` returns for every shard, all at the same time; MLX arrays in it must be evaluated."""
        return self.zip(lambda shard, _: work(shard), self.shards)

    def zip(self, work: Callable[[Shard, Any], Result], inputs: Sequence[Any]) -> list[Result]:
        """The same with one input for each shard."""
        others = zip(self._threads, self.shards[1:], inputs[1:], strict=True)
        pending = [thread.submit(work, shard, given) for thread, shard, given in others]
        return [work(self.shards[0], inputs[0]), *(future.result() for future in pending)]

    def close(self) -> None:
        """End the threads. Without this MLX (0.32) may abort at exit, when their streams outlive them."""
        for thread in self._threads:
            thread.submit(mx.clear_streams).result()
            thread.shutdown()
        self._threads = []
