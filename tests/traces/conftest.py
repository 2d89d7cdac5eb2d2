"""Recorded games that several tests read."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.baselines import Greedy
from mlx_drmario.traces import storage
from mlx_drmario.traces.capture import Capture
from mlx_drmario.traces.games import Games


def capture_random(
    directory: Path,
    games: int = 8,
    steps: int = 40,
    seed: int = 0,
    level: int | None = None,
    threads: int = 1,
    **options: object,
) -> list[Path]:
    """Random legal games of all levels and speeds, restarted when they end; returns the files."""
    rng = np.random.default_rng(seed)
    play = dm.Decisions(num_envs=games, threads=threads)

    def start(mask: np.ndarray) -> None:
        levels = rng.integers(0, 21, games) if level is None else level
        play.reset(levels, rng.integers(0, 3, games), rng.integers(2, 65536, games), rng.integers(0, 256, games), mask)

    with Capture(directory, name="random", policy="random", config={"seed": seed}, **options) as capture:  # type: ignore[arg-type]
        start(np.ones(games, bool))
        for step in range(steps):
            if play.ended.any():
                start(play.ended.copy())
            action = play.sample_legal(step)
            capture.before_step(play, action, None, None)
            play.step(action)
            capture.after_step(play)
    return sorted(directory.glob("*.dmtrace.h5"))


def capture_greedy(directory: Path, levels: tuple[int, ...] = (0, 1, 20), speed: int = 2, seed: int = 40) -> list[Path]:
    """Whole games of the greedy baseline, one per level; the one of level 0 and seed 40 is cleared."""
    play = dm.Decisions(num_envs=len(levels), threads=1)
    play.reset(np.array(levels), speed, np.arange(seed, seed + len(levels)))
    policy = Greedy()
    with Capture(directory, name="greedy", policy="greedy") as capture:
        while not play.ended.all():
            action = policy.act(play)
            capture.before_step(play, action, None, None)
            play.step(action)
            capture.after_step(play)
    return sorted(directory.glob("*.dmtrace.h5"))


def capture_rounds(directory: Path, games: int = 6, steps: int = 120, seed: int = 0, **options: object) -> list[Path]:
    """Random legal rounds of two players with different settings, restarted when they end."""
    rng = np.random.default_rng(seed)
    play = dm.Decisions(num_envs=games, players=2, threads=1)

    def start(mask: np.ndarray) -> None:
        levels, speeds = rng.integers(0, 21, (games, 2)), rng.integers(0, 3, (games, 2))
        play.reset(levels, speeds, rng.integers(2, 65536, games), rng.integers(0, 256, games), mask)

    with Capture(directory, name="rounds", policy="random", **options) as capture:  # type: ignore[arg-type]
        start(np.ones(games, bool))
        for step in range(steps):
            if play.ended.any():
                start(play.ended.copy())
            action = play.sample_legal(step)
            capture.before_step(play, action, None, None)
            play.step(action)
            capture.after_step(play)
    return sorted(directory.glob("*.dmtrace.h5"))


@pytest.fixture(scope="session")
def random_games(tmp_path_factory: pytest.TempPathFactory) -> Games:
    (path,) = capture_random(tmp_path_factory.mktemp("random"))
    return storage.read(path)


@pytest.fixture(scope="session")
def greedy_games(tmp_path_factory: pytest.TempPathFactory) -> Games:
    (path,) = capture_greedy(tmp_path_factory.mktemp("greedy"))
    return storage.read(path)


def refused_in_a_fork(*calls: Callable[[], object]) -> int:
    """How many of the calls a forked child is refused, as the recording is its parent's."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # no thread came along: a call that waited for one would never return
        refused = 0
        for call in calls:
            try:
                call()
            except RuntimeError as error:
                refused += "belongs to process" in str(error)
        os._exit(refused)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
