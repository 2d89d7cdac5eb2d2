"""`drmario demo`: from nothing to a policy that clears level 0, in a few minutes."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlx_drmario.rl.config import SPEEDS
from mlx_drmario.rl.ppo.config import PRESETS, PPORunConfig


@dataclass(frozen=True)
class DemoConfig:
    """Train on level 0 HI, then play test games against two baselines."""

    minutes: float = 3.0
    """minutes of training"""
    games: int = 500
    """test games to play"""
    seed: int = 0
    """seed of weights, games and sampling"""
    out: Path | None = None
    """run directory; by default runs/demo-<date>-<time>"""
    overwrite: bool = False
    """replace the run directory when it holds a run; the last 3 replaced ones are kept as RUN.bak1 to RUN.bak3"""

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise ValueError(f"minutes must be positive, got {self.minutes}")
        if not 1 <= self.games <= 4096:
            raise ValueError(f"games must be between 1 and 4096 (the test split), got {self.games}")


def run(config: DemoConfig) -> int:
    """Train, evaluate against both baselines on test seeds, print a table and the commands to go on with.

    Returns 0, or 130 when the training was interrupted (it is saved then). Raises ValueError or OSError for a run
    directory that cannot be used.
    """
    from mlx_drmario.cli.train import train
    from mlx_drmario.files import write_text

    settings = dataclasses.replace(
        PRESETS["demo"], minutes=config.minutes, seed=config.seed, out=config.out, overwrite=config.overwrite
    )
    result = train(settings, config.out)
    run = result.run
    if not result.finished:
        print(f"\nstopped and saved; go on with\n  drmario train resume {run}")
        return 130
    last = result.last
    print(
        f"\ntrained {last.decisions:,} decisions ({last.frames:,} frames, {last.games:,} games) in {last.seconds:.0f} s"
    )
    summaries = play_test_games(settings, config.games, str(run))
    write_text(run / "evaluation.json", json.dumps({"split": "test", **summaries}, indent=2) + "\n")
    print(
        f"\nsaved in {run}. To go on:\n"
        f"  drmario watch --policy {run}             # watch it play\n"
        f"  drmario eval --policy {run} --split test --seeds 4096  # all test games\n"
        f"  drmario train resume {run} --minutes 10   # train further\n"
        f"  tensorboard --logdir {run}                # curves"
    )
    return 0


def play_test_games(settings: PPORunConfig, games: int, run: str) -> dict[str, dict[str, Any]]:
    """Print the table of the trained policy and both baselines on test seeds, and return its numbers by policy."""
    from mlx_drmario import seeds
    from mlx_drmario.cli import policy as policies
    from mlx_drmario.cli.eval import HEADER, row
    from mlx_drmario.evaluate import evaluate

    level, speed = settings.env.level, settings.env.speed
    print(f"\nlevel {level} {speed.upper()}, {games} test games (never trained on)\n{HEADER}")
    summaries = {}
    for name, source in (("trained", run), ("greedy", "greedy"), ("random", "random")):
        policy, planes = policies.load(source)
        result = evaluate(policy, level=level, speed=SPEEDS[speed], seeds=seeds.seeds("test", games), planes=planes)
        print(row(name, result), flush=True)
        summaries[name] = result.summary()
    return summaries
