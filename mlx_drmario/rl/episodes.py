"""Finished games: what is recorded of each, and the averages over the last few hundred that curves show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

EPISODE = np.dtype(
    [("done", np.bool_), ("cleared", np.bool_), ("decisions", np.uint32), ("frames", np.uint32), ("total", np.float32)]
)
"""A game after a step of a rollout: done (ended or cut by this step), cleared (by this step), and so far: capsules,
frames, undiscounted reward."""

WINDOW = 500
"""Finished games over which episode metrics are averaged."""


@dataclass
class EpisodeWindow:
    """The last `WINDOW` finished games, in a ring; part of every checkpoint."""

    games: np.ndarray  # EPISODE[WINDOW]
    count: int = 0  # games finished since the run (or a stage of its curriculum) began

    @staticmethod
    def empty() -> EpisodeWindow:
        return EpisodeWindow(np.zeros(WINDOW, EPISODE))

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"games": self.games.copy(), "count": self.count}

    @staticmethod
    def of(state: dict[str, Any]) -> EpisodeWindow:
        """Undo `state`."""
        return EpisodeWindow(state["games"].copy(), state["count"])

    def add(self, episodes: np.ndarray) -> None:
        """Append the games that are done among EPISODE[T, N], in the order of time."""
        for row in episodes:
            done = row[row["done"]]
            self.games[(self.count + np.arange(len(done))) % WINDOW] = done
            self.count += len(done)

    def metrics(self) -> dict[str, float]:
        """Averages over the window; rates are 0 before the first finished game."""
        games = self.games[: min(self.count, WINDOW)]
        cleared = games["cleared"]
        result = {
            "episode/count": float(self.count),
            "episode/clear_rate": float(cleared.mean()) if games.size else 0.0,
            "episode/length_decisions": float(games["decisions"].mean()) if games.size else 0.0,
            "episode/return": float(games["total"].mean()) if games.size else 0.0,
        }
        if cleared.any():
            result["episode/frames_to_clear"] = float(np.median(games["frames"][cleared]))
        return result
