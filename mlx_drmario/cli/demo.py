"""`drmario demo`: from nothing to a policy that clears level 0, in a few minutes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from mlx_drmario.rl.config import PRESETS, SPEEDS, DemoConfig, TrainConfig

__all__ = ["DemoConfig", "run"]


def run(config: DemoConfig) -> int:
    """Train, evaluate against both baselines on test seeds, print a table and the commands to go on with.

    Returns 0, or 130 when the training was interrupted (it is saved then). Raises ValueError or OSError for a run
    directory that cannot be used.
    """
    from mlx_drmario.cli.train import default_directory, train

    settings = dataclasses.replace(
        PRESETS["demo"], minutes=config.minutes, seed=config.seed, out=config.out, overwrite=config.overwrite
    )
    result = train(settings, config.out or default_directory("demo"))
    run = result.run
    if not result.finished:
        print(f"\nstopped and saved; go on with\n  drmario train resume {run}")
        return 130
    last = result.last
    print(
        f"\ntrained {last.decisions:,} decisions ({last.frames:,} frames, {last.games:,} games) in {last.seconds:.0f} s"
    )
    summaries = compare(settings, config.games, str(run))
    (run / "evaluation.json").write_text(json.dumps(summaries, indent=2) + "\n")
    print(
        f"\nsaved in {run}. To go on:\n"
        f"  drmario watch --policy {run}             # watch it play\n"
        f"  drmario eval --policy {run} --seeds 4096  # all test seeds\n"
        f"  drmario train resume {run} --minutes 10   # train further\n"
        f"  tensorboard --logdir {run}                # curves"
    )
    return 0


def compare(settings: TrainConfig, games: int, run: str) -> dict[str, dict[str, Any]]:
    """Print the table of the trained policy and both baselines on test seeds, and return its numbers by policy."""
    from mlx_drmario import seeds
    from mlx_drmario.cli import policy as policies
    from mlx_drmario.cli.eval import HEADER, row
    from mlx_drmario.evaluate import evaluate

    level, speed = settings.env.level, settings.env.speed
    print(f"\nlevel {level} {speed.upper()}, {games} test seeds (never trained on)\n{HEADER}")
    summaries = {}
    for name, source in (("trained", run), ("greedy", "greedy"), ("random", "random")):
        policy, planes = policies.load(source)
        result = evaluate(policy, level=level, speed=SPEEDS[speed], seeds=seeds.seeds("test", games), planes=planes)
        print(row(name, result), flush=True)
        summaries[name] = result.summary()
    return summaries
