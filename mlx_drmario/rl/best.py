"""The best checkpoint of a run: a challenger replaces the champion only when a sequential test says that it is better.

The last checkpoint is not the best one, and the one with the best of many noisy evaluations is mostly the luckiest. So
a challenger and the champion play the same fresh validation games, and the challenger must win a test that may be
looked at after every game (`stats.evidence`): among the games that only one of them cleared it has most, or, when it
cleared at least as many, among the games that both cleared it was faster in most. The chance that any checkpoint of a
run is promoted although it is neither is at most `alpha`: challenge k = 1, 2, ... may err with alpha / (k (k + 1)),
half of it by each of the two ways.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_drmario import seeds, stats
from mlx_drmario.evaluate import EvalResult, Policy, evaluate
from mlx_drmario.rl import checkpoint
from mlx_drmario.rl.config import SPEEDS, Stage, TrainConfig

BATCH = 64
"""Games between two looks at the evidence."""


@dataclass
class Tally:
    """Games that a challenger and the champion both played."""

    games: int = 0
    challenger_cleared: int = 0
    champion_cleared: int = 0
    only_challenger: int = 0
    only_champion: int = 0
    faster: int = 0
    slower: int = 0
    """challenger against champion, among the games that both cleared, ties left out"""

    def add(self, challenger: EvalResult, champion: EvalResult) -> None:
        """Count the same games played by both."""
        both = challenger.cleared & champion.cleared
        self.games += challenger.games
        self.challenger_cleared += int(challenger.cleared.sum())
        self.champion_cleared += int(champion.cleared.sum())
        self.only_challenger += int((challenger.cleared & ~both).sum())
        self.only_champion += int((champion.cleared & ~both).sum())
        self.faster += int((challenger.frames[both] < champion.frames[both]).sum())
        self.slower += int((challenger.frames[both] > champion.frames[both]).sum())

    def certifies(self, error: float) -> bool:
        """True when the challenger is better, each of the two ways tested at half the error."""
        needed = -math.log(error / 2)
        clears_more = stats.evidence(self.only_challenger, self.only_challenger + self.only_champion, 0.5) >= needed
        is_faster = stats.evidence(self.faster, self.faster + self.slower, 0.5) >= needed
        return clears_more or (is_faster and self.only_challenger >= self.only_champion)


class Contest:
    """Keeps `checkpoints/best` of a run."""

    def __init__(self, run: Path, config: TrainConfig) -> None:
        self.run = run
        self.config = config

    def challenge(self, challenger: Path, decisions: int, stage: Stage) -> bool:
        """Let a finished checkpoint challenge the best one in the stage it trains in; returns whether it is the best.

        The first checkpoint is the best without a test. A curriculum's stages below level 0 are compared at level 0.
        """
        champion = checkpoint.best(self.run)
        number = 1
        promoted, tally = True, Tally()
        if champion is not None:
            if checkpoint.number(champion) >= decisions:
                return True  # the same one again, after a resume
            number += self._count()
            players = checkpoint.load_policy(challenger), checkpoint.load_policy(champion)
            error = self.config.best.alpha / (number * (number + 1))
            rng = np.random.default_rng([self.config.seed, 5, decisions])
            promoted, tally = self.play(*players, error, stage, rng)
        row = {"decisions": decisions, "challenge": number, "promoted": promoted, "level": stage.level}
        self._record(row | {"last_level": stage.last_level, "speed": stage.speed} | dataclasses.asdict(tally))
        if promoted:
            checkpoint.promote(self.run, challenger)
        return promoted

    def play(
        self, challenger: Policy, champion: Policy, error: float, stage: Stage, rng: np.random.Generator
    ) -> tuple[bool, Tally]:
        """Play validation games until the challenger is certified to be better or `best.games` are played."""
        tally = Tally()
        levels = range(stage.level, (stage.level if stage.last_level is None else stage.last_level) + 1)
        while tally.games < self.config.best.games:
            for level in levels:
                games = seeds.sample("validation", rng, -(-BATCH // len(levels)))
                first, second = (
                    evaluate(
                        player,
                        level=level,
                        speed=SPEEDS[stage.speed],
                        seeds=games,
                        max_decisions=self.config.env.max_decisions,
                        planes=self.config.env.planes,
                    )
                    for player in (challenger, champion)
                )
                tally.add(first, second)
            if tally.certifies(error):
                return True, tally
        return False, tally

    @property
    def _file(self) -> Path:
        return self.run / "best.jsonl"

    def _count(self) -> int:
        """Challenges so far."""
        return len(self._file.read_bytes().splitlines()) if self._file.exists() else 0

    def _record(self, row: dict[str, object]) -> None:
        with open(self._file, "a") as file:
            file.write(json.dumps(row) + "\n")
