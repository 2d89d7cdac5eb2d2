"""Fits the weights of the linear value function (docs/search.md) from zero, by play alone.

First the cross-entropy method on whole games, which needs nothing but a score; then ridge regression on what a deeper
search with those weights says of many boards, good and bad, repeated with the weights it gives.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.search import Budget, chosen_rows, roots_of

UNITS = 4
"""weights per frame: they are whole quarters of a frame"""
LOST = 30_000.0
"""score of a lost game without its viruses, in frames"""
LOST_VIRUS = 300.0
"""score of each virus left in a lost game, in frames"""
LARGEST = 30_000.0
"""frames to go at most, in the regression: a certain loss is worth no more than a very long game"""
LARGEST = 16_000.0
"""frames to go beyond which some future was lost; a linear value cannot say that, so such placements are left out"""
Say = Callable[[str], None]


COARSE = (
    "viruses_0_7", "viruses_8_11", "viruses_12_15", "halves_0_1", "halves_2_3", "center_0_1", "holes", "steps",
    "mixed", "mixed_on_virus", "covered_viruses", "virus_down_2", "virus_down_3", "virus_across_2", "virus_across_3",
    "virus_buried", "virus_dead",
)  # fmt: skip
"""features that the first stages find weights for; with all at once the cross-entropy method drowns in noise"""


@dataclass(frozen=True)
class Stage:
    """Some generations of the cross-entropy method at one level."""

    level: int
    generations: int
    all_features: bool
    candidates: int = 48
    """per generation"""
    games: int = 16
    """per candidate, the same for all of a generation"""
    max_capsules: int = 100


@dataclass(frozen=True)
class CrossEntropy:
    """The cross-entropy method: R. Y. Rubinstein, Methodology and Computing in Applied Probability 1 (1999)."""

    stages: tuple[Stage, ...] = (
        Stage(0, 10, False),
        Stage(4, 8, False),
        Stage(8, 8, False, max_capsules=200),
        Stage(8, 10, True, max_capsules=200),
        Stage(14, 10, True, games=24, max_capsules=250),
        Stage(20, 16, True, games=24, max_capsules=350),
    )
    elite: int = 8
    """candidates that the next generation is drawn around"""


@dataclass(frozen=True)
class Regression:
    """Regression of search values on features, among the placements of the same capsule."""

    rounds: int = 4
    roots: int = 1_500
    """situations per round"""
    best: int = 5
    """placements of each that look best"""
    random: int = 3
    """and drawn at random, so that there are bad ones"""
    random_moves: float = 0.1
    """share of placements drawn at random on the way to a situation"""
    ridge: float = 0.002
    """added to the diagonal of the covariance of features that have variance 1"""
    anchor: float = 0.05
    """weight of the frames to go themselves beside their differences, which alone say nothing of the scale"""
    greatest: float = 2_000
    """differences between placements are cut at so many frames: losses are far beyond what a linear value can say"""
    budget: Budget = Budget(plies=3, first=12, boards=4, depth=4, width=1, sequences=4)
    """the search whose values are learnt"""


def features_scale(rng: np.random.Generator, threads: int) -> NDArray[np.float64]:
    """Standard deviation of every feature over boards of random play, f64[F]; 1 where a feature never changes."""
    d = dm.Decisions(num_envs=64, threads=threads)
    start_anywhere(d, np.ones(64, np.bool_), rng)
    bottles = []
    for _ in range(24):
        walk(d, None, 1.0, rng)
        bottles.append(roots_of(d)["bottle"])
    deviation = dm.features(np.concatenate(bottles)).std(axis=0)
    return np.where(deviation > 0, deviation, 1.0)


def usable(weights: NDArray[np.float64]) -> NDArray[np.int32]:
    """Weights in frames, rounded to the units of `dm.Search`, i32[F]; shrunk if their sums could overflow."""
    scaled = weights * UNITS
    for _ in range(200):
        whole = np.round(scaled).astype(np.int32)
        try:
            dm.Search(weights=whole, threads=1)
        except ValueError:
            scaled = scaled * 0.95
        else:
            return whole
    raise ValueError("weights are too large by far for the value function")


def cross_entropy(config: CrossEntropy, rng: np.random.Generator, threads: int, say: Say) -> NDArray[np.float64]:
    """Weights in frames, f64[F], found from zero."""
    scale = features_scale(rng, threads)
    coarse = np.isin(dm.feature_names(), COARSE)
    mean = np.zeros(len(scale))
    deviation = np.where(coarse, 40.0 / scale, 0.0)
    everything = False
    for stage in config.stages:
        if stage.all_features and not everything:
            deviation = np.maximum(deviation, np.where(coarse, 0.0, 10.0 / scale))
            everything = True
        free = coarse | everything
        for generation in range(stage.generations):
            drawn = mean + deviation * rng.standard_normal((stage.candidates, len(scale)))
            drawn[0] = mean
            games = seeds.sample("training", rng, stage.games)
            scores = np.array([score(usable(weights), stage, games, threads) for weights in drawn])
            best = np.argsort(scores[:, 0], kind="stable")[: config.elite]
            mean = drawn[best].mean(axis=0)
            # A little more than the elite's spread, or it collapses early (I. Szita and A. Lorincz, Learning Tetris
            # using the noisy cross-entropy method, Neural Computation 18, 2006).
            deviation = np.where(free, drawn[best].std(axis=0) + 3.0 / scale, 0.0)
            say(
                f"level {stage.level}, {'all' if everything else 'coarse'} features, generation {generation + 1}: elite"
                f" {scores[best, 0].mean():,.0f} frames, {scores[best, 1].mean():.0%} cleared"
            )
    return mean


def score(weights: NDArray[np.int32], stage: Stage, games: NDArray[np.uint16], threads: int) -> tuple[float, float]:
    """(mean cost in frames, share cleared) of one-ply play at HI."""
    search = dm.Search(weights=weights, threads=threads)
    cleared, frames, _, viruses = search.play(stage.level, 2, games, max_capsules=stage.max_capsules)
    cost = np.where(cleared > 0, frames, LOST + LOST_VIRUS * viruses)
    return float(cost.mean()), float((cleared > 0).mean())


def regression(
    config: Regression, weights: NDArray[np.float64], rng: np.random.Generator, threads: int, say: Say
) -> NDArray[np.float64]:
    """Weights in frames, f64[F], after the rounds of the regression."""
    for number in range(config.rounds):
        search = dm.Search(weights=usable(weights), threads=threads)
        group, x, y = siblings(config, weights, search, rng, threads)
        old = x @ weights
        weights, error = contrast(group, x, y, config)
        say(
            f"round {number + 1}: {len(y):,} placements of {group.max() + 1:,} situations, mean {y.mean():,.0f} frames"
            f" to go (was said to be {old.mean():,.0f}), error of differences {error:,.0f}"
        )
    return weights


def siblings(
    config: Regression, weights: NDArray[np.float64], search: dm.Search, rng: np.random.Generator, threads: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Afterstates of the same situations: (group i64[M], features f64[M, F], frames to go by search f64[M]).

    A cleared board has no features and 0 frames to go.
    """
    games, each = 250, 12
    d = dm.Decisions(num_envs=games, threads=threads)
    copy = dm.Decisions(num_envs=games, threads=threads)
    groups, features, values = [], [], []
    start_anywhere(d, np.ones(games, np.bool_), rng)
    for number in range(-(-config.roots // games)):
        for _ in range(each):
            walk(d, search, config.random_moves, rng)
        blob = d.save()
        for actions in chosen_actions(config, weights, d, rng):
            copy.load(blob)
            copy.step(actions)
            alive = ~copy.ended
            roots = chosen_rows(roots_of(copy), np.flatnonzero(alive))
            groups += [number * games + np.flatnonzero(alive), number * games + np.flatnonzero(copy.cleared)]
            features += [dm.features(roots["bottle"]), np.zeros((copy.cleared.sum(), len(weights)))]
            values += [search.choose(**roots, **dataclasses.asdict(config.budget))[1], np.zeros(copy.cleared.sum())]
    return np.concatenate(groups), np.concatenate(features).astype(np.float64), np.concatenate(values)


def start_anywhere(d: dm.Decisions, mask: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """New games at HI, of levels 0 to 20, either clock phase, on training seeds, where `mask` is set."""
    n = d.num_envs
    d.reset(rng.integers(0, 21, n), 2, seeds.sample("training", rng, n), rng.integers(0, 2, n), mask=mask)


def walk(d: dm.Decisions, search: dm.Search | None, random_moves: float, rng: np.random.Generator) -> None:
    """One decision of every game: one-ply search, or a random placement; ended games start anew."""
    actions = d.sample_legal(int(rng.integers(2**63)))
    if search is not None:
        actions = np.where(rng.random(d.num_envs) < random_moves, actions, search.choose(**roots_of(d))[0])
    d.step(actions.astype(np.int32))
    if d.ended.any():
        start_anywhere(d, d.ended.copy(), rng)


def chosen_actions(
    config: Regression, weights: NDArray[np.float64], d: dm.Decisions, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Placements to compare, i32[best + random, N]: the best of one ply by the weights, then random ones."""
    after = d.afterstates()
    rank = after.tau + np.where(after.cleared, 0, dm.features(after.bottle) @ weights) + np.where(after.top_out, 1e9, 0)
    order = np.lexsort((rank, after.env))
    first = np.searchsorted(after.env, np.arange(d.num_envs + 1))
    count = np.diff(first)
    columns = [np.minimum(k, count - 1) for k in range(config.best)]
    columns += [rng.integers(0, count) for _ in range(config.random)]
    return np.stack([after.action[order[first[:-1] + column]] for column in columns]).astype(np.int32)


def contrast(
    group: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64], config: Regression
) -> tuple[NDArray[np.float64], float]:
    """Ridge regression of differences of y within groups, and of each group's median with a small weight.

    Returns (weights f64[F], root mean square error of the differences).
    """
    order = np.argsort(group, kind="stable")
    order = order[y[order] < LARGEST]
    x, y = x[order], y[order]
    _, first, inverse = np.unique(group[order], return_index=True, return_inverse=True)
    size = np.bincount(inverse)[:, None]
    center = np.array([np.median(part) for part in np.split(y, first[1:])])
    mean_x, mean_y = np.add.reduceat(x, first, axis=0) / size, center
    y = np.clip(y - center[inverse], -config.greatest, config.greatest)
    y = y - (np.add.reduceat(y, first) / size[:, 0])[inverse]
    x = x - mean_x[inverse]
    scale = x.std(axis=0)
    scale[scale == 0] = 1.0
    normal = x.T @ x / len(y) + config.anchor * mean_x.T @ mean_x / len(mean_y) + config.ridge * np.diag(scale**2)
    weights = np.linalg.solve(normal, x.T @ y / len(y) + config.anchor * mean_x.T @ mean_y / len(mean_y))
    return weights, float(np.sqrt(np.mean((x @ weights - y) ** 2)))
