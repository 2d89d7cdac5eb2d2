"""Whether level 0 HI can be cleared within so many frames: all placements of all seeds, but for what a bound rules out.

    python scripts/least_frames.py 268

What the bound is and why fastest placements are enough: docs/search.md, "The least of level 0".
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario import seeds as splits
from mlx_drmario.cli import script
from mlx_drmario.spec import COLS, EMPTY, ROWS, VIRUS

LEVEL, SPEED = 0, 2
COLORS = 3
BATCH = 4_096
"""placements resolved together"""
MOST_CAPSULES = 24
"""that the bound looks ahead"""
MOST_HALVES = ROWS
"""in a column"""
_DIGITS = (MOST_HALVES + 1) ** np.arange(COLS)  # make one number of those of all columns
RESOLVE = 6
"""frames at least from a lock to the clear that it causes (docs/rules.md, 11)"""
LAST = 28
"""frames at least that a capsule takes longer if another one follows, instead of the game being cleared: the throw"""


@dataclass(frozen=True)
class LeastFramesConfig:
    """Say which seeds clear level 0 HI within so many frames."""

    frames: tyro.conf.Positional[int]
    frame_counter: Literal[0, 1] = 0
    """whether it is even or odd in the first frame of play"""
    seeds: int | None = None
    """only so many, spread over the training seeds; None: all 32,767 of the orbit"""
    processes: int = 2


def decision_frames(row: int) -> int:
    """Frames at least from one decision to the next if the capsule's base locks in `row` (0 = top)."""
    return 31 + 2 * row + max(4, row + 1)  # fall, drawing the picture, scans and throw (docs/rules.md, 11)


@cache
def tower_frames() -> NDArray[np.int64]:
    """[rows, capsules]: frames at least for so many more capsules over a bottle whose topmost tile is in that row.

    Each locks on what is there by then, two rows higher at most after every capsule.
    """
    least = np.zeros((ROWS + 1, MOST_CAPSULES), np.int64)
    for top in range(ROWS + 1):
        for capsules in range(1, MOST_CAPSULES):
            rows = [max(0, top - 1 - 2 * before) for before in range(capsules)]
            least[top, capsules] = sum(map(decision_frames, rows)) - LAST
    return least


