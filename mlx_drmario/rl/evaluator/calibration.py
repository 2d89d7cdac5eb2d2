"""Does what an evaluator says come true? Measured per level on games that it has not seen (docs/evaluator.md).

Rows of one game are dependent, so whole games are resampled (A. C. Davison and D. V. Hinkley, Bootstrap Methods and
their Application (1997), section 3.8), and where games are counted each counts once.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlx_drmario import stats
from mlx_drmario.evaluate import Policy
from mlx_drmario.files import check_directory, replacing, write_text
from mlx_drmario.nets.quantile import quantile_levels
from mlx_drmario.rl.evaluator import data, forecast
from mlx_drmario.rl.evaluator.config import GamesConfig
from mlx_drmario.rl.evaluator.forecast import Evaluator

RESAMPLES = 1_000
BLOCK = 2**22
"""Numbers that are drawn at a time for them."""
TAIL = 0.1
"""Share of the times that CVaR averages."""
BINS = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.999, 1.0)
"""Ends of the bins of chances to clear."""


@dataclass(frozen=True)
class Outcomes:
    """R situations of one level, what was said of them and what became of them."""

    level: NDArray[np.uint8]
    seed: NDArray[np.uint16]
    game: NDArray[np.int64]
    """i64[R]: number of the game in its level"""
    decision: NDArray[np.uint16]
    cleared: NDArray[np.bool_]
    frames: NDArray[np.uint32]
    """u32[R]: to the end of the game, cleared or not"""
    clear: NDArray[np.float64]
    """f64[R]: chance to be cleared that was said"""
    quantiles: NDArray[np.float64]
    """f64[R, K]: of the frames, given clearing, that were said"""

    def of(self, rows: NDArray[Any]) -> Outcomes:
        """Some of them (indices or mask)."""
        return Outcomes(**{name: column[rows] for name, column in vars(self).items()})

    @property
    def group(self) -> NDArray[np.int64]:
        """i64[R]: a number for every game of every level"""
        return self.game + self.level.astype(np.int64) * 10_000_000

    @classmethod
    def joined(cls, parts: list[Outcomes]) -> Outcomes:
        return cls(**{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(cls)
        })  # fmt: skip


def observe(
    evaluator: Evaluator, policy: Policy, planes: str, games: GamesConfig, split: str, seed: list[int]
) -> Outcomes:
    """Play games of a split, and ask the evaluator at the situations kept in which the policy itself chose."""
    rows = data.play(games, policy, planes, split, seed)
    at = np.flatnonzero(rows.own)
    if not at.size:
        raise ValueError(f"games is {games.games}, and what is kept of them was not the policy's choice; play more")
    said = evaluator.states(*rows.observations(at))
    happened = {name: getattr(rows, name)[at] for name in ("level", "seed", "game", "decision", "cleared", "frames")}
    return Outcomes(**happened, clear=said.clear, quantiles=said.frames)


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


def summary(outcomes: Outcomes, rng: np.random.Generator) -> dict[str, Any]:
    """What is known of one level (or of several together), as plain JSON values; times are those of cleared games.

    coverage: share of the times that lie at or below each quantile, which should be its level. inside_90: share between
    the 5 and 95 % quantiles. mean_error: observed minus predicted mean. variance_ratio: squared errors of the mean over
    predicted variances. tail_error: mean of observed minus predicted CVaR over the times above the 90 % quantile, which
    a right CVaR makes 0 (A. J. McNeil and R. Frey, Journal of Empirical Finance 7 (2000) 271-300, section 3.4). These
    two are None for fewer than 1 / TAIL quantiles, which do not reach as far.
    """
    timed = outcomes.of(outcomes.cleared)
    levels = quantile_levels(outcomes.quantiles.shape[1])
    ends = [_at_level(timed.quantiles, level) for level in (0.05, 0.95, 1 - TAIL)]
    below = (timed.frames[:, None] <= timed.quantiles).astype(np.float64)
    error = timed.frames - forecast.mean(timed.quantiles)
    spread = forecast.variance(timed.quantiles)
    inside = (timed.frames >= ends[0]) & (timed.frames <= ends[1])
    tail = timed.frames > ends[2]
    cvar = forecast.cvar(timed.quantiles, TAIL)
    cleared, clear = one_of_each(outcomes, rng)
    reaching, unknown = len(levels) * TAIL >= 1, dict.fromkeys(("value", "low", "high"))

    def interval(top: NDArray[Any], bottom: NDArray[Any] | None = None) -> dict[str, float | None]:
        found = ratio(timed.group, top, np.ones(len(top)) if bottom is None else bottom, rng)
        return {name: float(value) if np.isfinite(value) else None for name, value in vars(found).items()}

    return {
        "games": len(cleared),
        "rows": len(outcomes.cleared),
        "timed_rows": len(timed.cleared),
        "clear_observed": dataclasses.asdict(_rate(cleared)),
        "clear_predicted": float(clear.mean()),
        "brier": float(np.square(outcomes.clear - outcomes.cleared).mean()),
        "brier_of_the_rate": float(np.square(outcomes.cleared.mean() - outcomes.cleared).mean()),
        "coverage": [{"level": float(levels[k]), **interval(below[:, k])} for k in range(len(levels))],
        "inside_90": interval(inside.astype(float)) if reaching else unknown,
        "mean_observed": average(timed.frames),
        "mean_predicted": average(forecast.mean(timed.quantiles)),
        "mean_error": interval(error),
        "sd_predicted": average(spread, 0.5),
        "variance_ratio": interval(np.square(error), spread),
        "cvar_predicted": average(cvar) if reaching else None,
        "tail_error": interval(np.where(tail, timed.frames - cvar, 0), tail.astype(float)) if reaching else unknown,
    }


def _at_level(quantiles: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """The quantile f64[R] at any level, between the two nearest of f64[R, K]; the outermost beyond them."""
    at = np.clip(level * quantiles.shape[1] - 0.5, 0, quantiles.shape[1] - 1)
    low = int(at)
    high = min(low + 1, quantiles.shape[1] - 1)
    return np.asarray(quantiles[:, low] + (at - low) * (quantiles[:, high] - quantiles[:, low]))


def average(values: NDArray[Any], power: float = 1.0) -> float | None:
    """Mean to some power; None where no game was cleared."""
    return float(values.mean() ** power) if values.size else None


def one_of_each(outcomes: Outcomes, rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """One row of every game, at random: cleared bool[G], and the chance that was said f64[G]."""
    order = rng.permutation(len(outcomes.game))
    _, first = np.unique(outcomes.group[order], return_index=True)
    return outcomes.cleared[order[first]], outcomes.clear[order[first]]


def _rate(cleared: NDArray[np.bool_]) -> Interval:
    return Interval(float(cleared.mean()), *stats.wilson(int(cleared.sum()), len(cleared)))


def ratio(group: NDArray[np.int64], top: NDArray[Any], bottom: NDArray[Any], rng: np.random.Generator) -> Interval:
    """sum(top) / sum(bottom) over rows, with the percentile interval of a bootstrap of whole groups; NaN for 0 / 0."""
    _, index = np.unique(group, return_inverse=True)
    count = int(index.max(initial=-1)) + 1
    if not count or not bottom.sum():
        return Interval(np.nan, np.nan, np.nan)
    tops, bottoms = (np.bincount(index, column, count) for column in (top, bottom))
    block = max(1, BLOCK // count)  # of resamples, so that memory stays small
    sums = []
    for begin in range(0, RESAMPLES, block):
        times = rng.multinomial(count, np.full(count, 1 / count), min(block, RESAMPLES - begin))
        sums.append((times @ tops, times @ bottoms))
    above, below = map(np.concatenate, zip(*sums, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        draws = above / below
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return Interval(float(top.sum() / bottom.sum()), float(low), float(high))


def reliability(outcomes: Outcomes, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Of games by the chance that was said of one situation each: mean chance, and share cleared (Wilson interval)."""
    cleared, clear = one_of_each(outcomes, rng)
    place = np.clip(np.searchsorted(BINS, clear, side="right") - 1, 0, len(BINS) - 2)
    rows = []
    for number in np.unique(place):
        mine = place == number
        observed = dataclasses.asdict(_rate(cleared[mine]))
        predicted = float(clear[mine].mean())
        rows.append({"from": BINS[number], "to": BINS[number + 1], "games": int(mine.sum()), "predicted": predicted}
                    | {f"observed_{name}": value for name, value in observed.items()})  # fmt: skip
    return rows


def write(out: Path, outcomes: Outcomes, content: dict[str, Any], plot: Callable[[Path], None]) -> None:
    """calibration.npz (the columns of `Outcomes`, from which all can be computed again), .json and .png."""
    check_directory("out", out)
    with replacing(out / "calibration.png") as picture, replacing(out / "calibration.npz") as columns:
        plot(picture)  # first: what cannot be drawn replaces nothing
        with open(columns, "wb") as file:
            np.savez_compressed(file, **vars(outcomes))
    write_text(out / "calibration.json", json.dumps(content, indent=1) + "\n")
