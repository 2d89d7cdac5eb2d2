"""A ladder of stages: train on one until a sequential test certifies its clear rate, then on the next.

The test wants outcomes in an order that does not depend on them. Games end in another order than they start in (short
ones first, and those are often the won ones), so outcomes are counted in the order of the starts.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlx_drmario import stats
from mlx_drmario.rl.config import CurriculumConfig
from mlx_drmario.rl.rollout import Actor, Collector, Rollout


class StartOrder:
    """Hands out the outcomes of games in the order in which the games started."""

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

    def save(self) -> dict[str, Any]:
        """State that JSON can hold."""
        waiting = [[ticket, cleared] for ticket, cleared in self.waiting.items()]
        return {"ticket": self.ticket.tolist(), "next": self.next, "head": self.head, "waiting": waiting}

    def load(self, state: dict[str, Any]) -> None:
        """Undo `save`."""
        self.ticket = np.array(state["ticket"])
        self.next, self.head = state["next"], state["head"]
        self.waiting = {ticket: cleared for ticket, cleared in state["waiting"]}


@dataclass
class Trial:
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


class Curriculum:
    """Decides which stage the next rollout plays.

    `frontier` plays the stage that is being tested and nothing else; `replay` visits stages passed earlier. A rollout
    comes from one of the two, so every training batch belongs to one stage. A change of stage restarts the games.
    """

    def __init__(self, config: CurriculumConfig, frontier: Collector, replay: Collector, seed: int) -> None:
        self.config = config
        self.frontier, self.replay = frontier, replay
        replay.rollout = frontier.rollout  # only one of them is in use at a time
        self.rng = np.random.default_rng([seed, 4])
        self.stages = config.stages()
        self.passed = 0
        self.trial = Trial(config)
        self.order = StartOrder(frontier.config.num_envs)
        self.visit = 0  # rollouts that `replay` still plays before it moves to another stage
        frontier.on_finish = self._count
        frontier.restart(self.stages[0])

    def collect(self, actor: Actor) -> Rollout:
        """See `Collector.collect`; passes to the next stage after the rollout that certified this one."""
        if self.passed and self.rng.random() < self.config.replay:
            return self._revisit(actor)
        rollout = self.frontier.collect(actor)
        if self.trial.passed and self.passed < len(self.stages):
            self.passed += 1
            if self.passed < len(self.stages):
                self.trial, self.order = Trial(self.config), StartOrder(len(self.order.ticket))
                self.frontier.restart(self.stages[self.passed])
        return rollout

    def metrics(self) -> dict[str, float]:
        """Stages passed (so, from 0, the stage in training) and what is known of that stage's clear rate."""
        return {
            "curriculum/stage": float(self.passed),
            "curriculum/lower_bound": self.trial.lower_bound,
            "curriculum/games": float(self.trial.games),
        }

    def save(self) -> dict[str, Any]:
        """Everything but the frontier's games, which belong to the trainer: arrays, JSON as a u8 array."""
        state = {
            "passed": self.passed,
            "trial": [self.trial.attempt, self.trial.games, self.trial.cleared, self.trial.passed],
            "order": self.order.save(),
            "visit": self.visit,
            "replayed": self.stages.index(self.replay.stage) if self.replay.stage in self.stages else None,
            "rng": self.rng.bit_generator.state,
        }
        replay = {f"replay_{name}": value for name, value in self.replay.save().items()}
        return {"state": np.frombuffer(json.dumps(state).encode(), np.uint8), **replay}

    def load(self, arrays: dict[str, Any]) -> None:
        """Undo `save`."""
        state = json.loads(arrays["state"].tobytes())
        self.passed, self.visit = state["passed"], state["visit"]
        attempt, games, cleared, passed = state["trial"]
        self.trial = Trial(self.config, attempt, games, cleared, passed)
        self.order.load(state["order"])
        self.rng.bit_generator.state = state["rng"]
        self.frontier.stage = self.stages[min(self.passed, len(self.stages) - 1)]
        if state["replayed"] is not None:
            self.replay.stage = self.stages[state["replayed"]]
        self.replay.load({k.removeprefix("replay_"): v for k, v in arrays.items() if k.startswith("replay_")})

    def _revisit(self, actor: Actor) -> Rollout:
        """A rollout of an old stage, kept for as many rollouts as let its longest games end."""
        if self.visit == 0:
            horizon = len(self.replay.rollout.action)
            self.visit = -(-self.replay.config.max_decisions // horizon)
            self.replay.restart(self.stages[self.rng.integers(min(self.passed, len(self.stages) - 1) or 1)])
        self.visit -= 1
        return self.replay.collect(actor)

    def _count(self, done: np.ndarray, cleared: np.ndarray) -> None:
        for outcome in self.order.finish(done, cleared):
            self.trial.add(outcome)
