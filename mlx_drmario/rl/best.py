"""The best checkpoint of a run: a challenger replaces the champion only when a sequential test says that it is better.

The last checkpoint is not the best one, and the one with the best of many noisy evaluations is mostly the luckiest. So
a challenger and the champion play the same fresh validation games, and the challenger is promoted in one of two ways,
each decided by a test that may be looked at after every game (`stats.evidence`):

- it clears more: most of the games that only one of the two cleared are its own (looked at after every batch);
- it is faster: in most of the games that both cleared, and in the sample of all games it cleared at least as many.

The chance that any checkpoint of a run is promoted although it neither clears more nor is faster is at most `alpha`:
challenge k = 1, 2, ... may err with alpha / (k (k + 1)), half of it each way. That a faster one clears as much is seen
in the sample, not certified.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlx_drmario import seeds, stats
from mlx_drmario.evaluate import EvalResult, Policy, evaluate
from mlx_drmario.rl import checkpoint
from mlx_drmario.rl.config import SPEEDS, Stage, TrainConfig
from mlx_drmario.rl.rundir import write_atomically

BATCH = 64
"""Games between two looks at the evidence."""

FILE = "best.jsonl"
"""In the run directory: a line per challenge (number 0: the first checkpoint, without a test)."""


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

    def clears_more(self, error: float) -> bool:
        """Certified at `error`: of the games that only one clears, most are the challenger's."""
        return stats.evidence(self.only_challenger, self.only_challenger + self.only_champion, 0.5) >= -math.log(error)

    def is_faster(self, error: float) -> bool:
        """Certified at `error`: of the games that both clear, most are faster; and no fewer games were cleared."""
        certified = stats.evidence(self.faster, self.faster + self.slower, 0.5) >= -math.log(error)
        return certified and self.only_challenger >= self.only_champion


class Contest:
    """Keeps `checkpoints/best` of a run."""

    def __init__(self, run: Path, config: TrainConfig) -> None:
        self.run = run
        self.config = config

    def challenge(self, challenger: Path, stage: Stage) -> None:
        """Let a finished checkpoint challenge the best one in the stage it trains in, if it did not do so before.

        The first checkpoint is the best without a test. A curriculum's stages below level 0 are compared at level 0.
        """
        rows, decisions = self.rows(), checkpoint.number(challenger)
        if any(row["decisions"] == decisions for row in rows):
            return
        champion = checkpoint.best(self.run)
        number, promoted, tally = 0, True, Tally()
        if champion is not None and checkpoint.number(champion) != decisions:  # else promoted just before a crash
            number = 1 + max((row["challenge"] for row in rows), default=0)
            players = checkpoint.load_policy(challenger), checkpoint.load_policy(champion)
            error = self.config.best.alpha / (number * (number + 1))
            rng = np.random.default_rng([self.config.seed, 5, decisions])
            promoted, tally = self.play(*players, error, stage, rng)
        if promoted:
            checkpoint.promote(self.run, challenger)
        row = {"decisions": decisions, "challenge": number, "promoted": promoted, **dataclasses.asdict(stage)}
        lines = [json.dumps(each) for each in (*rows, row | dataclasses.asdict(tally))]
        write_atomically(self.run / FILE, "\n".join(lines) + "\n")

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
            if tally.clears_more(error / 2):
                return True, tally
        return tally.is_faster(error / 2), tally

    def rows(self) -> list[dict[str, Any]]:
        """The challenges so far: lines of best.jsonl."""
        file = self.run / FILE
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
