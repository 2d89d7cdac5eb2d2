"""`drmario train evaluator`: fit an evaluator to a policy's games, or go on with it.

drmario train evaluator --data.policy search:1ply --data.levels 0-20
drmario train resume runs/evaluator-20261126-190000
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from mlx_drmario.cli.progress import Progress, clock
from mlx_drmario.cli.stopping import default_directory, stop_on_signals
from mlx_drmario.rl.evaluator.config import EvaluatorConfig
from mlx_drmario.rl.evaluator.listener import Listener
from mlx_drmario.settings import to_json


@dataclass(frozen=True)
class NewEvaluatorConfig(EvaluatorConfig):
    """Learn the distribution of frames to clear, and the chance to clear, of a policy's games (docs/evaluator.md)."""

    dry_run: bool = False
    """print the resolved settings as JSON and exit"""


def run(config: NewEvaluatorConfig) -> int:
    """Fit, and say where the result is. Returns 0, or 130 when it was stopped (the run is saved then).

    Raises ValueError or OSError for a policy or a run directory that cannot be used.
    """
    plain = EvaluatorConfig(**{field.name: getattr(config, field.name) for field in fields(EvaluatorConfig)})
    return fitted(plain, config.out, False, config.dry_run)


def resume(run: Path, dry_run: bool) -> int:
    """Go on with a run, with the settings it was started with. Returns and raises as `run`."""
    from mlx_drmario.rl.runs.directory import read_config

    return fitted(read_config(run, EvaluatorConfig), run, True, dry_run)


def fitted(config: EvaluatorConfig, directory: Path | None, resume: bool, dry_run: bool) -> int:
    from mlx_drmario.cli import policy as policies
    from mlx_drmario.rl.evaluator.train import train
    from mlx_drmario.rl.runs import directory as directories

    policies.check(config.data.policy, "data.policy")
    run = directory or default_directory(config.name, make=not dry_run)
    directories.check(run, config, resume)
    if dry_run:
        print(f"dry run: would {'go on with' if resume else 'fit into'} {run}", file=sys.stderr)
        print(to_json(config), end="")
        return 0
    policy, planes = policies.load(config.data.policy, "data.policy")
    print(f"run {run} · seed {config.seed} · {config.data.policy} at level {config.data.levels}", flush=True)
    with stop_on_signals() as asked:
        result = train(config, run, policy, planes, Lines(asked), resume=resume)
    print(f"\nsaved {result.checkpoint}")
    if not result.finished:
        print(f"stopped; go on with\n  drmario train resume {run}")
        return 130
    print(f"  drmario calibrate {run}")
    return 0


class Lines(Listener):
    """Says how far a fit is: first its games, then its gradients."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        self.asked = asked
        self.games, self.gradients = Progress(sys.stdout), Progress(sys.stdout)

    def on_games(self, ended: int, games: int) -> None:
        self.games.show(
            ended / games,
            lambda left: f"games {ended:,} of {games:,}, {clock(left)} left",
            lambda left: f"games {ended:,} of {games:,}, {clock(left)} left",
        )

    def on_iteration(self, progress: float, metrics: dict[str, float]) -> None:
        def line(left: float | None) -> str:
            return (
                f"{progress:4.0%}  {clock(metrics['time/seconds'])} (left {clock(left)})"
                f"  {metrics['perf/rows_per_second']:,.0f} rows/s"
                f"  loss of times {metrics['loss/state_quantiles']:.4f}, of clearing {metrics['loss/state_clear']:.4f}"
            )

        self.gradients.show(progress, line, line)

    def should_stop(self) -> bool:
        return self.asked()
