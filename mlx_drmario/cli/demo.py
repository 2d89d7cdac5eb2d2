"""`drmario demo`: from nothing to a policy that clears most games of every level, in a few minutes."""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from mlx_drmario.ranges import YEAR, Range, Seed, check_ranges
from mlx_drmario.rl.ppo.config import PRESETS, PPORunConfig


@dataclass(frozen=True)
class DemoConfig:
    """Train on levels 0 to 20 HI, then play test games, those of level 0 against two baselines."""

    minutes: Annotated[float, Range(0, YEAR, without="low")] = 3.0
    """minutes of training"""
    games: Annotated[int, Range(1, 4_096)] = 500
    """test games of level 0 to play, and a fifth of them of every fifth level above"""
    seed: Seed = 0
    """seed of weights, games and sampling"""
    out: Path | None = None
    """run directory; by default runs/demo-<date>-<time>"""
    overwrite: bool = False
    """replace the run directory when it holds a run; the last 3 replaced ones are kept as RUN.bak1 to RUN.bak3"""

    def __post_init__(self) -> None:
        check_ranges(self)


def run(config: DemoConfig) -> int:
    """Train, evaluate against both baselines on test seeds, print a table and the commands to go on with.

    Returns 0, or 130 when the training was interrupted (it is saved then). Raises ValueError or OSError for a run
    directory that cannot be used.
    """
    from mlx_drmario.cli import policy as policies
    from mlx_drmario.cli.runs import same_games
    from mlx_drmario.cli.training import train
    from mlx_drmario.files import write_text
    from mlx_drmario.settings import flatten

    settings = dataclasses.replace(
        PRESETS["demo"], minutes=config.minutes, seed=config.seed, out=config.out, overwrite=config.overwrite
    )
    result = train(settings, config.out)
    run = result.run
    shown, policy = shlex.quote(str(run)), policies.named(run)
    if not result.finished:
        print(f"\nstopped and saved; go on with\n  drmario train resume {shown}")
        return 130
    last = result.last
    print(
        f"\ntrained {last.decisions:,} decisions ({last.frames:,} frames, {last.games:,} games) in {last.seconds:.0f} s"
    )
    summaries = play_test_games(settings, config.games, policy)
    write_text(run / "evaluation.json", json.dumps({"split": "test", **summaries}, indent=2) + "\n")
    games = same_games(flatten(dataclasses.asdict(settings)))
    print(
        f"\nsaved in {run}. To go on:\n"
        f"  drmario watch --policy {shlex.quote(policy)}             # watch it play\n"
        f"  drmario eval --policy {shlex.quote(policy)}{games} --split test  # more games\n"
        f"  drmario train resume {shown} --minutes {config.minutes + 10:g}   # train ten minutes longer\n"
        f"  tensorboard --logdir {shown}                # curves"
    )
    return 0


def play_test_games(settings: PPORunConfig, games: int, run: str) -> dict[str, dict[str, Any]]:
    """Print the tables of the trained policy and both baselines on test seeds; returns their numbers by row."""
    from mlx_drmario import seeds
    from mlx_drmario.cli import policy as policies
    from mlx_drmario.cli.eval import HEADER, row
    from mlx_drmario.evaluate import Policy, evaluate
    from mlx_drmario.spec import speed_number

    speed, summaries = settings.env.speed, {}
    number = speed_number(speed)

    def play(name: str, loaded: tuple[Policy, str], level: int, count: int) -> None:
        policy, planes = loaded
        result = evaluate(policy, level=level, speed=number, seeds=seeds.seeds("test", count), planes=planes)
        print(row(name, result), flush=True)
        summaries[name] = result.summary()

    print(f"\nlevel 0 {speed.upper()}, {games} test games (never trained on)\n{HEADER}")
    trained = policies.load(run)
    for name, loaded in (("trained", trained), *((name, policies.load(name)) for name in ("greedy", "random"))):
        play(name, loaded, 0, games)
    more = max(1, games // 5)
    print(f"\nlevels above, {more} test games each\n{HEADER}")
    for level in range(5, 21, 5):
        play(f"trained, level {level}", trained, level, more)
    return summaries
