"""What a run tells and asks whoever started it (no MLX here): screens, apps and captures are callbacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlx_drmario.observer import Observer
from mlx_drmario.rl.config import Stage


@dataclass(frozen=True)
class Snapshot:
    """State of a run after an iteration: plain values, safe to hand to another thread or process."""

    decisions: int
    """the number of a checkpoint; of an evaluator: rows learnt from"""
    frames: int
    """played in training; those of sessions that did not count them are missing"""
    games: int
    """finished since the run, or a stage of its curriculum, began"""
    seconds: float
    """wall-clock time over all sessions of the run, without what the callback held it up"""
    progress: float
    """0 to 1 of the budget"""
    stage: Stage | None
    """what the games in training are; None where none are played"""
    metrics: dict[str, float]
    """the row of metrics.jsonl; empty before the first iteration"""


class Callback(Observer):
    """Everything is optional. Of several processes only the first calls `on_...`, but any may ask for something.

    All methods but the observer's are called in the thread that trains, between two iterations; `held_seconds` after a
    rollout as well, `on_games` and `should_stop` while an evaluator's games are played, `on_gradient` as it says. What
    they take, the run waits for.
    """

    def on_games(self, ended: int, games: int) -> None:
        """So many of the games that an evaluator will learn from have been played."""

    def on_gradient(self) -> None:
        """A run that learns from search has made another step, of which an iteration takes many seconds' worth."""

    def on_iteration(self, snapshot: Snapshot) -> None:
        """An iteration is over and its metrics are on disk."""

    def on_checkpoint(self, path: Path) -> None:
        """A checkpoint is complete, under this name; checkpoints are written in the background."""

    def on_evaluation(self, comparison: dict[str, object]) -> None:
        """A checkpoint played against the best one: the line that best.jsonl got."""

    def should_stop(self) -> bool:
        """True ends the run; it is saved, and can be resumed."""
        return False

    def wants_checkpoint(self) -> bool:
        """True asks for a checkpoint now, beside those that are written anyway."""
        return False

    def wants_evaluation(self) -> bool:
        """True asks for a checkpoint that plays against the best one now (nothing is played if best.games is 0). Asked
        by PPO's runs alone: others have no best checkpoint."""
        return False

    def held_seconds(self) -> float:
        """How long it has held the run up since the last call, a pause perhaps: time that no budget or rate counts."""
        return 0.0
