"""A shard of a run that learns from search: a share of its games, and replicas of its networks.

Shards work side by side in threads (parallel.py). Each draws from the run's seed and its own number, plays and judges
its own games, and takes minibatches from these; so what they compute together does not depend on their timing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlx_drmario import Search
from mlx_drmario.nets.heads import Afterstates, Columns
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.mirror import equal_colors, mirrored_actions, mirrored_planes
from mlx_drmario.nets.policy import make_policy
from mlx_drmario.observer import Observer
from mlx_drmario.rl.actor import NetworkActor
from mlx_drmario.rl.afterstates import AfterstateRows, padded
from mlx_drmario.rl.clone.config import CloneRunConfig
from mlx_drmario.rl.clone.losses import judgement_loss, targets, weights_of
from mlx_drmario.rl.clone.retries import Retries, position_of
from mlx_drmario.rl.distribution import log_of_shares
from mlx_drmario.rl.gradient import gradient_of
from mlx_drmario.rl.rollout import Collector, Rollout
from mlx_drmario.search import parse, roots_of
from mlx_drmario.spec import ACTIONS

Batch = tuple[NDArray[Any], NDArray[Any], Columns, NDArray[Any], NDArray[Any], NDArray[Any]]
"""planes u8[B, C, 16, 8], scalars f32[B, S], placements, target f32[M], weight f32[B], value f32[B]"""

FRAMES = 1000.0
"""The value is minus the frames to go, in so many."""
MOST = 30_000.0
"""Frames to go that more than so many count as: of most futures that are lost."""


class Shard:
    """Number `index` of `config.shards` equal parts; a `rollout.Actor` for its own games."""

    def __init__(
        self, config: CloneRunConfig, index: int, layout: ObservationLayout, observer: Observer | None = None
    ) -> None:
        self.config, self.layout = config, layout
        env = config.env.share(config.shards)
        self.teacher, self.budget = Search(threads=env.threads), asdict(parse(config.clone.teacher))
        self.learning, self.playing = (make_policy(config.net, layout, config.seed) for _ in range(2))
        seed = (config.seed, 1, index)
        self.collector = Collector(
            env, config.reward, config.clone.horizon, seed, facts=self.learning.facts, observer=observer, part=index
        )
        self.retries = Retries(config, index, self.learning.facts) if config.clone.retries else None
        self.rng = np.random.default_rng([config.seed, 2, index])
        self.games = self.collector.games  # those that are being played
        self.states: list[NDArray[Any]] = []  # of every step of games from their start: structured [N]
        self.judged: list[NDArray[np.float32]] = []  # of every decision of all rollouts: f32[M], frames to go
        self.agreed: list[float] = []
        self.followed = 1.0
        self.actor = NetworkActor(self.playing)
        self.gradient = gradient_of(self.learning, self._loss, config.compile)
        self.minibatches: Iterator[Batch] = iter(())

    def collect(self, weights: Any, followed: float) -> list[Rollout]:
        """Play with `weights`, the teacher taking a share `followed` of the decisions: a rollout of games from their
        start, then one of those that are tried again. Prepares what `differentiate` goes through: all of their
        decisions once per epoch, in a fresh random order."""
        self.playing.update(weights)
        self.followed = followed
        self.judged, self.agreed = [], []
        rollouts = [self._play(self.collector)]
        if self.retries:
            self.retries.learn(rollouts[0], np.stack(self.states))
            self.retries.place()
            rollouts.append(self._play(self.retries.collector))
        self.minibatches = self.batches(rollouts)
        return rollouts

    @property
    def agreement(self) -> float:
        """Share of decisions in games from their start in which the network's favourite was the teacher's choice."""
        return float(np.mean(self.agreed[: self.config.clone.horizon]))

    def _play(self, collector: Collector) -> Rollout:
        self.games, self.states = collector.games, []
        return collector.collect(self)

    def act(
        self, planes: NDArray[Any], scalars: NDArray[Any], after: AfterstateRows
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `rollout.Actor`: the network's favourite, as in its games later, the teacher's choice and a random
        one, in their shares.

        On the way the teacher judges every placement, which is what will be learnt.
        """
        if self.retries and self.games is self.collector.games:
            self.states.append(position_of(self.games))
        every = np.arange(len(planes))
        decision, action, _ = after.take(every)
        choice, frames = self.teacher.judge(**roots_of(self.games.view), **self.budget)
        self.judged.append(frames[decision, action])
        log_probs, value = self.actor.act(planes, scalars, after)
        own = log_probs.argmax(axis=1)
        self.agreed.append(float((own == choice).mean()))
        share, planned = np.zeros((len(planes), ACTIONS)), 1 - self.config.clone.random_moves
        share[decision, action] = self.config.clone.random_moves / np.bincount(decision)[decision]
        share[every, own] += planned * (1 - self.followed)
        share[every, choice] += planned * self.followed
        return log_of_shares(share), value

    def value(self, planes: NDArray[Any], scalars: NDArray[Any]) -> NDArray[np.float32]:
        """See `rollout.Actor`; not used: the value is the teacher's."""
        return np.zeros(len(planes), np.float32)

    def batches(self, rollouts: list[Rollout]) -> Iterator[Batch]:
        """This shard's parts of the minibatches of all epochs; a decision is seen in a mirror half of the time."""
        settings, size = self.config.clone, self.config.clone.minibatch // self.config.shards
        planes = np.concatenate([rollout.planes.reshape(-1, *rollout.planes.shape[2:]) for rollout in rollouts])
        scalars = np.concatenate([rollout.scalars.reshape(-1, rollout.scalars.shape[2]) for rollout in rollouts])
        after = AfterstateRows.join([rows for rollout in rollouts for rows in rollout.after])
        judged = np.concatenate(self.judged)
        least = np.minimum.reduceat(judged, after.first[:-1])
        wanted = targets(
            settings, np.repeat(np.arange(len(planes), dtype=np.int32), np.diff(after.first)), judged, least
        )
        value = (-np.minimum(least, MOST) / FRAMES).astype(np.float32)
        viruses, level = (np.rint(scalars[:, at] * unit).astype(np.int64) for at, unit in progress_scalars(self.layout))
        equal = equal_colors(scalars, self.layout)
        for _ in range(settings.epochs):
            order = self.rng.permutation(len(planes))
            for first in range(0, len(order), size):
                at = order[first : first + size]
                turned = self.rng.random(len(at)) < 0.5
                decision, action, facts = after.take(at)
                action = np.where(turned[decision], mirrored_actions(action, equal[at][decision]), action)
                columns, target = padded((decision, action, facts), len(at)), wanted[after.rows(at)]
                target = np.pad(target, (0, len(columns[0]) - len(target)))
                weight = weights_of(settings, viruses[at], level[at])
                seen = planes[at]
                seen[turned] = mirrored_planes(seen[turned], equal[at][turned], self.layout)
                yield seen, scalars[at], columns, target, weight, value[at]

    def differentiate(self, weights: Any) -> tuple[mx.array, Any]:
        """(losses of judgement and of value f32[2], gradient) at `weights` of the next minibatch's part, evaluated."""
        self.learning.update(weights)
        return self.gradient(*next(self.minibatches))

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

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: arrays and plain values."""
        retries = {"retries": self.retries.state()} if self.retries else {}
        return {"games": self.collector.state(), "rng": self.rng.bit_generator.state, **retries}

    def load(self, state: dict[str, Any]) -> None:
        """Undo `state`."""
        self.collector.load(state["games"], self.config.env.stage)
        self.rng.bit_generator.state = state["rng"]
        if self.retries:
            self.retries.load(state["retries"], self.config.env.stage)


def progress_scalars(layout: ObservationLayout) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the scalars are that say how many viruses are left and which level it is, and their units."""
    names = ("viruses_left/84", "level/20")
    viruses, level = ((layout.scalar_names.index(name), int(name.partition("/")[2])) for name in names)
    return viruses, level
