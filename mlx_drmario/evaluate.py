"""Play a list of seeds with a policy and say how it went. Knows policies only through `Policy`, so it needs no MLX."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

import mlx_drmario as dm
from mlx_drmario import stats

FRAME_RATE = 60.0988
"""Video frames per second of the console."""

Progress = Callable[[int, int, int], None]
"""Called after every batch step with (games ended, games, decisions made so far)."""


class Policy(Protocol):
    """Chooses a placement for every game of a batch."""

    def act(self, d: dm.Decisions) -> NDArray[np.int32]:
        """The action of every game, i32[N], legal wherever `~d.ended`; rows of ended games are ignored."""
        ...


@dataclass(frozen=True)
class EvalResult:
    """What became of every game, in the order of `seeds`, and how long it took to find out."""

    level: int
    speed: int
    seeds: NDArray[np.uint16]
    """u16[N]: the games"""
    cleared: NDArray[np.bool_]
    """bool[N]: all viruses gone"""
    top_out: NDArray[np.bool_]
    """bool[N]: lost"""
    truncated: NDArray[np.bool_]
    """bool[N]: neither, after max_decisions"""
    frames: NDArray[np.uint32]
    """u32[N]: frames played; for a cleared game its frames to clear"""
    decisions: NDArray[np.uint32]
    """u32[N]: capsules placed"""
    viruses_left: NDArray[np.uint8]
    """u8[N]: at the end"""
    wall_seconds: float
    """time spent stepping and deciding"""

    @property
    def games(self) -> int:
        return len(self.seeds)

    @property
    def clear_rate(self) -> float:
        return float(self.cleared.mean())

    @property
    def clear_interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the clear rate."""
        return stats.wilson(int(self.cleared.sum()), self.games)

    @property
    def frames_to_clear(self) -> NDArray[np.uint32]:
        """Frames of the cleared games only, u32[number cleared]."""
        return self.frames[self.cleared]

    @property
    def decisions_per_second(self) -> float:
        return int(self.decisions.sum()) / self.wall_seconds

    def summary(self) -> dict[str, Any]:
        """The table row of this result as plain JSON values; quantiles of no cleared game are None."""
        low, high = self.clear_interval
        p10, median, p90 = stats.quantiles(self.frames_to_clear, [0.1, 0.5, 0.9])
        return {
            "level": self.level,
            "speed": self.speed,
            "games": self.games,
            "cleared": int(self.cleared.sum()),
            "top_out": int(self.top_out.sum()),
            "truncated": int(self.truncated.sum()),
            "clear_rate": self.clear_rate,
            "clear_rate_low": low,
            "clear_rate_high": high,
            "frames_to_clear_p10": _or_none(p10),
            "frames_to_clear_median": _or_none(median),
            "frames_to_clear_p90": _or_none(p90),
            "decisions": int(self.decisions.sum()),
            "decisions_mean": float(self.decisions.mean()),
            "viruses_left_mean": float(self.viruses_left.mean()),
            "wall_seconds": self.wall_seconds,
            "decisions_per_second": self.decisions_per_second,
        }


def evaluate(
    policy: Policy,
    *,
    level: int,
    speed: int,
    seeds: ArrayLike,
    max_decisions: int = 1_000,
    planes: str = "bitplane",
    threads: int = 0,
    progress: Progress | None = None,
) -> EvalResult:
    """Play every seed once, all games in one batch, until each is cleared, lost, or max_decisions long.

    Args:
        level: 0..24; speed: 0 LOW, 1 MED, 2 HI; seeds: u16[N], states of the console's random generator.
        planes: the plane set that the policy reads.
        threads: for the engine, 0 = one per core; never changes the result.

    Raises:
        ValueError, TypeError: no seeds, or values that `dm.Decisions` refuses (also an illegal action of the policy).
    """
    seeds = np.asarray(seeds)
    if seeds.ndim != 1 or seeds.size == 0:
        raise ValueError(f"seeds has shape {seeds.shape}; give a one-dimensional array that is not empty")
    if max_decisions < 1:
        raise ValueError(f"max_decisions is {max_decisions}; it must be at least 1")
    d = dm.Decisions(num_envs=seeds.size, planes=planes, threads=threads, max_decisions=max_decisions)
    d.reset(level, speed, seeds)
    cleared, top_out, truncated = np.zeros((3, seeds.size), np.bool_)
    start = time.perf_counter()
    while not d.ended.all():
        d.step(policy.act(d))
        cleared |= d.cleared
        top_out |= d.top_out
        truncated |= d.truncated
        if progress is not None:
            progress(int(d.ended.sum()), seeds.size, int(d.decisions.sum()))
    return EvalResult(
        level=level,
        speed=speed,
        seeds=seeds.astype(np.uint16),
        cleared=cleared,
        top_out=top_out,
        truncated=truncated,
        frames=d.frames.copy(),
        decisions=d.decisions.copy(),
        viruses_left=d.viruses_left.copy(),
        wall_seconds=time.perf_counter() - start,
    )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
