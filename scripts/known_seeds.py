"""Search many seeds of one level with their capsules known, and keep the fastest line, verified frame by frame.

    python scripts/known_seeds.py 20 --seeds 200 --width 100 --best 10 --wide 2000 --out docs/records

First a narrow beam for all seeds, then a wide one, with several weights of the value, for the best of them. Progress is
kept in STATE (JSON lines, one per search), so a run that was stopped goes on. Every record is played again from reset
through the buttons of its placements before it is written. What a known seed means: docs/search.md.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

import mlx_drmario as dm
from mlx_drmario import files
from mlx_drmario import seeds as splits
from mlx_drmario.evaluate import FRAME_RATE
from mlx_drmario.search import verify_line
from mlx_drmario.spec import speed_number


@dataclass(frozen=True)
class KnownSeedsConfig:
    """Search seeds of one level for the fastest line."""

    level: tyro.conf.Positional[int]
    speed: Literal["low", "med", "hi"] = "hi"
    seeds: int | None = None
    """only so many, spread over the training seeds; None: all 32,767 of the orbit"""
    width: int = 50
    """of the beam for every seed"""
    best: int = 10
    """seeds that are searched again"""
    wide: int = 2_000
    """of the beam for those"""
    alphas: tuple[float, ...] = (0.4, 0.7, 1.0)
    """weights of the value in the wide searches"""
    out: Path = Path("docs/records")
    """directory for level-NN.json"""
    state: Path = Path("runs/records")
    """directory for what was searched so far"""
    threads: int = 1


def main(config: KnownSeedsConfig) -> None:
    """Search, verify, write; says how long it took."""
    start = time.perf_counter()
    search = dm.Search(threads=config.threads)
    config.state.mkdir(parents=True, exist_ok=True)
    log = config.state / f"level-{config.level:02d}-{config.speed}.jsonl"
    done = {(row["seed"], row["width"], row["alpha"]): row for row in read(log)}
    chosen = splits.orbit() if config.seeds is None else splits.seeds("training", config.seeds)
    for seed in chosen.tolist():
        solve(search, config, log, done, seed, config.width, 1.0)
    narrow = sorted(
        (row["frames"], row["seed"]) for key, row in done.items() if key[1] == config.width and row["cleared"]
    )
    for _, seed in narrow[: config.best]:
        for alpha in config.alphas:
            solve(search, config, log, done, seed, config.wide, alpha)
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
    write(config, record)
    times = np.array([frames for frames, _ in narrow])
    seconds = record["frames"] / FRAME_RATE
    print(
        f"level {config.level} {config.speed.upper()}: {record['frames']:,} frames = {seconds:.2f} s,"
        f" seed 0x{record['seed']:04x}; {len(times):,} of {len(chosen):,} seeds cleared by width {config.width}, median"
        f" {np.median(times):,.0f}, best {times.min():,}; {time.perf_counter() - start:,.0f} s",
        flush=True,
    )


def solve(
    search: dm.Search, config: KnownSeedsConfig, log: Path, done: dict[Any, Any], seed: int, width: int, alpha: float
) -> None:
    """One search, unless it was done before; its result is added to the log at once."""
    if (seed, width, alpha) in done:
        return
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


def read(log: Path) -> list[dict[str, Any]]:
    """The whole lines of the log; one that a kill cut short is left out."""
    if not log.exists():
        return []
    text = log.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def write(config: KnownSeedsConfig, record: dict[str, Any]) -> None:
    """The record, unless the file has a faster one."""
    path = config.out / f"level-{config.level:02d}.json"
    if path.exists() and json.loads(path.read_text())["frames"] <= record["frames"]:
        return
    config.out.mkdir(parents=True, exist_ok=True)
    content = {"level": config.level, "speed": config.speed, "frame_counter": 0, **record}
    files.write_text(path, json.dumps(content) + "\n")


if __name__ == "__main__":
    main(tyro.cli(KnownSeedsConfig))
