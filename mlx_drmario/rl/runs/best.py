"""The best checkpoint of a run: a candidate replaces it only when a sequential test says that the candidate is better.

The last checkpoint is not the best one, and the one with the best of many noisy evaluations is mostly the luckiest. So
a candidate and the best one so far play the same fresh validation games, and the candidate is promoted in one of two
ways, each decided by a test that may be looked at after every game (`stats.evidence`):

- it clears more: most of the games that only one of the two cleared are its own (looked at after every batch);
- it is faster: in most of the games that both cleared, and in the sample of all games it cleared at least as many.

The chance that any checkpoint of a run is promoted although it neither clears more nor is faster is at most `alpha`:
comparison k = 1, 2, ... may err with alpha / (k (k + 1)), half of it each way. That a faster one clears as much is seen
in the sample, not certified.
"""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlx_drmario import seeds, stats
from mlx_drmario.evaluate import EvalResult, Policy, evaluate
from mlx_drmario.files import write_text
from mlx_drmario.rl.config import RunConfig, Stage
from mlx_drmario.rl.player import load_policy
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.rows import read_rows
from mlx_drmario.spec import speed_number

SPLIT = "validation"
"""Where the games come from: test games are not for choosing."""

BATCH = 64
"""Games between two looks at the evidence."""

FILE = "best.jsonl"
"""In the run directory: a line per comparison (number 0: the first checkpoint, without a test)."""


@dataclass
class PairedCounts:
    """Games that the candidate and the best one both played."""

    games: int = 0
    candidate_cleared: int = 0
    best_cleared: int = 0
    only_candidate: int = 0
    only_best: int = 0
    faster: int = 0
    slower: int = 0
    """candidate against best, among the games that both cleared, ties left out"""

    def add(self, candidate: EvalResult, best: EvalResult) -> None:
        """Count the same games played by both."""
        both = candidate.cleared & best.cleared
        self.games += candidate.games
        self.candidate_cleared += int(candidate.cleared.sum())
        self.best_cleared += int(best.cleared.sum())
        self.only_candidate += int((candidate.cleared & ~both).sum())
        self.only_best += int((best.cleared & ~both).sum())
        self.faster += int((candidate.frames[both] < best.frames[both]).sum())
        self.slower += int((candidate.frames[both] > best.frames[both]).sum())

    def clears_more(self, error: float) -> bool:
        """Certified at `error`: of the games that only one clears, most are the candidate's."""
        return stats.evidence(self.only_candidate, self.only_candidate + self.only_best, 0.5) >= -math.log(error)

    def is_faster(self, error: float) -> bool:
        """Certified at `error`: of the games that both clear, most are faster; and no fewer games were cleared."""
        certified = stats.evidence(self.faster, self.faster + self.slower, 0.5) >= -math.log(error)
        return certified and self.only_candidate >= self.only_best


class BestCheckpoint:
    """Keeps `checkpoints/best` of a run."""

    def __init__(self, run: Path, config: RunConfig) -> None:
        self.run = run
        self.config = config

    def consider(self, candidate: Path, stage: Stage) -> dict[str, Any] | None:
        """Compare a finished checkpoint with the best one in the stage it trains in; None if that was done before.

        The first checkpoint is the best without a test, and so is the first after the best one became unreadable (a
        warning says so). A curriculum's stages below level 0 are compared at level 0.
        Returns the line that best.jsonl gets.
        """
        rows, decisions = self.rows(), checkpoint.number(candidate)
        if any(row["decisions"] == decisions for row in rows):
            return None
        best = self._best()
        number, promoted, counts = 0, True, PairedCounts()
        if best is not None and best[0] != decisions:  # else promoted just before a crash
            number = 1 + max((row["comparison"] for row in rows), default=0)
            error = self.config.best.alpha / (number * (number + 1))
            rng = np.random.default_rng([self.config.seed, 5, decisions])
            promoted, counts = self.play(load_policy(candidate), best[1], error, stage, rng)
        if promoted:
            checkpoint.promote(self.run, candidate)
        row = {"decisions": decisions, "comparison": number, "promoted": promoted, "split": SPLIT}
        row |= dataclasses.asdict(stage) | dataclasses.asdict(counts)
        write_text(self.run / FILE, "".join(json.dumps(each) + "\n" for each in (*rows, row)))
        return row

    def play(
        self, candidate: Policy, best: Policy, error: float, stage: Stage, rng: np.random.Generator
    ) -> tuple[bool, PairedCounts]:
        """Play validation games until the candidate is certified to be better or `best.games` are played.

        Batches are whole and as large for every level, so the last one may go beyond `best.games`.
        """
        counts = PairedCounts()
        levels = range(stage.level, (stage.level if stage.last_level is None else stage.last_level) + 1)
        while counts.games < self.config.best.games:
            for level in levels:
                games = seeds.sample(SPLIT, rng, -(-BATCH // len(levels)))
                first, second = (
                    evaluate(
                        player,
                        level=level,
                        speed=speed_number(stage.speed),
                        seeds=games,
                        max_decisions=self.config.env.max_decisions,
                        planes=self.config.env.planes,
                    )
                    for player in (candidate, best)
                )
                counts.add(first, second)
            if counts.clears_more(error / 2):
                return True, counts
        return counts.is_faster(error / 2), counts

    def rows(self) -> list[dict[str, Any]]:
        """The comparisons so far: lines of best.jsonl."""
        file = self.run / FILE
        if not file.exists():
            return []
        numbered = ("decisions", "comparison")
        rows, damaged = read_rows(file, lambda row: all(isinstance(row.get(name), int) for name in numbered))
        if damaged:
            warnings.warn(f"{file} has {damaged} damaged lines, which are left out", RuntimeWarning, stacklevel=2)
        return rows

    def _best(self) -> tuple[int, Policy] | None:
        """The number and the policy of the best checkpoint; None while there is none that can be read."""
        path = checkpoint.best(self.run)
        if path is None:
            return None
        try:
            return checkpoint.number(path), load_policy(path)
        except (ValueError, OSError) as error:
            sentence = f"the best checkpoint is no longer known, the next one takes its place: {error}"
            warnings.warn(sentence, RuntimeWarning, stacklevel=3)
            return None
