"""One iteration of PPO: play, estimate advantages, take update steps, account. `Learner` is what lasts between two.

A run with a budget in decisions is a pure function of (config, code, device, BLAS); a budget in minutes ties the
schedules to the clock. Games and minibatches are divided among shards (shard.py), which may live in several processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map

from mlx_drmario.nets.policy import make_policy
from mlx_drmario.observer import Observer
from mlx_drmario.rl.config import Stage
from mlx_drmario.rl.curriculum import Curriculum, Task
from mlx_drmario.rl.episodes import EpisodeWindow
from mlx_drmario.rl.fit import PlayingLearner
from mlx_drmario.rl.gradient import STEP_METRICS, compiled, make_apply
from mlx_drmario.rl.optimizer import adam, linear
from mlx_drmario.rl.parallel import OwnsShards, ProcessGroup, ShardThreads, sum_in_pairs
from mlx_drmario.rl.ppo import losses, state
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.ppo.shard import Shard
from mlx_drmario.rl.returns import explained_variance
from mlx_drmario.rl.rollout import Rollout, observation_layout
from mlx_drmario.rl.runs.checkpoint import Checkpoint


class Learner(PlayingLearner, OwnsShards[Shard]):
    """One run in memory: network, optimiser, shards and counters; `config.shards` must be resolved.

    Every process of the group must call its methods.
    """

    def __init__(
        self,
        config: PPORunConfig,
        processes: ProcessGroup | None = None,
        observer: Observer | None = None,
        restored: Checkpoint | None = None,
        fresh_games: bool = False,
    ) -> None:
        """Start anew or go on from `restored`, if `fresh_games` with other games than it holds.

        Raises ValueError when it belongs to another network.
        """
        super().__init__(config, config.env.stage, restored)
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
        shards = [Shard(config, i, model, observer, begun) for i, model in zip(self.indices, replicas, strict=True)]
        self.shards = ShardThreads(shards)
        if restored is not None:
            state.restore(self, restored, fresh_games)
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

    def iterate(self, held_seconds: Callable[[], float] = lambda: 0.0) -> dict[str, float]:
        """One rollout and the update steps on it, with schedules at `progress`. Returns all metrics.

        `held_seconds` says how long a callback has held the run up since it was asked last; that counts as no time.
        """
        ppo, counters, progress = self.config.ppo, self.counters, self.progress
        start = time.perf_counter()
        # What came between two iterations, an evaluation perhaps, took time as well.
        held_before = held_seconds()
        between = start - self.clock - held_before if self.clock else 0.0

        # Play: all shards with the same weights.
        task = self.curriculum.next() if self.curriculum else None
        weights = self.model.parameters()
        played = self.shards.map(lambda shard: shard.collect(weights, task))
        collected, held = time.perf_counter(), held_seconds()

        # Learn.
        rate = linear(ppo.learning_rate, ppo.final_learning_rate, progress)
        entropy_weight = linear(ppo.entropy, ppo.final_entropy, progress)
        variance = self._prepare(played)
        self.optimizer.learning_rate = mx.array(rate)
        steps = [self._step(entropy_weight) for _ in range(self.config.steps_per_iteration)]
        names = (*losses.METRICS, *STEP_METRICS)
        metrics = dict(zip(names, np.mean(steps, axis=0).tolist(), strict=True))

        # Account.
        terms = self._account([rollout for rollout, _ in played], task)
        frames, decisions = int(terms.pop("frames")), self.config.decisions_per_iteration
        end = self.clock = time.perf_counter()
        counters.decisions += decisions
        counters.frames += frames
        counters.iterations += 1
        counters.gradients += len(steps)
        seconds = np.array(between + end - start - held)
        counters.seconds += float(self.processes.gather([seconds])[0])  # the first process's clock
        return {
            **metrics,
            "stats/explained_variance": variance,
            "stats/learning_rate": rate,
            "stats/entropy_weight": entropy_weight,
            "stats/progress": progress,
            **self.window.metrics(),
            **(self.curriculum.metrics() if self.curriculum else {}),
            **{f"reward/{name}": total / decisions for name, total in terms.items()},
            "time/seconds": counters.seconds,
            "perf/sps_frames_total": frames / (end - start - held),
            "perf/dps_decisions_total": decisions / (end - start - held),
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

    def _account(self, rollouts: list[Rollout], task: Task | None) -> dict[str, float]:
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


def make_curriculum(config: PPORunConfig) -> Curriculum:
    """The curriculum of a run at its first stage."""
    rollouts = -(-config.env.max_decisions // config.ppo.horizon)  # in which the longest games end
    return Curriculum(config.curriculum, config.env.num_envs, rollouts, config.seed)
