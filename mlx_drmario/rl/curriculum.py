"""A ladder of stages: train on one until a sequential test certifies its clear rate, then on the next.

The test wants outcomes in an order that does not depend on them. Games end in another order than they start in (short
ones first, and those are often the won ones), so outcomes are counted in the order of the starts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mlx_drmario import stats
from mlx_drmario.rl.config import CurriculumConfig, Stage


class ReorderBuffer:
    """Hands out the outcomes of games in the order in which the games started, whatever order they end in."""

    def __init__(self, num_envs: int) -> None:
        self.ticket = np.arange(num_envs)  # of the game that each environment plays
        self.next = num_envs
        self.head = 0  # first ticket whose outcome was not handed out
        self.waiting: dict[int, bool] = {}

    def finish(self, done: np.ndarray, cleared: np.ndarray) -> list[bool]:
        """Games done (bool[N]) end with outcomes cleared (bool[N]), and new ones start. Returns what is due."""
        for n in np.flatnonzero(done):
            self.waiting[int(self.ticket[n])] = bool(cleared[n])
            self.ticket[n] = self.next
            self.next += 1
        due = []
        while self.head in self.waiting:
            due.append(self.waiting.pop(self.head))
            self.head += 1
        return due

    def state(self) -> dict[str, Any]:
        """Plain values."""
        waiting = [[ticket, cleared] for ticket, cleared in self.waiting.items()]
        return {"ticket": self.ticket.tolist(), "next": self.next, "head": self.head, "waiting": waiting}

    def load(self, state: dict[str, Any]) -> None:
        """Undo `state`."""
        self.ticket = np.array(state["ticket"])
        self.next, self.head = state["next"], state["head"]
        self.waiting = {ticket: cleared for ticket, cleared in state["waiting"]}


@dataclass
class SequentialTest:
    """The test of one stage: attempts of `games` games each, which share the error rate `alpha`."""

    config: CurriculumConfig
    attempt: int = 1
    games: int = 0
    cleared: int = 0
    passed: bool = False

    def add(self, cleared: bool) -> None:
        """Count a game; nothing counts after the stage was passed."""
        if self.passed:
            return
        if self.games == self.config.games:
            self.attempt, self.games, self.cleared = self.attempt + 1, 0, 0
        self.games += 1
        self.cleared += cleared
        log_evidence = stats.evidence(self.cleared, self.games, self.config.threshold)
        self.passed = log_evidence >= -math.log(self.config.error(self.attempt))

    @property
    def lower_bound(self) -> float:
        """Of the clear rate, from the games of this attempt, at this attempt's error rate."""
        return stats.lower_bound(self.cleared, self.games, self.config.error(self.attempt))


class Task(NamedTuple):
    """What the next rollout plays."""

    stage: Stage
    replayed: bool
    """A stage passed earlier, in games of its own; else the stage that is being tested."""
    fresh: bool
    """All games of this kind start anew, because their stage changes."""


class Curriculum:
    """Decides which stage the next rollout plays; knows no games, only how they ended.

    A rollout plays the stage that is being tested or visits one passed earlier, so every training batch belongs to
    one stage. `num_envs` games are played side by side (by all processes of a run together; each holds an equal copy
    of this object).
    """

    def __init__(self, config: CurriculumConfig, num_envs: int, rollouts_per_visit: int, seed: int) -> None:
        self.config = config
        self.num_envs = num_envs
        self.rollouts_per_visit = rollouts_per_visit
        self.rng = np.random.default_rng([seed, 4])
        self.stages = config.stages()
        self.passed = 0
        self.test = SequentialTest(config)
        self.order = ReorderBuffer(num_envs)
        self.begun = False  # games of the stage in training were started
        self.replayed: Stage | None = None  # the stage last visited
        self.visit = 0  # rollouts that it is still played

    @property
    def stage(self) -> Stage:
        """The stage in training: the last one when all are passed."""
        return self.stages[min(self.passed, len(self.stages) - 1)]

    def next(self) -> Task:
        """Choose what the next rollout plays; `count` must follow if it is not a replay."""
        if self.passed and self.rng.random() < self.config.replay:
            return self._revisit()
        fresh, self.begun = not self.begun, True
        return Task(self.stage, replayed=False, fresh=fresh)

    def count(self, episodes: np.ndarray) -> None:
        """Count the ends of games, EPISODE[T, num_envs], of a rollout of the stage in training.

        Passes to the next stage after the rollout that certified this one.
        """
        for row in episodes:
            for outcome in self.order.finish(row["done"], row["cleared"]):
                self.test.add(outcome)
        if self.test.passed and self.passed < len(self.stages):
            self.passed += 1
            if self.passed < len(self.stages):
                self.test, self.order, self.begun = SequentialTest(self.config), ReorderBuffer(self.num_envs), False

    def metrics(self) -> dict[str, float]:
        """Stages passed (so, from 0, the stage in training) and what is known of that stage's clear rate."""
        return {
            "curriculum/stage": float(self.passed),
            "curriculum/lower_bound": self.test.lower_bound,
            "curriculum/games": float(self.test.games),
        }

    def state(self) -> dict[str, Any]:
        """Everything but the games, as plain values."""
        return {
            "passed": self.passed,
            "test": [self.test.attempt, self.test.games, self.test.cleared, self.test.passed],
            "order": self.order.state(),
            "begun": self.begun,
            "replayed": self.stages.index(self.replayed) if self.replayed else None,
            "visit": self.visit,
            "rng": self.rng.bit_generator.state,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Undo `state`."""
        self.passed, self.begun, self.visit = state["passed"], state["begun"], state["visit"]
        attempt, games, cleared, passed = state["test"]
        self.test = SequentialTest(self.config, attempt, games, cleared, passed)
        self.order.load(state["order"])
        self.replayed = None if state["replayed"] is None else self.stages[state["replayed"]]
        self.rng.bit_generator.state = state["rng"]

    def restart(self) -> None:
        """All games are new ones: the stages passed stay passed, the test under way starts another attempt."""
        if not self.test.passed:
            self.test = SequentialTest(self.config, self.test.attempt + 1)
        self.order, self.begun, self.visit = ReorderBuffer(self.num_envs), False, 0

    def _revisit(self) -> Task:
        """An old stage, kept for as many rollouts as let its longest games end."""
        fresh = self.visit == 0
        if fresh:
            self.visit = self.rollouts_per_visit
            self.replayed = self.stages[self.rng.integers(min(self.passed, len(self.stages) - 1) or 1)]
        self.visit -= 1
        assert self.replayed is not None  # set by the first visit
        return Task(self.replayed, replayed=True, fresh=fresh)
