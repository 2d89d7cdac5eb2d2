"""Learns from search on the network's own games (DAgger): play, be judged, learn the judgement.

At every decision the teacher says how many frames it expects after each placement; the network learns the placements in
proportion, and the least of them as its value. A run with a budget in decisions is a pure function of (config, code,
device, BLAS), and a resumed one goes on bit for bit.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map
from numpy.typing import NDArray

from mlx_drmario.nets.device import default_device
from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl.callback import Callback
from mlx_drmario.rl.clone.config import CloneRunConfig
from mlx_drmario.rl.clone.shard import Shard
from mlx_drmario.rl.episodes import EpisodeWindow
from mlx_drmario.rl.fit import PlayingLearner, RunResult, fit, kept, restore_kept
from mlx_drmario.rl.gradient import STEP_METRICS, compiled, make_apply
from mlx_drmario.rl.optimizer import adam, linear
from mlx_drmario.rl.parallel import OwnsShards, ShardThreads, sum_in_pairs
from mlx_drmario.rl.rollout import observation_layout
from mlx_drmario.rl.runs import checkpoint, directory


def train(
    config: CloneRunConfig, run: Path | str, callback: Callback | None = None, *, resume: bool = False
) -> RunResult:
    """Train into directory `run` until the budget is spent or the callback, which sees every step, stops it.

    Raises what directory.prepare raises about the directory, ValueError for another network's checkpoint.
    """
    run, config = Path(run), resolve(config)
    with (
        directory.prepare(run, config, resume),
        Learner(config, checkpoint.resumed(run, resume), callback) as learner,
    ):
        if learner.progress < 1:
            directory.record(run, config, learner.decisions)
        return fit(learner, config, run, learner.callback)


def resolve(config: CloneRunConfig) -> CloneRunConfig:
    """Replace automatic settings by what they come to on this device; the run directory records the result."""
    even = not any(count % 2 for count in (config.env.num_envs, config.clone.minibatch, config.clone.retries))
    return dataclasses.replace(config, shards=config.shards or (2 if even and default_device() == mx.cpu else 1))


class Learner(PlayingLearner, OwnsShards[Shard]):
    """One run in memory; `config.shards` must be resolved."""

    def __init__(
        self,
        config: CloneRunConfig,
        restored: checkpoint.Checkpoint | None = None,
        callback: Callback | None = None,
    ) -> None:
        """Begin, or go on from `restored`. Raises ValueError for another network's checkpoint."""
        super().__init__(config, restored, callback)
        self.config = config
        self.layout = observation_layout(config.env.planes)
        self.learning, self.playing = (make_policy(config.net, self.layout, config.seed) for _ in range(2))
        self.optimizer = adam(config.clone.learning_rate)
        self.optimizer.init(self.learning.trainable_parameters())
        self.shards = ShardThreads([Shard(config, index, self.layout, self.callback) for index in range(config.shards)])
        if restored is not None:
            self._restore(restored)
        mx.eval(self.learning.state, self.playing.state, self.optimizer.state)
        state = [self.learning.state, self.optimizer.state]
        apply = make_apply(self.learning, self.optimizer, config.clone.max_grad_norm)
        self.apply = compiled(apply, config.compile, state)

    @property
    def followed(self) -> float:
        """Share of decisions that the teacher takes now."""
        weaning = self.config.clone.weaning
        return linear(1.0, self.config.clone.follow, min(1.0, self.progress / weaning) if weaning else 1.0)

    def iterate(self) -> dict[str, float]:
        """One rollout, judged, and the gradients on it; returns the metrics."""
        settings, followed = self.config.clone, self.followed
        start = self.begin()
        weights = self.playing.parameters()
        collected = self.shards.map(lambda shard: shard.collect(weights, followed))
        played, held = time.perf_counter(), self.callback.held_seconds()
        self.window.add(np.concatenate([rollouts[0].episodes for rollouts in collected], axis=1))
        rate = linear(settings.learning_rate, settings.learning_rate / 50, self.progress)
        self.optimizer.learning_rate = mx.array(rate)
        losses = [self._step() for _ in range(self.config.steps_per_iteration)]
        decisions = sum(rollout.action.size for rollouts in collected for rollout in rollouts)
        frames = sum(int(rollout.tau.sum(dtype=np.int64)) for rollouts in collected for rollout in rollouts)
        end = time.perf_counter()
        return {
            **dict(zip(("loss/judgement", "loss/value", *STEP_METRICS), np.mean(losses, axis=0).tolist(), strict=True)),
            "stats/agreement": float(np.mean([shard.agreement for shard in self.shards.shards])),
            "stats/followed": followed,
            "stats/learning_rate": rate,
            **self.account(decisions, frames, end - start - held),
            "perf/rollout_seconds": played - start - held,
            "perf/update_seconds": end - played,
        }

    def _step(self) -> NDArray[np.float32]:
        """One step along the mean gradient of all shards, and the average moves; returns f32[4]: losses of judgement
        and value, and STEP_METRICS."""
        weights = self.learning.parameters()
        total = sum_in_pairs(self.shards.map(lambda shard: shard.differentiate(weights)))
        metrics, gradient = tree_map(lambda leaf: leaf / self.config.shards, total)
        norms = self.apply(gradient)
        self.counters.gradients += 1
        self.callback.on_gradient()
        left = min(self.config.clone.average, self.counters.gradients / (10 + self.counters.gradients))
        average = tree_map(
            lambda old, new: left * old + (1 - left) * new, self.playing.parameters(), self.learning.parameters()
        )
        self.playing.update(average)
        mx.eval(self.learning.state, self.playing.state, self.optimizer.state, norms, metrics)
        return np.concatenate([np.asarray(metrics), np.asarray(norms)])

    def content(self, log_bytes: int) -> checkpoint.Content:
        """What a checkpoint holds; `log_bytes` is the length of the metrics that belong to it."""
        self.counters.log_bytes = log_bytes
        state = {
            "counters": dataclasses.asdict(self.counters),
            "learning": kept(self.learning),
            "window": self.window.state(),
            "shards": {str(index): shard.state() for index, shard in enumerate(self.shards.shards)},
        }
        return checkpoint.Content.of(self.decisions, self.playing, self.optimizer, state, self.config.net, self.layout)

    def _restore(self, restored: checkpoint.Checkpoint) -> None:
        state = restored.state
        if state.get("shards", {}).get("0", {}).keys() != self.shards.shards[0].state().keys():
            raise ValueError(f"checkpoint {restored.path} is of an older version, whose runs cannot go on in this one")
        restored.restore(self.playing, self.optimizer, self.config.net, self.layout)
        restore_kept(self.learning, state["learning"])
        self.window = EpisodeWindow.of(state["window"])
        for index, shard in enumerate(self.shards.shards):
            shard.load(state["shards"][str(index)])
