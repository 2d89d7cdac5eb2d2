"""What `drmario bench` measures of engine, planner and decision loop.

Only the standard library is imported here, and of the package only what every version has: `against` runs these cases
with the compiled core of other commits.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    import mlx_drmario as dm

Work = Callable[[], float]  # does some work and returns how many units it was

SCALING_GAMES = (1, 64, 1024, 4096)
SCALING_THREADS = (1, 2)


@dataclass(frozen=True)
class Case:
    """Something to measure; `make` prepares it."""

    name: str
    unit: str
    make: Callable[[], Work]


@dataclass(frozen=True)
class Effort:
    """Units done, and the wall and CPU seconds (of all threads) that took."""

    units: float
    wall: float
    cpu: float


def time_work(work: Work, seconds: float) -> Effort:
    """Repeat `work` until `seconds` have passed, at least once."""
    units = 0.0
    cpu, start = time.process_time(), time.perf_counter()
    while True:
        units += work()
        wall = time.perf_counter() - start
        if wall >= seconds:
            return Effort(units, wall, time.process_time() - cpu)


def _engine(games: int, threads: int) -> Work:
    """`Batch.run` without recording. Games restart from a snapshot of running games, so that none idles at its end."""
    import numpy as np

    import mlx_drmario as dm

    rng = np.random.default_rng(0)
    batch = dm.Batch(num_envs=games, threads=threads)
    batch.reset(rng.integers(5, 21, games), rng.integers(0, 3, games), rng.integers(2, 65536, games))
    frames = max(400, min(1200, 2_000_000 // games // 4 * 4))
    held = rng.choice(np.array([0, 0, 0, 1, 2, 4, 4, 0x80, 0x40], np.uint8), size=(frames // 4, games, 1))
    buttons = np.ascontiguousarray(held.repeat(4, axis=0))
    start = batch.save()

    def work() -> float:
        batch.load(start)
        batch.run(buttons)
        return float(frames * games)

    return work


def played(games: int, threads: int, steps: int) -> "dm.Decisions":
    """Games of levels 0 to 20 at all speeds, `steps` random decisions old."""
    import numpy as np

    import mlx_drmario as dm

    rng = np.random.default_rng(1)
    decisions = dm.Decisions(num_envs=games, threads=threads)
    decisions.reset(rng.integers(0, 21, games), rng.integers(0, 3, games), rng.integers(2, 65536, games))
    for _ in range(steps):
        decisions.step(decisions.sample_legal(1))
    return decisions


def random_play(games: int, threads: int) -> Work:
    """Eight random legal decisions of every game, everything included: choice, planner, planes, masks, restarts."""
    import numpy as np

    decisions = played(games, threads, 0)
    rng = np.random.default_rng(2)

    def work() -> float:
        for _ in range(8):
            decisions.step(decisions.sample_legal(2))
            if decisions.ended.any():
                level, speed = rng.integers(0, 21, games), rng.integers(0, 3, games)
                decisions.reset(level, speed, rng.integers(2, 65536, games), mask=decisions.ended)
        return 8.0 * games

    return work


def _queries(fast: bool) -> "tuple[np.ndarray, ...]":
    """Placement queries on states of random play, as `dm.reach` takes them, and bool[N, 512] of what is legal.

    At the speeds of young games, or with speed and speed-ups uniform over the table.
    """
    import numpy as np

    decisions = played(512, 1, 12)
    running = ~decisions.ended
    state = decisions.state[running]
    bottles = np.ascontiguousarray(state["p1_bottle"])
    colors = np.stack([state["p1_pill_color_l"], state["p1_pill_color_r"]], axis=-1)
    counters, speeds, ups = (state[f].copy() for f in ("frame_counter", "p1_speed_setting", "p1_speed_ups"))
    if fast:
        rng = np.random.default_rng(3)
        speeds[:], ups[:] = rng.integers(0, 3, len(speeds)), rng.integers(0, 50, len(ups))
    return bottles, colors, counters, speeds, ups, decisions.legal[running]


def _reach(fast: bool) -> Work:
    import mlx_drmario as dm

    queries = _queries(fast)[:5]

    def work() -> float:
        dm.reach(*queries)
        return float(len(queries[0]))

    return work


def _scripts() -> Work:
    import numpy as np

    import mlx_drmario as dm

    bottles, colors, counters, speeds, ups, legal = _queries(False)
    rng = np.random.default_rng(0)
    chosen = [int(rng.choice(np.flatnonzero(row))) for row in legal]

    def work() -> float:
        for i, action in enumerate(chosen):
            dm.script(bottles[i], colors[i], int(counters[i]), int(speeds[i]), int(ups[i]), action)
        return float(len(chosen))

    return work


def _afterstates() -> Work:
    decisions = played(64, 1, 12)
    return lambda: float(len(decisions.afterstates().env))


def _observe() -> Work:
    import numpy as np

    import mlx_drmario as dm

    batch = dm.Batch(num_envs=1024, threads=1)
    batch.reset(10, 2, np.arange(2, 1026))

    def work() -> float:
        batch.observe("extended")
        return 1024.0

    return work


def random_play_name(games: int, threads: int) -> str:
    """The name of a case of `CASES`."""
    return f"decisions, random legal, {games} games, {threads} thread(s)"


CASES = (
    *(
        Case(f"engine, {games} games, {threads} thread(s)", "frames/s", partial(_engine, games, threads))
        for games in (1, 64, 4096)
        for threads in (1, 2)
    ),
    Case("planner, all placements of a state, 1 thread", "states/s", partial(_reach, False)),
    Case("planner, the same at all speeds, 1 thread", "states/s", partial(_reach, True)),
    Case("planner, one script (called from Python)", "scripts/s", _scripts),
    *(
        Case(random_play_name(games, threads), "decisions/s", partial(random_play, games, threads))
        for games in SCALING_GAMES
        for threads in SCALING_THREADS
    ),
    Case("afterstates, 1 thread", "afterstates/s", _afterstates),
    Case("observation, 16 planes, 1 thread", "observations/s", _observe),
)
