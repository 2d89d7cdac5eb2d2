"""Play a list of seeds with a policy, say how it went, and compare two policies on the same games.

Knows policies only through `Policy`, so it needs no MLX. docs/evaluation.md explains the numbers.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

import mlx_drmario as dm
from mlx_drmario import stats
from mlx_drmario.observer import Observer
from mlx_drmario.spec import LONGEST, SPEED_NAMES, check_level, whole

FRAME_RATE = 60.0988
"""Video frames per second of the console."""
CVAR_TAIL = 0.1
"""Share of the cleared games, the slowest, that CVaR averages."""

Progress = Callable[[int, int, int], None]
"""Called after every batch step with (games ended, games, decisions made so far)."""


class Policy(Protocol):
    """Chooses a placement for every game of a batch, knowing what a player may know."""

    def act(self, view: dm.PublicView) -> NDArray[np.int32]:
        """The action of every game, i32[N], legal wherever `view.to_act`; other rows are ignored."""
        ...


Details = tuple[NDArray[np.int32], NDArray[np.float32] | None, NDArray[np.float32] | None]
"""actions i32[N], log-probabilities of all placements f32[N, 512], value f32[N] (or its quantiles f32[N, Q])"""


@runtime_checkable
class DetailedPolicy(Policy, Protocol):
    """A policy that can say more than its choice, for captures and screens."""

    def act_with_details(self, view: dm.PublicView) -> Details:
        """What `act` would return, and what it was chosen by; None for what this policy does not know."""
        ...


def choose(policy: Policy, view: dm.PublicView) -> Details:
    """A policy's choice with as many details as it can give."""
    if isinstance(policy, DetailedPolicy):
        return policy.act_with_details(view)
    return policy.act(view), None, None


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
    """u32[N]: frames played; for a cleared game T, its frames to clear"""
    decisions: NDArray[np.uint32]
    """u32[N]: capsules placed"""
    viruses_left: NDArray[np.uint8]
    """u8[N]: at the end"""
    max_decisions: int
    """capsules after which a game was truncated"""
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
        """The table row of this result as plain JSON values; what cannot be known is None.

        frames_to_clear_* describe T over the cleared games only; sd is the sample's (n - 1), cvar the mean of the
        slowest CVAR_TAIL of them. frames_or_never_* are quantiles over all games, a game not cleared counting as
        infinitely long: None where that many games were not cleared.
        """
        low, high = self.clear_interval
        times = self.frames_to_clear.astype(np.float64)
        p10, median, p90 = stats.quantiles(times, [0.1, 0.5, 0.9])
        never = np.where(self.cleared, self.frames, np.inf)
        # An order statistic: interpolating towards infinity has no meaning.
        all_median, all_p90 = np.quantile(never, [0.5, 0.9], method="inverted_cdf")
        return {
            "level": self.level,
            "speed": SPEED_NAMES[self.speed],
            "games": self.games,
            "cleared": int(self.cleared.sum()),
            "top_out": int(self.top_out.sum()),
            "truncated": int(self.truncated.sum()),
            "clear_rate": self.clear_rate,
            "clear_rate_low": low,
            "clear_rate_high": high,
            "frames_to_clear_mean": _or_none(times.mean() if times.size else np.nan),
            "frames_to_clear_sd": _or_none(times.std(ddof=1) if times.size > 1 else np.nan),
            "frames_to_clear_p10": _or_none(p10),
            "frames_to_clear_median": _or_none(median),
            "frames_to_clear_p90": _or_none(p90),
            "frames_to_clear_cvar": _or_none(stats.cvar(times, CVAR_TAIL)),
            "frames_or_never_median": _or_none(all_median),
            "frames_or_never_p90": _or_none(all_p90),
            "capsules_to_clear_mean": _or_none(self.decisions[self.cleared].mean() if times.size else np.nan),
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
    observer: Observer | None = None,
) -> EvalResult:
    """Play every seed once, all games in one batch, until each is cleared, lost, or max_decisions long.

    Args:
        level: 0..24; speed: 0 LOW, 1 MED, 2 HI; seeds: u16[N], states of the console's random generator.
        planes: the plane set that the policy reads.
        threads: for the engine, 0 = one per core; never changes the result.
        observer: sees every decision, with what the policy says of it.

    Raises:
        ValueError, TypeError: no seeds, or values that `dm.Decisions` refuses (also an illegal action of the policy).
    """
    seeds = np.asarray(seeds)
    if seeds.ndim != 1 or seeds.size == 0:
        raise ValueError(f"seeds has shape {seeds.shape}; give a one-dimensional array that is not empty")
    level, speed = check_level(level), whole("speed", speed, 0, 2)
    max_decisions = whole("max_decisions", max_decisions, 1, LONGEST)
    d = dm.Decisions(num_envs=seeds.size, planes=planes, threads=threads, max_decisions=max_decisions)
    d.reset(level, speed, seeds)
    view = d.view
    cleared, top_out, truncated = np.zeros((3, seeds.size), np.bool_)
    start = time.perf_counter()
    while not d.ended.all():
        if observer is None:
            d.step(policy.act(view))
        else:
            action, log_probs, value = choose(policy, view)
            observer.before_step(d, action, log_probs, value)
            d.step(action)
            observer.after_step(d)
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
        max_decisions=max_decisions,
        wall_seconds=time.perf_counter() - start,
    )


