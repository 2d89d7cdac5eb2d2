"""QR-DQN from top to bottom (W. Dabney, M. Rowland, M. Bellemare and R. Munos, AAAI 2018), over placements.

Play an iteration with some random placements among the best ones, keep its decisions, take gradients on decisions of
the last iterations; until the budget is spent. Targets are semi-Markov and of several steps: discounted rewards, then
the quantiles of the best placement by the target network. With a budget in decisions a run is a pure function of
(config, code, device, BLAS). A resumed run starts its games and its replay anew: only network, optimiser and counters
are in a checkpoint.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlx_drmario.nets.heads import Afterstates
from mlx_drmario.nets.outcome import FACTS
from mlx_drmario.nets.quantile import QuantileNet, make_quantile_net
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.callback import Callback
from mlx_drmario.rl.distribution import log_of_shares
from mlx_drmario.rl.episodes import EpisodeWindow
from mlx_drmario.rl.evaluator.losses import quantile_huber
from mlx_drmario.rl.fit import PlayingLearner, RunResult, fit
from mlx_drmario.rl.gradient import PARAM_NORM, make_update, norm_of
from mlx_drmario.rl.optimizer import adam, linear
from mlx_drmario.rl.qrdqn.config import QRDQNRunConfig
from mlx_drmario.rl.qrdqn.replay import Replay
from mlx_drmario.rl.rollout import Collector
from mlx_drmario.rl.runs import checkpoint, directory
from mlx_drmario.spec import ACTIONS


def train(
    config: QRDQNRunConfig, run: Path | str, callback: Callback | None = None, *, resume: bool = False
) -> RunResult:
    """Train into directory `run` until the budget is spent or the callback, which sees every step, stops it.

    Raises what directory.prepare raises about the directory, ValueError for another network's checkpoint.
    """
    run = Path(run)
    with directory.prepare(run, config, resume):
        learner = Learner(config, checkpoint.resumed(run, resume), callback)
        if learner.progress < 1:
            directory.record(run, config, learner.decisions)
        return fit(learner, config, run, learner.callback)


class Learner(PlayingLearner):
    """One run in memory; a `rollout.Actor` for its own games."""

    def __init__(
        self,
        config: QRDQNRunConfig,
        restored: checkpoint.Checkpoint | None = None,
        callback: Callback | None = None,
    ) -> None:
        super().__init__(config, restored, callback)
        self.config = config
        horizon, seed = config.qrdqn.horizon, (config.seed, 1, self.decisions)
        self.collector = Collector(config.env, config.reward, horizon, seed, facts=FACTS, observer=self.callback)
        self.layout = self.collector.layout
        self.model, self.target = (make_quantile_net(config.net, self.layout, config.seed) for _ in range(2))
        self.optimizer = adam(config.qrdqn.learning_rate)
        self.optimizer.init(self.model.trainable_parameters())
        if restored is not None:
            restored.restore(self.model, self.optimizer, config.net, self.layout)
            if "window" in restored.state:  # those of before 2026-11-29 have none
                self.window = EpisodeWindow.of(restored.state["window"])
        self.target.update(self.model.parameters())
        mx.eval(self.model.state, self.target.state, self.optimizer.state)
        self.replay = Replay(config.qrdqn.replay, config.qrdqn.steps, config.qrdqn.gamma)
        self.rng = np.random.default_rng([config.seed, 2, self.decisions])
        self.update = make_update(self.model, self.optimizer, self._loss, config.compile)

    @property
    def epsilon(self) -> float:
        """Share of random placements now."""
        exploring = self.config.qrdqn.exploring
        done = min(1.0, self.progress / exploring) if exploring else 1.0
        return linear(1.0, self.config.qrdqn.epsilon, done)

    def iterate(self) -> dict[str, float]:
        """One rollout and the gradients after it; returns the metrics."""
        settings, epsilon = self.config.qrdqn, self.epsilon
        start = self.begin()
        rollout = self.collector.collect(self)
        self.replay.add(rollout)
        self.window.add(rollout.episodes)
        rate = linear(settings.learning_rate, settings.learning_rate / 20, self.progress)
        self.optimizer.learning_rate = mx.array(rate)
        losses = [self._learn() for _ in range(settings.gradients if len(self.replay.usable) else 0)]
        seconds = time.perf_counter() - start - self.callback.held_seconds()
        return {
            **({"loss/quantiles": float(np.mean(losses))} if losses else {}),
            PARAM_NORM: float(norm_of(self.model)),
            "stats/epsilon": epsilon,
            "stats/learning_rate": rate,
            "stats/value": float(rollout.value.mean()),
            **self.account(rollout.action.size, int(rollout.tau.sum(dtype=np.int64)), seconds),
            **{f"reward/{name}": total / rollout.action.size for name, total in rollout.terms.items()},
        }

    def act(
        self, planes: NDArray[Any], scalars: NDArray[Any], after: AfterstateRows
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `rollout.Actor`: the best placement, or with chance `epsilon` any."""
        every = np.arange(len(planes))
        decision, action, quantiles = self._of_placements(self.model, planes, scalars, after.take(every))
        best, value = best_of(decision, quantiles.mean(axis=1), len(planes))
        share = np.zeros((len(planes), ACTIONS))
        share[decision, action] = self.epsilon / np.bincount(decision)[decision]
        share[every, action[best]] += 1 - self.epsilon
        return log_of_shares(share), value.astype(np.float32)

    def value(self, planes: NDArray[Any], scalars: NDArray[Any]) -> NDArray[np.float32]:
        """See `rollout.Actor`; not used: targets are made from the replay."""
        return np.zeros(len(planes), np.float32)

    def _of_placements(
        self, model: QuantileNet, planes: NDArray[Any], scalars: NDArray[Any], columns: Any
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """decision and action i32[M], and quantiles of the return f32[M, K], of all legal placements."""
        features = model.encode(mx.array(planes), mx.array(scalars))
        said = model.of_placements(features, Afterstates(*map(mx.array, columns))).quantiles
        return columns[0], columns[1], np.asarray(said)

    def _learn(self) -> float:
        """One gradient on decisions of the replay."""
        if self.counters.gradients % self.config.qrdqn.target_every == 0:
            self.target.update(self.model.parameters())
        self.counters.gradients += 1
        at = self.replay.sample(self.rng, self.config.qrdqn.minibatch)
        columns = self.replay.columns
        batch = [columns["planes"][at], columns["scalars"][at], columns["action"][at], self.replay.facts(at)]
        loss = self.update(*map(mx.array, batch), mx.array(self.targets(at)))
        mx.eval(self.model.state, self.optimizer.state, loss)
        return float(np.asarray(loss))

    def targets(self, at: NDArray[np.int64]) -> NDArray[np.float32]:
        """f32[B, K]: samples of the return of decisions i64[B]."""
        replay, later = self.replay, self.replay.later(at)
        planes, scalars = replay.columns["planes"][later], replay.columns["scalars"][later]
        decision, _, quantiles = self._of_placements(self.target, planes, scalars, replay.after.take(later))
        best, _ = best_of(decision, quantiles.mean(axis=1), len(at))
        return np.asarray(replay.reward[at, None] + replay.discount[at, None] * quantiles[best], np.float32)

    def _loss(
        self, planes: mx.array, scalars: mx.array, action: mx.array, facts: mx.array, target: mx.array
    ) -> tuple[mx.array, mx.array]:
        """See `gradient.Loss`; the metric is the loss."""
        after = Afterstates(mx.arange(len(action)), action, facts)
        said = self.model.of_placements(self.model.encode(planes, scalars), after)
        loss = quantile_huber(said.quantiles, target, self.config.qrdqn.kappa).mean()
        return loss, loss

    def content(self, log_bytes: int) -> checkpoint.Content:
        """What a checkpoint holds; `log_bytes` is the length of the metrics that belong to it."""
        self.counters.log_bytes = log_bytes
        state = {"counters": dataclasses.asdict(self.counters), "window": self.window.state()}
        return checkpoint.Content.of(self.decisions, self.model, self.optimizer, state, self.config.net, self.layout)


def best_of(
    decision: NDArray[np.int32], value: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The row i64[B] of the best placement of every decision, and its value f32[B]; every decision has some."""
    order = np.lexsort((-value, decision))
    best = order[np.searchsorted(decision, np.arange(count))]
    return best, value[best]
