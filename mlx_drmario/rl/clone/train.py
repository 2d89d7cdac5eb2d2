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
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten, tree_map, tree_unflatten
from numpy.typing import NDArray

from mlx_drmario import Search
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.outcome import FACTS, Afterstates
from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl.afterstates import AfterstateRows, padded
from mlx_drmario.rl.clone.config import CloneRunConfig
from mlx_drmario.rl.clone.losses import judgement_loss, targets, weights_of
from mlx_drmario.rl.config import REWARD
from mlx_drmario.rl.episodes import EpisodeWindow
from mlx_drmario.rl.evaluator.listener import Listener
from mlx_drmario.rl.evaluator.train import FitResult
from mlx_drmario.rl.optimizer import adam, linear
from mlx_drmario.rl.ppo.update import compiled
from mlx_drmario.rl.rollout import Collector, Rollout, observation_layout
from mlx_drmario.rl.runs import checkpoint, directory
from mlx_drmario.rl.runs.recorder import Recorder
from mlx_drmario.search import parse, roots_of

FRAMES = 1000.0
"""The value is minus the frames to go, in so many."""
MOST = 30_000.0
"""Frames to go beyond which the value is not learnt: some future was lost."""
COUNTERS = ("decisions", "iterations", "gradients", "seconds", "log_bytes")


