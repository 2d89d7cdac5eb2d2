"""What the known-seed search reaches on the games of docs/results.md, as a file that scripts/results_table.py reads.

    python scripts/known_results.py --out docs/results/known-hi.json --games 1000 --width 50

The capsules to come are known to it, so this is no player of that table's kind.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

import mlx_drmario as dm
from mlx_drmario import files
from mlx_drmario import seeds as splits
from mlx_drmario.cli import script
from mlx_drmario.evaluate import EvalResult
from mlx_drmario.ranges import Level, Range, check_ranges
from mlx_drmario.search import Parts
from mlx_drmario.spec import speed_number

MOST_CAPSULES = 400
"""of a game; one that is not cleared by then counts as cut short"""


@dataclass(frozen=True)
class KnownResultsConfig:
    """Solve the first test games of every level and write clear rates and frames as JSON."""

    out: Path = Path("docs/results/known-hi.json")
    """file to write; levels that it has already are kept"""
    speed: Literal["low", "med", "hi"] = "hi"
    games: Annotated[int, Range(1, 4_096)] = 1_000
    """test games a level"""
    width: Annotated[int, Range(1, 2**20)] = 50
    """of the beam"""
    levels: tuple[Level, ...] = tuple(range(21))
    threads: Annotated[int, Range(0, 1_024)] = 0
    """0: one per core"""

    def __post_init__(self) -> None:
        check_ranges(self)


def main(config: KnownResultsConfig) -> None:
    """Solve level by level, each written at once."""
    rows = list(read(config))
    search = dm.Search(threads=config.threads)
    for level in config.levels:
        if any(row["level"] == level for row in rows):
            continue
        result = solve(search, config, level)
        rows.append({"policy": policy(config), "split": "test", **result.summary()})
        rows.sort(key=lambda row: int(row["level"]))
        files.write_text(config.out, json.dumps({"split": "test", "results": rows}, indent=2) + "\n")
        print(
            f"level {level}: {result.clear_rate:.1%} cleared, median {np.median(result.frames_to_clear):,.0f} frames,"
            f" {result.wall_seconds:,.0f} s",
            flush=True,
        )


def read(config: KnownResultsConfig) -> Iterator[dict[str, Any]]:
    """The rows of the file, which must be of the same games by the same beam."""
    if not config.out.exists():
        return
    for row in json.loads(config.out.read_text())["results"]:
        asked = (row["games"], row["speed"], row["policy"])
        if asked != (config.games, config.speed, policy(config)):
            raise ValueError(f"out is {config.out}, which holds other games or another beam than asked for")
        yield row


def policy(config: KnownResultsConfig) -> str:
    """What stands in the place of a policy's name."""
    return f"known seed, width {config.width}"


def solve(search: dm.Search, config: KnownResultsConfig, level: int) -> EvalResult:
    """The lines of one level's games, as a result."""
    start = time.perf_counter()
    seeds = splits.seeds("test", config.games)
    lines: list[dm.Line] = []
    for part in Parts(search.threads)(np.arange(config.games)):
        games = dm.Decisions(num_envs=len(part), threads=1)
        games.reset(level, speed_number(config.speed), seeds[part])
        lines += search.solve(games, config.width, 1.0, max_capsules=MOST_CAPSULES)
    cleared = np.array([line.cleared for line in lines])
    decisions = np.array([len(line.actions) for line in lines], np.uint32)
    viruses_left = np.zeros(config.games, np.uint8)
    for game in np.flatnonzero(~cleared).tolist():
        alone = dm.Decisions(num_envs=1, threads=1)
        alone.reset(level, speed_number(config.speed), seeds[game])
        for action in lines[game].actions:
            alone.step(np.array([action]))
        viruses_left[game] = alone.viruses_left[0]
    return EvalResult(
        level=level,
        speed=speed_number(config.speed),
        seeds=seeds,
        cleared=cleared,
        top_out=~cleared & (decisions < MOST_CAPSULES),
        truncated=~cleared & (decisions == MOST_CAPSULES),
        frames=np.array([line.frames for line in lines], np.uint32),
        decisions=decisions,
        viruses_left=viruses_left,
        max_decisions=MOST_CAPSULES,
        wall_seconds=time.perf_counter() - start,
    )


if __name__ == "__main__":
    sys.exit(script(KnownResultsConfig, main))
