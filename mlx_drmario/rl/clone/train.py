"""Learns from search on the network's own games (DAgger): play, be judged, learn the judgement.

At every decision the teacher says how many frames it expects after each placement; the network learns the placements in
proportion, and the least of them as its value. A run with a budget in decisions is a pure function of (config, code,
device, BLAS), and a resumed one goes on bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_map, tree_unflatten
from numpy.typing import NDArray

from mlx_drmario import Search
from mlx_drmario.nets.heads import Afterstates
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl.actor import NetworkActor
from mlx_drmario.rl.afterstates import AfterstateRows, Columns, padded
from mlx_drmario.rl.clone.config import CloneRunConfig
from mlx_drmario.rl.clone.losses import judgement_loss, targets, weights_of
from mlx_drmario.rl.config import REWARD
from mlx_drmario.rl.episodes import EpisodeWindow
from mlx_drmario.rl.fit import FitResult, fit, kept, restore_kept
from mlx_drmario.rl.gradient import STEP_METRICS, compiled, gradient_of, make_apply
from mlx_drmario.rl.listener import Listener
from mlx_drmario.rl.optimizer import adam, linear
from mlx_drmario.rl.rollout import Collector, Rollout, observation_layout
from mlx_drmario.rl.runs import checkpoint, directory
from mlx_drmario.search import parse, roots_of
from mlx_drmario.spec import ACTIONS

Batch = tuple[NDArray[Any], NDArray[Any], Columns, NDArray[Any], NDArray[Any], NDArray[Any]]
"""planes u8[B, C, 16, 8], scalars f32[B, S], placements, target f32[M], weight f32[B], value f32[B]"""

FRAMES = 1000.0
"""The value is minus the frames to go, in so many."""
MOST = 30_000.0
"""Frames to go beyond which the value is not learnt: some future was lost."""
COUNTERS = ("decisions", "iterations", "gradients", "seconds", "log_bytes")


def train(config: CloneRunConfig, run: Path, listener: Listener | None = None, *, resume: bool = False) -> FitResult:
    """Train into directory `run` until the budget is spent or the listener stops it.

    Raises what directory.prepare raises about the directory, ValueError for another network's checkpoint.
    """
    with directory.prepare(run, config, resume):
        restored = checkpoint.load(run) if resume and checkpoint.available(run) else None
        return fit(Learner(config, restored), config, run, listener or Listener())


class Learner:
    """One run in memory; a `rollout.Actor` for its own games."""

    def __init__(self, config: CloneRunConfig, restored: checkpoint.Checkpoint | None = None) -> None:
        """Begin, or go on from `restored`. Raises ValueError for another network's checkpoint."""
        self.config = config
        self.decisions = self.iterations = self.gradients = self.log_bytes = 0
        self.seconds = 0.0
        self.teacher, self.budget = Search(threads=config.env.threads), asdict(parse(config.clone.teacher))
        self.layout = observation_layout(config.env.planes)
        self.learning, self.playing = (make_policy(config.net, self.layout, config.seed) for _ in range(2))
        horizon, seed = config.clone.horizon, (config.seed, 1)
        self.collector = Collector(config.env, REWARD, horizon, seed, facts=self.learning.facts)
        self.optimizer = adam(config.clone.learning_rate)
        self.optimizer.init(self.learning.trainable_parameters())
        self.rng = np.random.default_rng([config.seed, 2])
        self.window = EpisodeWindow.empty()
        self.judged: list[NDArray[np.float32]] = []  # of every decision of the rollout: f32[M], frames to go
        self.agreed: list[float] = []
        if restored is not None:
            self._restore(restored)
        mx.eval(self.learning.state, self.playing.state, self.optimizer.state)
        self.actor = NetworkActor(self.playing)
        self.gradient = gradient_of(self.learning, self._loss, config.compile)
        state = [self.learning.state, self.optimizer.state]
        apply = make_apply(self.learning, self.optimizer, config.clone.max_grad_norm)
        self.apply = compiled(apply, config.compile, state)

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        return self.config.spent(self.decisions, self.seconds)

    @property
    def followed(self) -> float:
        """Share of decisions that the teacher takes now."""
        weaning = self.config.clone.weaning
        return linear(1.0, self.config.clone.follow, min(1.0, self.progress / weaning) if weaning else 1.0)

    def iterate(self) -> dict[str, float]:
        """One rollout, judged, and the gradients on it; returns the metrics."""
        start, settings, followed = time.perf_counter(), self.config.clone, self.followed
        self.judged, self.agreed = [], []
        rollout = self.collector.collect(self)
        played = time.perf_counter()
        self.window.add(rollout.episodes)
        rate = linear(settings.learning_rate, settings.learning_rate / 50, self.progress)
        self.optimizer.learning_rate = mx.array(rate)
        losses = [self._learn(batch) for batch in self.batches(rollout)]
        self.decisions += rollout.action.size
        self.iterations += 1
        end = time.perf_counter()
        self.seconds += end - start
        return {
            **dict(zip(("loss/judgement", "loss/value", *STEP_METRICS), np.mean(losses, axis=0).tolist(), strict=True)),
            "stats/agreement": float(np.mean(self.agreed)),
            "stats/followed": followed,
            "stats/learning_rate": rate,
            "stats/progress": self.progress,
            **self.window.metrics(),
            "time/seconds": self.seconds,
            "perf/dps_decisions_total": rollout.action.size / (end - start),
            "perf/rollout_seconds": played - start,
            "perf/update_seconds": end - played,
        }

    def act(
        self, planes: NDArray[Any], scalars: NDArray[Any], legal: NDArray[Any], after: AfterstateRows
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `rollout.Actor`: the network's distribution, the teacher's choice and a random one, in their shares.

        On the way the teacher judges every placement, which is what will be learnt.
        """
        every = np.arange(len(planes))
        decision, action, _ = after.take(every)
        choice, frames = self.teacher.judge(**roots_of(self.collector.games.view), **self.budget)
        self.judged.append(frames[decision, action])
        log_probs, value = self.actor.act(planes, scalars, legal, after)
        self.agreed.append(float((log_probs.argmax(axis=1) == choice).mean()))
        share, planned = np.zeros((len(planes), ACTIONS)), 1 - self.config.clone.random_moves
        share[decision, action] = self.config.clone.random_moves / np.bincount(decision)[decision]
        share += planned * (1 - self.followed) * np.exp(log_probs)
        share[every, choice] += planned * self.followed
        return np.log(np.maximum(share, 1e-30)).astype(np.float32), value

    def value(self, planes: NDArray[Any], scalars: NDArray[Any]) -> NDArray[np.float32]:
        """See `rollout.Actor`; not used: the value is the teacher's."""
        return np.zeros(len(planes), np.float32)

    def batches(self, rollout: Rollout) -> Iterator[Batch]:
        """What to learn from: all decisions once per epoch, in a fresh random order."""
        settings = self.config.clone
        planes, scalars = (column.reshape(-1, *column.shape[2:]) for column in (rollout.planes, rollout.scalars))
        after, judged = AfterstateRows.join(rollout.after), np.concatenate(self.judged)
        least = np.minimum.reduceat(judged, after.first[:-1])
        wanted = targets(
            settings, np.repeat(np.arange(len(planes), dtype=np.int32), np.diff(after.first)), judged, least
        )
        value = (-np.minimum(least, MOST) / FRAMES).astype(np.float32)
        viruses, level = (np.rint(scalars[:, at] * unit).astype(np.int64) for at, unit in progress_scalars(self.layout))
        for _ in range(settings.epochs):
            order = self.rng.permutation(len(planes))
            for first in range(0, len(order), settings.minibatch):
                at = order[first : first + settings.minibatch]
                columns, target = padded(after.take(at), len(at)), wanted[after.rows(at)]
                target = np.pad(target, (0, len(columns[0]) - len(target)))
                weight = weights_of(settings, viruses[at], level[at])
                yield planes[at], scalars[at], columns, target, weight, value[at]

    def _learn(self, batch: Batch) -> NDArray[np.float32]:
        """One gradient, and the average moves; returns f32[4]: loss of judgement and of value, and STEP_METRICS."""
        metrics, tree = self.gradient(*batch)
        norms = self.apply(tree)
        self.gradients += 1
        left = min(self.config.clone.average, self.gradients / (10 + self.gradients))
        average = tree_map(
            lambda old, new: left * old + (1 - left) * new, self.playing.parameters(), self.learning.parameters()
        )
        self.playing.update(average)
        mx.eval(self.learning.state, self.playing.state, self.optimizer.state, norms)
        return np.concatenate([np.asarray(metrics), np.asarray(norms)])

    def _loss(
        self,
        log_probs: mx.array,
        value: mx.array,
        after: Afterstates,
        target: mx.array,
        weight: mx.array,
        goal: mx.array,
    ) -> tuple[mx.array, mx.array]:
        """See `gradient.Loss`; the metrics are the losses of judgement and value."""
        settings = self.config.clone
        judgement = judgement_loss(settings, log_probs, after.decision, target, weight)
        error = mx.square(value - goal).mean()
        return judgement + settings.value * error, mx.stack([judgement, error])

    def content(self, log_bytes: int) -> checkpoint.Content:
        """What a checkpoint holds; `log_bytes` is the length of the metrics that belong to it."""
        self.log_bytes = log_bytes
        return checkpoint.Content(
            decisions=self.decisions,
            model=dict(tree_flatten(self.playing.parameters())),
            optimizer=dict(tree_flatten(self.optimizer.state)),
            state={
                "counters": {name: getattr(self, name) for name in COUNTERS},
                "learning": kept(self.learning),
                "window": {"games": self.window.games.copy(), "count": self.window.count},
                "games": self.collector.state(),
                "rng": self.rng.bit_generator.state,
            },
            net=self.config.net,
            layout=self.layout,
        )

    def _restore(self, restored: checkpoint.Checkpoint) -> None:
        state = restored.state
        restored.require(self.config.net, self.layout)
        vars(self).update(state["counters"])
        self.playing.load_weights(list(restored.model.items()))
        restore_kept(self.learning, state["learning"])
        self.optimizer.state = tree_unflatten(list(restored.optimizer.items()))
        self.window = EpisodeWindow(state["window"]["games"].copy(), state["window"]["count"])
        self.collector.load(state["games"], self.config.env.stage)
        self.rng.bit_generator.state = state["rng"]


def progress_scalars(layout: ObservationLayout) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the scalars are that say how many viruses are left and which level it is, and their units."""
    names = ("viruses_left/84", "level/20")
    viruses, level = ((layout.scalar_names.index(name), int(name.partition("/")[2])) for name in names)
    return viruses, level