def train(config: CloneRunConfig, run: Path, listener: Listener | None = None, *, resume: bool = False) -> FitResult:
    """Train into directory `run` until the budget is spent or the listener stops it.

    Raises what directory.prepare raises about the directory, ValueError for another network's checkpoint.
    """
    listener = listener or Listener()
    with directory.prepare(run, config, resume):
        restored = checkpoint.load(run) if resume and checkpoint.available(run) else None
        learner = Learner(config, restored)
        metrics: dict[str, float] = {}
        with Recorder(run, config, offset=learner.log_bytes, step=learner.decisions) as recorder:
            while learner.progress < 1 and not listener.should_stop():
                metrics = learner.iterate()
                recorder.log.write(learner.decisions, metrics)
                if learner.iterations % config.checkpoint_every == 0 and learner.progress < 1:
                    recorder.save(learner.content(recorder.log.size))
                listener.on_iteration(learner.progress, metrics)
            recorder.save(learner.content(recorder.log.size))
            recorder.wait()
    return FitResult(run, checkpoint.directory(run, learner.decisions), metrics, learner.progress >= 1)


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
        self.collector = Collector(config.env, REWARD, horizon, seed, facts=self.learning.facts or FACTS)
        self.optimizer = adam(config.clone.learning_rate)
        self.optimizer.init(self.learning.trainable_parameters())
        self.rng = np.random.default_rng([config.seed, 2])
        self.window = EpisodeWindow.empty()
        self.judged: list[NDArray[np.float32]] = []  # of every decision of the rollout: f32[M], frames to go
        self.agreed: list[float] = []
        if restored is not None:
            self._restore(restored)
        mx.eval(self.learning.state, self.playing.state, self.optimizer.state)
        self.update = self._make_update()

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        config = self.config
        spent = self.seconds / (60 * config.minutes) if config.minutes else self.decisions / config.decisions
        return min(1.0, spent)

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
        judgement, value, norm = np.mean(losses, axis=0).tolist()
        return {
            "loss/judgement": judgement,
            "loss/value": value,
            "stats/grad_norm": norm,
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
        self, planes: NDArray[Any], scalars: NDArray[Any], legal: NDArray[Any], after: AfterstateRows | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `rollout.Actor`: the network's distribution, the teacher's choice and a random one, in their shares.

        On the way the teacher judges every placement, which is what will be learnt.
        """
        settings, every = self.config.clone, np.arange(len(legal))
        choice, frames = self.teacher.judge(**roots_of(self.collector.games.view), **self.budget)
        self.judged.append(frames[legal])
        log_probs, value = self._say(planes, scalars, legal, after)
        self.agreed.append(float((log_probs.argmax(axis=1) == choice).mean()))
        random = settings.random_moves * legal / np.maximum(legal.sum(axis=1, keepdims=True), 1)
        share = random + (1 - settings.random_moves) * (1 - self.followed) * np.exp(log_probs)
        share[every, choice] += (1 - settings.random_moves) * self.followed
        return np.log(np.maximum(share, 1e-30)).astype(np.float32), value

    def value(self, planes: NDArray[Any], scalars: NDArray[Any]) -> NDArray[np.float32]:
        """See `rollout.Actor`; not used: the value is the teacher's."""
        return np.zeros(len(planes), np.float32)

    def _say(
        self, planes: NDArray[Any], scalars: NDArray[Any], legal: NDArray[Any], after: AfterstateRows | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Log-probabilities f32[B, 512] and values f32[B] of the network that plays."""
        assert after is not None  # the collector was asked for them
        columns = Afterstates(*map(mx.array, after.take(np.arange(len(legal)))))
        said = self.playing(mx.array(planes), mx.array(scalars), mx.array(legal), columns)
        mx.eval(said)
        return np.asarray(said[0]), np.asarray(said[1])

    def batches(self, rollout: Rollout) -> Iterator[list[Any]]:
        """Arguments of the update: all decisions once per epoch, in a fresh random order."""
        settings = self.config.clone
        planes, scalars, legal = (
            column.reshape(-1, *column.shape[2:]) for column in (rollout.planes, rollout.scalars, rollout.legal)
        )
        after, judged = AfterstateRows.join(rollout.after), np.concatenate(self.judged)
        least = np.minimum.reduceat(judged, after.first[:-1])
        value = -np.minimum(least, MOST) / FRAMES
        names = progress_scalars(self.layout)
        viruses, level = (np.rint(scalars[:, at] * unit).astype(np.int64) for at, unit in names)
        for _ in range(settings.epochs):
            order = self.rng.permutation(len(planes))
            for first in range(0, len(order), settings.minibatch):
                at = order[first : first + settings.minibatch]
                rows = after.rows(at)
                decision, action, facts = after.take(at)
                target = targets(settings, decision, judged[rows], len(at))
                columns = padded((decision, action, facts), len(at))
                target = np.pad(target, (0, len(columns[0]) - len(target)))
                weight = weights_of(settings, viruses[at], level[at])
                seen = [mx.array(column[at]) for column in (planes, scalars, legal)]
                yield [*seen, tuple(map(mx.array, columns)), mx.array(target), mx.array(weight), mx.array(value[at])]

    def _learn(self, batch: list[Any]) -> NDArray[np.float32]:
        """One gradient, and the average moves; returns f32[3]: loss of judgement and value, norm of the gradient."""
        losses = self.update(*batch)
        self.gradients += 1
        kept = min(self.config.clone.average, self.gradients / (10 + self.gradients))
        average = tree_map(
            lambda old, new: kept * old + (1 - kept) * new, self.playing.parameters(), self.learning.parameters()
        )
        self.playing.update(average)
        mx.eval(self.learning.state, self.playing.state, self.optimizer.state, losses)
        return np.asarray(losses)

    def _make_update(self) -> Any:
        """The function from a batch to its losses, which takes the optimiser's step; compiled if that is wanted."""
        settings, model = self.config.clone, self.learning

        def loss_of(
            planes: mx.array,
            scalars: mx.array,
            legal: mx.array,
            after: Any,
            target: mx.array,
            weight: mx.array,
            value: mx.array,
        ) -> tuple[mx.array, tuple[mx.array, mx.array]]:
            log_probs, said = model(planes, scalars, legal, after)
            judgement = judgement_loss(settings, log_probs, after[0], after[1], target, weight)
            error = mx.square(said - value).mean()
            return judgement + settings.value * error, (judgement, error)

        gradient = nn.value_and_grad(model, loss_of)

        def update(*batch: Any) -> mx.array:
            (_, losses), tree = gradient(*batch)
            tree, norm = optim.clip_grad_norm(tree, settings.max_grad_norm)
            self.optimizer.update(model, tree)
            return mx.stack([*losses, norm])

        return compiled(update, self.config.compile, [model.state, self.optimizer.state])

    def content(self, log_bytes: int) -> checkpoint.Content:
        """What a checkpoint holds; `log_bytes` is the length of the metrics that belong to it."""
        self.log_bytes = log_bytes
        weights = dict(tree_flatten(self.learning.parameters()))
        return checkpoint.Content(
            decisions=self.decisions,
            model=dict(tree_flatten(self.playing.parameters())),
            optimizer=dict(tree_flatten(self.optimizer.state)),
            state={
                "counters": {name: getattr(self, name) for name in COUNTERS},
                "learning": {name.replace(".", "/"): np.array(weights[name]) for name in weights},
                "window": {"games": self.window.games.copy(), "count": self.window.count},
                "games": self.collector.state(),
                "rng": self.rng.bit_generator.state,
            },
            net=self.config.net,
            layout=self.layout,
        )

    def _restore(self, restored: checkpoint.Checkpoint) -> None:
        state = restored.state
        if restored.net != self.config.net or restored.layout != self.layout:
            raise ValueError(f"checkpoint {restored.path} belongs to another network: {restored.net}")
        vars(self).update(state["counters"])
        self.playing.load_weights(list(restored.model.items()))
        learning = state["learning"]
        self.learning.load_weights([(name.replace("/", "."), mx.array(learning[name])) for name in learning])
        self.optimizer.state = tree_unflatten(list(restored.optimizer.items()))
        self.window = EpisodeWindow(state["window"]["games"].copy(), state["window"]["count"])
        self.collector.load(state["games"], self.config.env.stage)
        self.rng.bit_generator.state = state["rng"]


def progress_scalars(layout: ObservationLayout) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the scalars are that say how many viruses are left and which level it is, and their units."""
    names = ("viruses_left/84", "level/20")
    viruses, level = ((layout.scalar_names.index(name), int(name.partition("/")[2])) for name in names)
    return viruses, level
