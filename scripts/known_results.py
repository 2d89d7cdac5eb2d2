"""What the known-seed search reaches on the games of docs/results.md, as a file that scripts/results_table.py reads.

    python scripts/known_results.py --out docs/results/known-hi.json --games 1000 --width 50

The capsules to come are known to it, so this is no player of that table's kind: it shows how much luck hides.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

import mlx_drmario as dm
from mlx_drmario import files
from mlx_drmario import seeds as splits
from mlx_drmario.evaluate import EvalResult
from mlx_drmario.spec import speed_number


@dataclass(frozen=True)
class KnownResultsConfig:
    """Solve the first test games of every level and write clear rates and frames as JSON."""

    out: Path = Path("docs/results/known-hi.json")
    """file to write; levels that it has already are kept"""
    speed: Literal["low", "med", "hi"] = "hi"
    games: int = 1_000
    """test games a level"""
    width: int = 50
    """of the beam"""
    levels: tuple[int, ...] = tuple(range(21))
    threads: int = 0
    """0: one per core"""


def main(config: KnownResultsConfig) -> None:
    """Solve level by level, each written at once."""
    rows = list(read(config))
    search = dm.Search(threads=config.threads)
    for level in config.levels:
        if any(row["level"] == level for row in rows):
            continue
        result = solve(search, config, level)
        rows.append({"policy": f"known seed, width {config.width}", "split": "test", **result.summary()})
        rows[-1]["speed"] = config.speed
        rows.sort(key=lambda row: int(row["level"]))
        files.write_text(config.out, json.dumps({"split": "test", "results": rows}, indent=2) + "\n")
        print(
            f"level {level}: {result.clear_rate:.1%} cleared, median {np.median(result.frames_to_clear):,.0f} frames,"
            f" {result.wall_seconds:,.0f} s",
            flush=True,
        )


def read(config: KnownResultsConfig) -> Iterator[dict[str, Any]]:
    """The rows of the file with as many games by the same beam."""
    if not config.out.exists():
        return
    for row in json.loads(config.out.read_text())["results"]:
        if row["games"] == config.games and row["policy"].endswith(f" {config.width}"):
            yield row


def solve(search: dm.Search, config: KnownResultsConfig, level: int) -> EvalResult:
    """The lines of one level's games, as a result."""
    start = time.perf_counter()
    seeds = splits.seeds("test", config.games)
    games = dm.Decisions(num_envs=config.games, threads=1)
    games.reset(level, speed_number(config.speed), seeds)
    lines = search.solve(games, config.width, 1.0, max_capsules=400)
    cleared = np.array([line.cleared for line in lines])
    return EvalResult(
        level=level,
        speed=speed_number(config.speed),
        seeds=seeds,
        cleared=cleared,
        top_out=~cleared,
        truncated=np.zeros_like(cleared),
        frames=np.array([line.frames for line in lines], np.uint32),
        decisions=np.array([len(line.actions) for line in lines], np.uint32),
        viruses_left=np.zeros(config.games, np.uint8),
        max_decisions=400,
        wall_seconds=time.perf_counter() - start,
    )


if __name__ == "__main__":
    main(tyro.cli(KnownResultsConfig))
