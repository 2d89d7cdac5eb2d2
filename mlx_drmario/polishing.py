"""Improves the weights of the linear value function by what whole games take (docs/search.md).

Regression (tuning.py) learns what a search says; here weights are judged by the frames of games that a search plays
with them, and moved by CMA-ES (Hansen 2016, arXiv:1604.00772; the library `cmaes`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.ranges import Count, Level, Range, check_ranges
from mlx_drmario.search import Budget
from mlx_drmario.tuning import Regression, Say, placements, usable, within_groups

LOST = 40_000
"""Frames that a lost game counts"""
LEAST_VARIANCE, SMALLEST = 0.001, 0.03
"""Directions of less variance between placements stay as they are, and those of less than SMALLEST count as so much:
nothing that is seen there is worth a step as long as it would take"""


@dataclass(frozen=True)
class Polish:
    """CMA-ES on the weights, by games of a beam that knows the capsules."""

    generations: Annotated[int, Range(0, 100_000)] = 0
    """0: the weights stay as they are"""
    population: Annotated[int, Range(4, 1_000)] = 20
    """weights tried per generation"""
    sigma: Annotated[float, Range(0, 1_000, without="low")] = 1.2
    """first step, in frames that it moves the values of placements by, in every direction"""
    games: Count = 32
    """training games per level and generation, the same for all weights of it"""
    levels: tuple[Level, ...] = (20, 14, 8)
    """of those games; each level counts the same"""
    width: Annotated[int, Range(1, 10_000)] = 6
    """of the beam"""

    def __post_init__(self) -> None:
        check_ranges(self, "polish.")
        if not self.levels:
            raise ValueError("polish.levels must be one level or more, got none")


def polish(
    config: Polish, weights: NDArray[np.float64], rng: np.random.Generator, threads: int, say: Say
) -> NDArray[np.float64]:
    """Weights in frames, f64[F]: the moving average of the centres of all generations."""
    if config.generations == 0:
        return weights
    basis = directions(weights, rng, threads)
    strategy = CMA(
        np.zeros(basis.shape[1]), config.sigma, population_size=config.population, seed=int(rng.integers(2**31))
    )
    average = np.zeros(basis.shape[1])
    for generation in range(config.generations):
        games = start_games(config, rng, threads)
        before = frames_of(config, weights, games, threads)
        asked = [strategy.ask() for _ in range(config.population)]
        ratios = [(frames_of(config, weights + basis @ z, games, threads) / before).mean() for z in asked]
        strategy.tell(list(zip(asked, ratios, strict=True)))
        average += max(0.1, 1 / (generation + 1)) * (strategy.mean - average)
        say(
            f"generation {generation + 1} of {config.generations}: frames {np.median(ratios):.1%} of those before in"
            f" the median, {min(ratios):.1%} at best"
        )
    return weights + basis @ average


def directions(weights: NDArray[np.float64], rng: np.random.Generator, threads: int) -> NDArray[np.float64]:
    """f64[F, D]: changes of the weights that each move the values of a situation's placements by 1 frame (rms)."""
    looked = dataclasses.replace(Regression(), best=6, random=0, budget=Budget(plies=1))
    found = placements(looked, weights, dm.Search(weights=usable(weights), threads=threads), rng, threads)
    order = np.argsort(found.group, kind="stable")
    inside, _ = within_groups(found.features[order], found.group[order])
    variance, axes = np.linalg.eigh(inside.T @ inside / len(inside))
    scaled = axes / np.sqrt(np.maximum(variance, SMALLEST))
    return np.asarray(scaled[:, variance > LEAST_VARIANCE])


def start_games(config: Polish, rng: np.random.Generator, threads: int) -> dm.Decisions:
    """New games at HI on training seeds, `games` of each level, either clock phase."""
    n = config.games
    chosen, phase = seeds.sample("training", rng, n), rng.integers(0, 2, n)
    games = dm.Decisions(num_envs=n * len(config.levels), threads=threads)
    games.reset(np.repeat(config.levels, n), 2, np.tile(chosen, len(config.levels)), np.tile(phase, len(config.levels)))
    return games


def frames_of(config: Polish, weights: NDArray[np.float64], games: dm.Decisions, threads: int) -> NDArray[np.float64]:
    """f64[levels]: mean frames of the games, which stay where they are."""
    lines = dm.Search(weights=usable(weights), threads=threads).solve(games, width=config.width)
    frames = np.array([line.frames if line.cleared else LOST for line in lines], np.float64)
    return frames.reshape(len(config.levels), config.games).mean(axis=1)
