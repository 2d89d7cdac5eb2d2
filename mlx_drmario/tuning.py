"""Fits the weights of the linear value function by play (docs/search.md).

Approximate value iteration on differences: situations are reached by play, several placements of the same capsule are
each given the frames to go that a deeper search with the present weights finds, and ridge regression explains the
differences between those placements by their features. With the new weights, again.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.ranges import Count, Range, Share, check_ranges
from mlx_drmario.search import Budget, chosen_rows, roots_of

UNITS = 4
"""weights per frame: `dm.Search` takes whole quarters of a frame"""
LARGEST = 16_000.0
"""frames to go beyond which some future was lost: a linear value cannot say that, so such placements are left out"""
GAMES, APART = 250, 12
"""games that situations come from, and capsules between two situations of a game"""
Say = Callable[[str], None]

FIRST_GUESS = {
    "viruses_0_7": 60, "viruses_8_11": 60, "viruses_12_15": 60, "halves_0_1": 72, "halves_2_3": 42, "halves_4_5": 27,
    "halves_6_9": 14, "halves_10_15": 12, "center_0_1": 100, "center_2_3": 40, "center_4_5": 10, "holes": 8, "steps": 4,
    "mixed": 12, "mixed_on_virus": 20, "mixed_above_virus": 8, "covered_viruses": 15, "virus_down_2": -15,
    "virus_down_3": -25, "virus_across_2": -8, "virus_across_3": -15, "virus_ready_3": -15, "virus_buried": 40,
    "virus_dead": 60, "half_dead": 12, "half_down_2": -4, "half_down_3": -8, "half_across_3": -4, "top_two": -8,
    "top_three": -15, "root_viruses": 6, "absent_tops": 25,
}  # fmt: skip
"""frames per feature, by thought: what play starts from"""


TEACHER = Budget(plies=3, first=12, boards=4, depth=4, width=1, sequences=4)


@dataclass(frozen=True)
class Regression:
    """Regression of search values on features, among the placements of the same capsule."""

    rounds: Annotated[int, Range(1, 1_000)] = 4
    roots: Count = 1_500
    """situations per round, a multiple of 250; the regression takes those of the round before as well"""
    best: Annotated[int, Range(1, 256)] = 5
    """placements of each that look best"""
    random: Annotated[int, Range(0, 256)] = 3
    """and drawn at random, so that there are bad ones"""
    random_moves: Share = 0.1
    """share of placements drawn at random on the way to a situation"""
    ridge: Annotated[float, Range(0, 1_000_000, without="low")] = 0.003
    """penalty, features having variance 1"""
    anchor: Annotated[float, Range(0, 1_000)] = 0.05
    """weight of the frames to go themselves beside their differences, which alone say nothing of the scale"""
    greatest: Annotated[float, Range(0, 1_000_000, without="low")] = 2_000
    """differences between placements are cut at so many frames"""
    budget: Budget = TEACHER
    """the search whose values are learnt"""

    def __post_init__(self) -> None:
        check_ranges(self, "regression.")
        if self.roots % GAMES:
            raise ValueError(f"regression.roots must be a multiple of {GAMES}, got {self.roots}")
        if self.budget.ms:
            raise ValueError(f"regression.budget.ms must be 0, got {self.budget.ms:g}: weights must not depend on time")


@dataclass(frozen=True)
class Placements:
    """Afterstates of M placements; those of the same situation share a group."""

    group: NDArray[np.int64]
    features: NDArray[np.float64]
    """f64[M, F]; all 0 for a cleared bottle"""
    frames: NDArray[np.float64]
    """f64[M]: frames to go"""


def first_guess() -> NDArray[np.float64]:
    """Weights in frames, f64[F], before anything is learnt."""
    return np.array([float(FIRST_GUESS.get(name, 0)) for name in dm.feature_names()])


def usable(weights: NDArray[np.float64]) -> NDArray[np.int32]:
    """Weights in frames, rounded to the units of `dm.Search`, i32[F]; all shrunk alike if sums could overflow."""
    scaled = weights * UNITS
    for _ in range(200):
        whole = np.round(scaled).astype(np.int32)
        try:
            dm.Search(weights=whole, threads=1)
        except ValueError:
            scaled = scaled * 0.95
        else:
            return whole
    raise ValueError(f"weights are up to {np.abs(weights).max():,.0f} frames, far too large for the value function")


def regression(
    config: Regression, weights: NDArray[np.float64], rng: np.random.Generator, threads: int, say: Say
) -> NDArray[np.float64]:
    """Weights in frames, f64[F], after the rounds of the regression."""
    before: Placements | None = None
    for number in range(config.rounds):
        search = dm.Search(weights=usable(weights), threads=threads)
        fresh = placements(config, weights, search, rng, threads)
        said = fresh.features @ weights
        weights, error = fit(fresh if before is None else joined(before, fresh), config)
        before = fresh
        kept = fresh.frames < LARGEST
        say(
            f"round {number + 1}: {kept.sum():,} placements of {len(np.unique(fresh.group)):,} situations, frames"
            f" to go {fresh.frames[kept].mean():,.0f} ({said[kept].mean():,.0f} before), error {error:,.1f}"
        )
    return weights


def placements(
    config: Regression, weights: NDArray[np.float64], search: dm.Search, rng: np.random.Generator, threads: int
) -> Placements:
    """Several placements of each of many situations, with the frames to go that search finds for them."""
    games, copy = (dm.Decisions(num_envs=GAMES, threads=threads) for _ in range(2))
    start_anywhere(games, np.ones(GAMES, np.bool_), rng)
    groups: list[NDArray[Any]] = []
    features: list[NDArray[Any]] = []
    frames: list[NDArray[Any]] = []
    for number in range(config.roots // GAMES):
        for _ in range(APART):
            walk(games, search, config.random_moves, rng)
        blob = games.save()
        for actions in compared_actions(config, weights, games, rng):
            copy.load(blob)
            copy.step(actions)
            alive, cleared = np.flatnonzero(~copy.ended), np.flatnonzero(copy.cleared)
            roots = chosen_rows(roots_of(copy.view), alive)
            groups += [number * GAMES + alive, number * GAMES + cleared]
            features += [dm.features(roots["bottle"]), np.zeros((len(cleared), len(weights)))]
            frames += [search.choose(**roots, **dataclasses.asdict(config.budget))[1], np.zeros(len(cleared))]
    return Placements(
        np.concatenate(groups), np.concatenate(features).astype(np.float64), np.concatenate(frames).astype(np.float64)
    )


def joined(first: Placements, second: Placements) -> Placements:
    """Both, no group in common."""
    return Placements(
        np.concatenate([first.group, second.group + first.group.max() + 1]),
        np.concatenate([first.features, second.features]),
        np.concatenate([first.frames, second.frames]),
    )


def start_anywhere(games: dm.Decisions, mask: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """New games at HI, of levels 0 to 20, either clock phase, on training seeds, where `mask` is set."""
    n = games.num_envs
    games.reset(rng.integers(0, 21, n), 2, seeds.sample("training", rng, n), rng.integers(0, 2, n), mask=mask)


def walk(games: dm.Decisions, search: dm.Search, random_moves: float, rng: np.random.Generator) -> None:
    """One decision of every game: one-ply search, or a random placement; ended games start anew."""
    random = games.sample_legal(int(rng.integers(2**63)))
    chosen = search.choose(**roots_of(games.view))[0]
    games.step(np.where(rng.random(games.num_envs) < random_moves, random, chosen).astype(np.int32))
    if games.ended.any():
        start_anywhere(games, games.ended.copy(), rng)


def compared_actions(
    config: Regression, weights: NDArray[np.float64], games: dm.Decisions, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Placements to compare, i32[best + random, N]: the best of one ply by the weights, then random ones."""
    after = games.afterstates()
    value = np.where(after.cleared, 0, dm.features(after.bottle) @ weights)
    order = np.lexsort((after.tau + value + np.where(after.top_out, 1e9, 0), after.env))
    first = np.searchsorted(after.env, np.arange(games.num_envs + 1))
    count = np.diff(first)
    columns = [np.minimum(k, count - 1) for k in range(config.best)]
    columns += [rng.integers(0, count) for _ in range(config.random)]
    return np.stack([after.action[order[first[:-1] + column]] for column in columns]).astype(np.int32)