class Need:
    """What it takes to clear viruses of one colour, whichever rows or columns of four they go in.

    A way is one line of four cells through every virus. Each of its cells but the viruses needs a half of the colour,
    which may be there already, above it in its column: pieces fall straight down.
    """

    def __init__(self, viruses: Sequence[int]) -> None:
        """viruses: their cells."""
        ways = {needed(lines, viruses) for lines in itertools.product(*map(lines_through, viruses))}
        self._halves = np.zeros((len(ways), COLS, MOST_HALVES + 1), np.int16)  # still needed with so many in the column
        self._delay = np.zeros_like(self._halves)  # by how much falling so deep takes longer, for one half of a capsule
        for way, columns in enumerate(ways):
            for column, have in itertools.product(range(COLS), range(MOST_HALVES + 1)):
                rest = columns[column][: max(0, len(columns[column]) - have)]  # those there already serve the deepest
                self._halves[way, column, have] = len(rest)
                self._delay[way, column, have] = sum(decision_frames(row) - decision_frames(0) for row in rest)

    def least(self, have: NDArray[np.integer]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Halves and delay, each at least, i16[S]; have: halves of the colour in every column, [S, 8]."""
        column = np.arange(COLS)
        halves = self._halves[:, column, have].sum(axis=2, dtype=np.int16)  # [ways, S]
        delay = self._delay[:, column, have].sum(axis=2, dtype=np.int16)
        return halves.min(axis=0), delay.min(axis=0)


@cache
def lines_through(cell: int) -> list[tuple[int, ...]]:
    """All lines of four cells with this one."""
    row, column = divmod(cell, COLS)
    across = [row * COLS + first for first in range(max(0, column - 3), min(COLS - 4, column) + 1)]
    down = [first * COLS + column for first in range(max(0, row - 3), min(ROWS - 4, row) + 1)]
    return [tuple(range(first, first + 4)) for first in across] + [tuple(range(f, f + 4 * COLS, COLS)) for f in down]


def needed(lines: Sequence[Sequence[int]], viruses: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Rows of the cells of these lines that hold no virus, ascending, for every column."""
    cells = sorted(set(itertools.chain(*lines)) - set(viruses))
    return tuple(tuple(cell // COLS for cell in cells if cell % COLS == column) for column in range(COLS))


class Bound:
    """Frames at which a game is cleared, at the least, from what is in the bottle at a decision."""

    def __init__(self, bottle: NDArray[np.uint8], reserve: NDArray[np.uint8]) -> None:
        """bottle: u8[128] with all viruses; reserve: u8[128], of which capsule n is number n of the game."""
        self._viruses = [np.flatnonzero(bottle == VIRUS + color) for color in range(COLORS)]
        self._reserve = reserve
        self._needs: dict[tuple[int, ...], Need] = {}

    def __call__(self, bottles: NDArray[np.uint8], frames: NDArray[np.int64], made: int) -> NDArray[np.int64]:
        """i64[S] for bottles u8[S, 128] before capsule `made` (0, 1, ...) after so many frames; not cleared."""
        halves = np.zeros((len(bottles), COLORS), np.int64)
        delay = np.zeros(len(bottles), np.int64)
        for color in range(COLORS):
            halves[:, color], more = self._of_color(bottles, color)
            delay += more
        coming = self._reserve[(np.arange(MOST_CAPSULES - 1) + made + 1) % len(self._reserve)]
        thrown = np.array(
            [(coming // COLORS == color).astype(int) + (coming % COLORS == color) for color in range(COLORS)]
        )
        enough = (thrown.cumsum(axis=1)[None] >= halves[:, :, None]).all(axis=1)  # [S, capsules]
        capsules = np.where(enough.any(axis=1), enough.argmax(axis=1) + 1, MOST_CAPSULES - 1)
        occupied = bottles != EMPTY
        top = np.where(occupied.any(axis=1), occupied.argmax(axis=1) // COLS, ROWS)
        deep = capsules * decision_frames(0) - LAST + (delay + 1) // 2
        return frames + np.maximum(tower_frames()[top, capsules], deep)

    def _of_color(self, bottles: NDArray[np.uint8], color: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Halves that are still to be thrown and their delay, i64[S]."""
        viruses = self._viruses[color]
        halves, delay = np.zeros((2, len(bottles)), np.int64)
        left = bottles[:, viruses] & 0xF0 == VIRUS
        have = ((bottles & 0xF0 < VIRUS) & (bottles & 0x0F == color)).reshape(-1, ROWS, COLS).sum(axis=1)
        for those in np.unique(left, axis=0):
            cells = tuple(viruses[those].tolist())
            if not cells:
                continue
            if cells not in self._needs:
                self._needs[cells] = Need(cells)
            rows = np.flatnonzero((left == those).all(axis=1))
            _, first, kind = np.unique(have[rows] @ _DIGITS, return_index=True, return_inverse=True)
            kinds = np.array_split(have[rows[first]], len(first) // 64 + 1)
            parts = zip(*map(self._needs[cells].least, kinds), strict=True)
            halves[rows], delay[rows] = (np.concatenate(part)[kind] for part in parts)
        return halves, delay


@dataclass(frozen=True)
class Answer:
    """Of one game."""

    frames: int | None
    """the fewest, if within the limit"""
    line: tuple[int, ...]
    """placements that clear in so many"""
    tried: int
    """placements"""


@dataclass(frozen=True)
class Layer:
    """Games that have made equally many decisions: states [S], their frames i64[S], and the placements i16[S, made]."""

    states: NDArray[np.void]
    frames: NDArray[np.int64]
    lines: NDArray[np.int16]

    def take(self, rows: NDArray[Any]) -> Layer:
        """Some of them."""
        return Layer(self.states[rows], self.frames[rows], self.lines[rows])

    def distinct(self) -> Layer:
        """Each bottle at each frame once: all else of a state follows from these and the number of capsules."""
        keys = np.concatenate([self.states["p1_bottle"], self.frames[:, None].view(np.uint8)], axis=1)
        return self.take(np.unique(keys.view(f"V{keys.shape[1]}"), return_index=True)[1])


def joined(layers: Sequence[Layer]) -> Layer:
    """One after the other."""
    return Layer(
        *(np.concatenate([getattr(layer, name) for layer in layers]) for name in ("states", "frames", "lines"))
    )


def least_frames(games: dm.Decisions, limit: int) -> Answer:
    """The fewest frames in which this one game can be cleared, or None if not within `limit`: all its bottles after one
    capsule, then all after two, and so on."""
    bound = Bound(games.state["p1_bottle"][0], games.state["reserve"][0])
    best, line, tried = limit + 1, (), 0
    layers = [Layer(games.state.copy(), np.zeros(1, np.int64), np.zeros((1, 0), np.int16))]
    for made in itertools.count():
        layers = [each.take(bound(each.states["p1_bottle"], each.frames, made) < best) for each in layers]
        layer = joined(layers)
        if not len(layer.states):
            break
        layers = []
        for children, cleared, over in placed(layer.distinct(), best):
            tried += len(children.frames)
            if cleared.any() and (fewest := children.frames[cleared].min()) < best:
                best = int(fewest)
                line = tuple(children.take(cleared).lines[children.frames[cleared].argmin()].tolist())
            layers.append(children.take(~cleared & ~over))
    return Answer(best if best <= limit else None, line, tried)


def placed(layer: Layer, best: int) -> Iterator[tuple[Layer, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Every placement in every state that may clear the game in fewer than `best` frames, some thousands at a time, and
    which of them clear it or lose it."""
    for first in range(0, len(layer.states), BATCH // 4):
        some = layer.take(np.arange(first, min(first + BATCH // 4, len(layer.states))))
        games = parked(some.states)
        end = slice(len(some.states))
        lock = some.frames[:, None] + games.frames_to_lock[end]
        parent, action = np.nonzero(games.legal[end] & (lock + RESOLVE < best))
        for at in range(0, len(parent), BATCH):
            before, chosen = some.take(parent[at : at + BATCH]), action[at : at + BATCH]
            games, end = parked(before.states), slice(len(chosen))
            games.step(np.concatenate([chosen, games.legal[len(chosen) :].argmax(axis=1)]).astype(np.int32))
            lines = np.concatenate([before.lines, chosen[:, None].astype(np.int16)], axis=1)
            children = Layer(games.state[end].copy(), before.frames + games.tau[end], lines)
            yield children, games.cleared[end].copy(), games.top_out[end].copy()


def parked(states: NDArray[np.void]) -> dm.Decisions:
    """Games with these states, and with the first one in the places that are left."""
    games = batch(1 << max(6, (len(states) - 1).bit_length()))
    games.set_state(np.concatenate([states, np.repeat(states[:1], games.num_envs - len(states))]))
    return games


@cache
def batch(size: int) -> dm.Decisions:
    """Games to place capsules in."""
    return dm.Decisions(num_envs=size, threads=1)


# --- all seeds


def answer(job: tuple[int, LeastFramesConfig]) -> tuple[int, Answer]:
    """Of one seed."""
    seed, config = job
    games = dm.Decisions(num_envs=1, threads=1)
    games.reset(LEVEL, SPEED, seed, frame_counter=config.frame_counter)
    return seed, least_frames(games, config.frames)


def main(config: LeastFramesConfig) -> None:
    """Print every seed that clears within the limit, and how many do."""
    chosen = splits.orbit() if config.seeds is None else splits.seeds("training", config.seeds)
    jobs = [(int(seed), config) for seed in chosen]
    start, placements, found = time.perf_counter(), 0, list[tuple[int, int]]()
    with ProcessPoolExecutor(config.processes, get_context("spawn")) as pool:
        for done, (seed, result) in enumerate(pool.map(answer, jobs, chunksize=16), 1):
            placements += result.tried
            if result.frames is not None:
                found.append((result.frames, seed))
                print(f"seed 0x{seed:04x}: {result.frames} frames, placements {list(result.line)}", flush=True)
            if done % 1_000 == 0:
                seconds = time.perf_counter() - start
                left = seconds / done * (len(jobs) - done)
                print(f"{done:,} of {len(jobs):,} seeds, {seconds:,.0f} s, about {left:,.0f} s left", flush=True)
    print(
        f"{len(found):,} of {len(jobs):,} seeds clear level {LEVEL} HI within {config.frames} frames"
        f" ({placements:,} placements tried)"
    )


if __name__ == "__main__":
    sys.exit(script(LeastFramesConfig, main))
