"""Search many seeds of one level with their capsules known, and keep the fastest line, verified frame by frame.

    python scripts/known_seeds.py 20 --seeds 200 --widths 100 2000 --alphas 1.0 0.5 --best 10 --out docs/records

First a narrow beam for all seeds, then wider and wider ones for the best few of what was left. Progress is kept in
STATE (JSON lines, one per search), so a run that was stopped goes on. Every record is played again from reset through
the buttons of its placements before it is written, with how the lines of the narrow beam are spread. What a known seed
means: docs/search.md.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

import mlx_drmario as dm
from mlx_drmario import files
from mlx_drmario import seeds as splits
from mlx_drmario.cli import script
from mlx_drmario.evaluate import FRAME_RATE
from mlx_drmario.ranges import Count, Level, Range, check_ranges
from mlx_drmario.search import verify_line
from mlx_drmario.spec import speed_number


@dataclass(frozen=True)
class KnownSeedsConfig:
    """Search seeds of one level for the fastest line."""

    level: tyro.conf.Positional[Level]
    speed: Literal["low", "med", "hi"] = "hi"
    seeds: Annotated[int, Range(1, 0x7FFF)] | None = None
    """only so many, spread over the training seeds; None: all 32,767 of the orbit"""
    widths: tuple[Annotated[int, Range(1, 2**20)], ...] = (10, 200, 3_000, 20_000)
    """of the beams: of every seed's first, then those of the best ones"""
    alphas: tuple[Annotated[float, Range(0, 100)], ...] = (1.0, 0.7, 0.5, 0.4)
    """weight of the value in each of them; the wider the beam, the less it needs to be told"""
    best: tuple[Count, ...] = (300, 60, 12)
    """seeds that go on to each further beam"""
    out: Path = Path("docs/records")
    """directory for level-NN.json, at other speeds than HI level-NN-SPEED.json"""
    state: Path = Path("runs/records")
    """directory for what was searched so far"""
    threads: Annotated[int, Range(0, 1_024)] = 1

    def __post_init__(self) -> None:
        check_ranges(self)
        if not len(self.widths) == len(self.alphas) == len(self.best) + 1:
            raise ValueError(
                f"alphas must be as many as widths, {len(self.widths)}, and best one less,"
                f" got {len(self.alphas)} and {len(self.best)}"
            )


def main(config: KnownSeedsConfig) -> None:
    """Search, verify, write; says how long it took."""
    start = time.perf_counter()
    search = dm.Search(threads=config.threads)
    config.state.mkdir(parents=True, exist_ok=True)
    log = config.state / f"level-{config.level:02d}-{config.speed}.jsonl"
    done = {(row["seed"], row["width"], row["alpha"]): row for row in read(log)}
    chosen = splits.orbit() if config.seeds is None else splits.seeds("training", config.seeds)
    left = chosen.tolist()
    narrow: dict[str, Any] = {}
    for width, alpha, best in zip(config.widths, config.alphas, (*config.best, 0), strict=True):
        rows = [solve(search, config, log, done, seed, width, alpha) for seed in left]
        ranked = sorted((row["frames"], row["seed"]) for row in rows if row["cleared"])
        report(config, width, ranked, len(left), time.perf_counter() - start)
        narrow = narrow or quantiles(width, len(left), [frames for frames, _ in ranked])
        left = [seed for _, seed in ranked[:best]]
    cleared = [row for row in done.values() if row["cleared"]]
    if not cleared:
        raise SystemExit(f"level {config.level}: no seed was cleared")
    record = min(cleared, key=lambda row: (row["frames"], row["seed"]))
    frames = verify_line(
        config.level, speed_number(config.speed), record["seed"], 0, np.array(record["actions"], np.int32)
    )
    if frames != record["frames"]:
        raise SystemExit(
            f"level {config.level}: seed {record['seed']} plays in {frames} frames, not {record['frames']}"
        )
    write(config, record, narrow)
    print(
        f"level {config.level} {config.speed.upper()}: {record['frames']:,} frames ="
        f" {record['frames'] / FRAME_RATE:.2f} s, seed 0x{record['seed']:04x}",
        flush=True,
    )


def report(config: KnownSeedsConfig, width: int, ranked: list[tuple[int, int]], seeds: int, seconds: float) -> None:
    """One line on the searches by one width: (frames, seed) of those that cleared, best first, of so many seeds."""
    frames = np.array([frames for frames, _ in ranked] or [0])
    print(
        f"level {config.level}, width {width:,}: {len(ranked):,} of {seeds:,} seeds cleared, median"
        f" {np.median(frames):,.0f}, best {frames[0]:,}; {seconds:,.0f} s so far",
        flush=True,
    )


def quantiles(width: int, seeds: int, frames: list[int]) -> dict[str, Any]:
    """How the lines of many seeds are spread: fewest frames, quarter, median, three quarters, most."""
    spread = np.quantile(frames, (0, 0.25, 0.5, 0.75, 1)).tolist() if frames else []
    return {"width": width, "seeds": seeds, "cleared": len(frames), "frames": spread}


def solve(
    search: dm.Search, config: KnownSeedsConfig, log: Path, done: dict[Any, Any], seed: int, width: int, alpha: float
) -> dict[str, Any]:
    """One search, unless it was done before; its result is added to the log at once."""
    if (seed, width, alpha) in done:
        return done[seed, width, alpha]
    games = dm.Decisions(num_envs=1, threads=1)
    games.reset(config.level, speed_number(config.speed), seed)
    line = search.solve(games, width, alpha, max_capsules=400)[0]
    row = {
        "seed": seed,
        "width": width,
        "alpha": alpha,
        "cleared": line.cleared,
        "frames": line.frames,
        "actions": line.actions.tolist(),
    }
    with log.open("a") as file:
        file.write(json.dumps(row) + "\n")
    done[seed, width, alpha] = row
    return row


def read(log: Path) -> list[dict[str, Any]]:
    """The whole lines of the log; one that a kill cut short is taken off its end."""
    if not log.exists():
        return []
    text = log.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        os.truncate(log, whole)
    return [json.loads(line) for line in text[:whole].splitlines()]


def write(config: KnownSeedsConfig, record: dict[str, Any], narrow: dict[str, Any]) -> None:
    """The record and the spread of the first beam's lines, unless the file has a faster one, or one of more seeds."""
    speed = "" if config.speed == "hi" else f"-{config.speed}"
    path = config.out / f"level-{config.level:02d}{speed}.json"
    content = {"level": config.level, "speed": config.speed, "frame_counter": 0, **record, "narrow": narrow}
    if path.exists():
        before = json.loads(path.read_text())
        spread = before.pop("narrow", narrow)
        content = before if before["frames"] <= record["frames"] else content
        content["narrow"] = max(spread, narrow, key=lambda spread: spread["seeds"])
    config.out.mkdir(parents=True, exist_ok=True)
    files.write_text(path, json.dumps(content) + "\n")


if __name__ == "__main__":
    sys.exit(script(KnownSeedsConfig, main))