def fit(data: Placements, config: Regression) -> tuple[NDArray[np.float64], float]:
    """Ridge regression of differences of frames within groups, and of each group's median with a small weight.

    Returns (weights f64[F], root mean square error of the differences). ValueError when no placement is left.
    """
    order = np.argsort(data.group, kind="stable")
    order = order[data.frames[order] < LARGEST]
    if not len(order):
        lost = f"all {len(data.frames):,} placements that were compared lose in some future"
        raise ValueError(
            f"regression has nothing to learn from: {lost}; raise regression.roots, or the teacher's depth"
        )
    x, y = data.features[order], data.frames[order]
    group = data.group[order]
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    median_y = np.array([np.median(part) for part in np.split(y, first[1:])])
    y = within_groups(np.clip(y - median_y[inverse], -config.greatest, config.greatest), group)[0]
    x, mean_x = within_groups(x, group)
    scale = x.std(axis=0)
    scale[scale == 0] = 1.0
    normal = x.T @ x / len(y) + config.anchor * mean_x.T @ mean_x / len(first) + config.ridge * np.diag(scale**2)
    weights = np.linalg.solve(normal, x.T @ y / len(y) + config.anchor * mean_x.T @ median_y / len(first))
    return weights, float(np.sqrt(np.mean((x @ weights - y) ** 2)))


def within_groups(
    values: NDArray[np.float64], group: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """([M, ...], [G, ...]): values less the means of their groups, and the means; equal groups stand together."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    means = np.add.reduceat(values, first, axis=0) / np.bincount(inverse).reshape(-1, *(1 for _ in values.shape[1:]))
    return values - means[inverse], means