@dataclass(frozen=True)
class Comparison:
    """Two policies on the same games: first minus second, with 95 % paired bootstrap intervals."""

    level: int
    speed: int
    games: int
    only_first: int
    """games that only the first policy cleared"""
    only_second: int
    """games that only the second policy cleared"""
    both: int
    """games that both cleared"""
    clear_rate: stats.Difference
    """over all games"""
    p_value: float
    """McNemar's exact test of equal clear rates, two-sided"""
    frames: stats.Difference | None
    """frames to clear, over the games that both cleared; negative: the first is faster; None without such games"""

    def summary(self) -> dict[str, Any]:
        """Plain JSON values; the frames of no common game are None."""
        frames = self.frames or stats.Difference(np.nan, np.nan, np.nan)
        return {
            "level": self.level,
            "speed": SPEED_NAMES[self.speed],
            "games": self.games,
            "only_first_cleared": self.only_first,
            "only_second_cleared": self.only_second,
            "both_cleared": self.both,
            "clear_rate_difference": self.clear_rate.mean,
            "clear_rate_difference_low": self.clear_rate.low,
            "clear_rate_difference_high": self.clear_rate.high,
            "mcnemar_p": self.p_value,
            "frames_difference": _or_none(frames.mean),
            "frames_difference_low": _or_none(frames.low),
            "frames_difference_high": _or_none(frames.high),
        }


def compare(first: EvalResult, second: EvalResult, resamples: int = 2_000, seed: int = 0) -> Comparison:
    """Compare two policies game by game; the bootstrap draws from `seed`, so the same results give the same numbers.

    Methods and their sources: `stats.paired_bootstrap` and `stats.mcnemar`. Pairing removes the part of the noise
    that both share, the difficulty of each game.

    Raises:
        ValueError: the two did not play the same games under the same limit.
    """
    _check_pair(first, second)
    rng = np.random.default_rng(seed)
    both = first.cleared & second.cleared
    only_first, only_second = int((first.cleared & ~both).sum()), int((second.cleared & ~both).sum())
    return Comparison(
        level=first.level,
        speed=first.speed,
        games=first.games,
        only_first=only_first,
        only_second=only_second,
        both=int(both.sum()),
        clear_rate=stats.paired_bootstrap(first.cleared, second.cleared, rng, resamples),
        p_value=stats.mcnemar(only_first, only_second),
        frames=stats.paired_bootstrap(first.frames[both], second.frames[both], rng, resamples) if both.any() else None,
    )


def mean_clear_rate_difference(
    first: Sequence[EvalResult], second: Sequence[EvalResult], resamples: int = 2_000, seed: int = 0
) -> stats.Difference:
    """Difference of the clear rates' means over several levels, first minus second.

    A seed is played at every level and gives related games (the same capsules), so whole seeds are resampled, not
    games: the cluster bootstrap, A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application (1997),
    section 3.8.

    Raises:
        ValueError: no results, lists of different lengths, seeds that differ anywhere, or a pair that did not play the
            same level and speed under the same limit.
    """
    results = [*first, *second]
    if not results or len(first) != len(second):
        raise ValueError(f"first holds {len(first)} results and second {len(second)}; give as many, at least one")
    if not all(np.array_equal(result.seeds, results[0].seeds) for result in results):
        raise ValueError("seeds of all results must be the same to resample them")
    for pair in zip(first, second, strict=True):
        _check_pair(*pair)
    rates = [np.mean([result.cleared for result in side], axis=0) for side in (first, second)]
    return stats.paired_bootstrap(rates[0], rates[1], np.random.default_rng(seed), resamples)


def _check_pair(first: EvalResult, second: EvalResult) -> None:
    """ValueError unless both played the same games under the same limit."""
    for name in ("level", "speed", "max_decisions", "seeds"):
        if not np.array_equal(getattr(first, name), getattr(second, name)):
            raise ValueError(f"{name} of the two results must be the same to compare them game by game")


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
