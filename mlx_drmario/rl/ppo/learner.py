"""One iteration of PPO: play, estimate advantages, take update steps, account. `Learner` is what lasts between two.

A run with a budget in decisions is a pure function of (config, code, device, BLAS); a budget in minutes ties the
schedules to the clock. Games and minibatches are divided among shards (shard.py), which may live in several processes.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map

from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl.callback import Callback
from mlx_drmario.rl.config import Stage
from mlx_drmario.rl.curriculum import Curriculum, Task
from mlx_drmario.rl.episodes import EpisodeWindow
from mlx_drmario.rl.fit import PlayingLearner
from mlx_drmario.rl.gradient import STEP_METRICS, compiled, make_apply
from mlx_drmario.rl.optimizer import adam, linear
from mlx_drmario.rl.parallel import OwnsShards, ProcessGroup, ShardThreads, sum_in_pairs
from mlx_drmario.rl.ppo import losses
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.ppo.shard import Shard
from mlx_drmario.rl.returns import explained_variance
from mlx_drmario.rl.rollout import Rollout, observation_layout
from mlx_drmario.rl.runs.checkpoint import Checkpoint, Content


class Learner(PlayingLearner, OwnsShards[Shard]):
    """One run in memory: network, optimiser, shards and counters; `config.shards` must be resolved.

    Every process of the group must call its methods.
    """

    def __init__(
        self,
        config: PPORunConfig,
        processes: ProcessGroup | None = None,
        callback: Callback | None = None,
        restored: Checkpoint | None = None,
        fresh_games: bool = False,
    ) -> None:
        """Start anew or go on from `restored`, if `fresh_games` with other games than it holds.

        Raises ValueError when it belongs to another network.
        """
        super().__init__(config, restored, callback)
        self.config = config
        self.processes = processes or ProcessGroup()
        self.layout = observation_layout(config.env.planes)
        self.model = make_policy(config.net, self.layout, config.seed)
        self.optimizer = adam(config.ppo.learning_rate)
        self.optimizer.init(self.model.trainable_parameters())
        self.curriculum = make_curriculum(config) if config.curriculum.enabled else None
        mine = config.shards // self.processes.size
        self.indices = range(self.processes.rank * mine, (self.processes.rank + 1) * mine)
        replicas = [self.model, *(make_policy(config.net, self.layout, config.seed) for _ in range(1, mine))]
        begun = self.counters.decisions
        parts = zip(self.indices, replicas, strict=True)
        self.shards = ShardThreads([Shard(config, index, model, callback, begun) for index, model in parts])
        if restored is not None:
            self._restore(restored, fresh_games)
        mx.eval(self.model.state, self.optimizer.state)
        changing = [self.model.state, self.optimizer.state]
        self.apply = compiled(
            make_apply(self.model, self.optimizer, config.ppo.max_grad_norm), config.compile, changing
        )
        self.clock: float | None = None  # end of the last iteration

    @property
    def stage(self) -> Stage:
        """What the games in training are."""
        return self.curriculum.stage if self.curriculum else super().stage

    def iterate(self) -> dict[str, float]:
        """One rollout and the update steps on it, with schedules at `progress`. Returns all metrics."""
        ppo, progress = self.config.ppo, self.progress
        start = time.perf_counter()
        # What came between two iterations, an evaluation perhaps, took time as well.
        held_before = self.callback.held_seconds()
        between = start - self.clock - held_before if self.clock else 0.0

        # Play: all shards with the same weights.
        task = self.curriculum.next() if self.curriculum else None
        weights = self.model.parameters()
        played = self.shards.map(lambda shard: shard.collect(weights, task))
        collected, held = time.perf_counter(), self.callback.held_seconds()

        # Learn.
        rate = linear(ppo.learning_rate, ppo.final_learning_rate, progress)
        entropy_weight = linear(ppo.entropy, ppo.final_entropy, progress)
        variance = self._prepare(played)
        self.optimizer.learning_rate = mx.array(rate)
        steps = [self._step(entropy_weight) for _ in range(self.config.steps_per_iteration)]
        names = (*losses.METRICS, *STEP_METRICS)
        metrics = dict(zip(names, np.mean(steps, axis=0).tolist(), strict=True))

        # Account.
        terms = self._count([rollout for rollout, _ in played], task)
        frames, decisions = int(terms.pop("frames")), self.config.decisions_per_iteration
        end = self.clock = time.perf_counter()
        self.counters.gradients += len(steps)
        clock = self.processes.gather([np.array([end - start - held, between])])[0]  # the first process's
        return {
            **metrics,
            "stats/explained_variance": variance,
            "stats/learning_rate": rate,
            "stats/entropy_weight": entropy_weight,
            **self.account(decisions, frames, *map(float, clock)),
            **(self.curriculum.metrics() if self.curriculum else {}),
            **{f"reward/{name}": total / decisions for name, total in terms.items()},
            "perf/rollout_seconds": collected - start - held,
            "perf/update_seconds": end - collected,
        }

    def _prepare(self, played: list[tuple[Rollout, np.ndarray]]) -> float:
        """Normalise advantages over the rollouts of all shards of all processes; returns the explained variance."""
        everything = self.processes.gather([np.stack([*estimates, rollout.value]) for rollout, estimates in played])
        advantage, target, value = np.moveaxis(everything, 1, 0)  # each [S, T, N]
        mean, deviation = advantage.mean(), advantage.std() + 1e-8

        def prepare(shard: Shard, given: tuple[Rollout, np.ndarray]) -> None:
            rollout, (own_advantage, own_target) = given
            shard.prepare(rollout, (own_advantage - mean) / deviation, own_target)

        self.shards.map(prepare, played)
        return explained_variance(value, target)

    def _step(self, entropy_weight: float) -> np.ndarray:
        """One optimiser step along the mean gradient of all shards; returns losses.METRICS and STEP_METRICS."""
        weights = self.model.parameters()
        parts = self.shards.map(lambda shard: shard.differentiate(weights, entropy_weight))
        total = self.processes.sum(sum_in_pairs(parts))
        metrics, gradient = tree_map(lambda leaf: leaf / self.config.shards, total)
        norms = self.apply(gradient)
        mx.eval(self.model.state, self.optimizer.state, norms, metrics)
        return np.append(np.asarray(metrics), np.asarray(norms))

    def _count(self, rollouts: list[Rollout], task: Task | None) -> dict[str, float]:
        """Count games and rewards of all shards; returns the sums of the reward's terms and of the frames."""
        shared = self.processes.gather([rollout.episodes for rollout in rollouts])  # [S, T, N]
        episodes = np.concatenate(list(shared), axis=1)
        if task is not None and task.fresh and not task.replayed:
            self.window = EpisodeWindow.empty()
        if task is None or not task.replayed:
            self.window.add(episodes)
            if self.curriculum:
                self.curriculum.count(episodes)
        sums = [np.array([*r.terms.values(), r.tau.sum(dtype=np.int64)], np.float64) for r in rollouts]
        return dict(zip([*rollouts[0].terms, "frames"], self.processes.gather(sums).sum(axis=0).tolist(), strict=True))

    def content(self, log_bytes: int) -> Content:
        """What a checkpoint holds; `log_bytes` is the length of the metrics that belong to it."""
        self.counters.log_bytes = log_bytes
        shards = self.processes.gather_objects([shard.state() for shard in self.shards.shards])
        state: dict[str, Any] = {
            "counters": dataclasses.asdict(self.counters),
            "window": self.window.state(),
            "games": games_of(self.config),
            "shards": {str(index): shard for index, shard in enumerate(shards)},
        }
        if self.curriculum:
            state["curriculum"] = self.curriculum.state()
        return Content.of(self.decisions, self.model, self.optimizer, state, self.config.net, self.layout)

    def _restore(self, restored: Checkpoint, fresh_games: bool) -> None:
        """Take over weights and optimiser; games and their accounts, too, if they are what the config asks for."""
        state, games = restored.state, games_of(self.config)
        restored.restore(self.model, self.optimizer, self.config.net, self.layout)
        same = state["games"] == games and not fresh_games
        if self.curriculum and state["games"]["curriculum"] == games["curriculum"]:
            self.curriculum.load(state["curriculum"])
            if not same:
                self.curriculum.restart()
        if same:
            self.window = EpisodeWindow.of(state["window"])
            for index, shard in zip(self.indices, self.shards.shards, strict=True):
                shard.load(state["shards"][str(index)], self.curriculum)


def games_of(config: PPORunConfig) -> dict[str, Any]:
    """What must be equal for the games of a checkpoint to go on: what they are, and how shards share them."""
    env = dataclasses.asdict(config.env)
    del env["threads"]  # never changes a result
    stages = dataclasses.asdict(config.curriculum) if config.curriculum.enabled else None
    return {"env": env, "shards": config.shards, "curriculum": stages}


def make_curriculum(config: PPORunConfig) -> Curriculum:
    """The curriculum of a run at its first stage."""
    rollouts = -(-config.env.max_decisions // config.ppo.horizon)  # in which the longest games end
    return Curriculum(config.curriculum, config.env.num_envs, rollouts, config.seed)
