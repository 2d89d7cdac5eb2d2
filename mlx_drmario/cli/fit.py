"""`drmario train clone`, `drmario train evaluator` and `drmario train qrdqn`, and going on with their runs.

drmario train evaluator --data.policy search:1ply --data.levels 0-20
drmario train qrdqn --decisions 300000
drmario train clone --minutes 60
drmario train resume runs/evaluator-20261126-190000
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_drmario.cli.capture import Watched, captured
from mlx_drmario.cli.progress import Progress, clock
from mlx_drmario.cli.runs import levels
from mlx_drmario.cli.stopping import default_directory, nothing_left, stop_on_signals
from mlx_drmario.files import check_directory
from mlx_drmario.observer import Observer
from mlx_drmario.rl.callback import Snapshot
from mlx_drmario.rl.clone.config import CloneRunConfig
from mlx_drmario.rl.config import DirectoryConfig
from mlx_drmario.rl.evaluator.config import EvaluatorConfig
from mlx_drmario.rl.qrdqn.config import QRDQNRunConfig
from mlx_drmario.settings import flatten, to_json

if TYPE_CHECKING:
    from mlx_drmario.rl.fit import RunResult


@dataclass(frozen=True)
class NewEvaluatorConfig(EvaluatorConfig):
    """Learn the distribution of frames to clear, and the chance to clear, of a policy's games (docs/evaluator.md)."""

    config: Path | None = None
    """YAML file of settings (DRMARIO_* variables override it; docs/training.md)"""
    dry_run: bool = False
    """print the resolved settings as JSON and exit"""


@dataclass(frozen=True)
class NewQRDQNConfig(QRDQNRunConfig):
    """Learn to play by QR-DQN: quantiles of the return of every placement (docs/evaluator.md)."""

    config: Path | None = None
    """YAML file of settings (DRMARIO_* variables override it; docs/training.md)"""
    capture: Path | None = None
    """keep every game in trace files in this directory (docs/traces.md)"""
    dry_run: bool = False
    """print the resolved settings as JSON and exit"""


@dataclass(frozen=True)
class NewCloneConfig(CloneRunConfig):
    """Learn from a search: what it thinks of every placement in the network's own games (docs/search.md)."""

    config: Path | None = None
    """YAML file of settings (DRMARIO_* variables override it; docs/training.md)"""
    capture: Path | None = None
    """keep every game in trace files in this directory (docs/traces.md)"""
    dry_run: bool = False
    """print the resolved settings as JSON and exit"""


NewFitConfig = NewEvaluatorConfig | NewQRDQNConfig | NewCloneConfig
"""What this command line can ask for."""
KINDS: dict[type, type[DirectoryConfig]] = {
    NewEvaluatorConfig: EvaluatorConfig, NewQRDQNConfig: QRDQNRunConfig, NewCloneConfig: CloneRunConfig
}  # fmt: skip


def run(config: NewFitConfig) -> int:
    """Train, and say where the result is. Returns 0, or 130 when it was stopped (the run is saved then).

    Raises ValueError or OSError for a policy or a run directory that cannot be used.
    """
    capture = None if isinstance(config, NewEvaluatorConfig) else config.capture
    return _run(plain(config), config.out, False, capture, config.dry_run)


def plain(config: NewFitConfig) -> DirectoryConfig:
    """Return the settings without what only the command line needs."""
    kind = KINDS[type(config)]
    return kind(**{field.name: getattr(config, field.name) for field in fields(kind)})


def resume(config: DirectoryConfig, run: Path, capture: Path | None, dry_run: bool) -> int:
    """Go on with a run. Returns and raises as `run`."""
    return _run(config, run, True, capture, dry_run)


def _run(config: DirectoryConfig, directory: Path | None, resume: bool, capture: Path | None, dry_run: bool) -> int:
    from mlx_drmario.cli import policy as policies
    from mlx_drmario.rl.runs import directory as directories

    if isinstance(config, EvaluatorConfig):
        policy = policies.located(config.data.policy, "data.policy")
        config = replace(config, data=replace(config.data, policy=policy))
    run = directory or default_directory(config.name, make=not dry_run)
    directories.check(run, config, resume)
    if dry_run:
        print(f"dry run: would {'go on with' if resume else 'train into'} {run}", file=sys.stderr)
        print(to_json(_resolved(config)), end="")
        return 0
    if capture is not None:
        check_directory("--capture", capture)
    with stop_on_signals() as asked, captured(config, run, capture) as observer:
        result = _train(config, run, Lines(asked, observer), resume)
    if result.finished and not result.last.metrics:
        print(nothing_left(config))
    print(f"\nsaved {result.checkpoint}")
    if not result.finished:
        print(f"stopped; go on with\n  drmario train resume {shlex.quote(str(run))}")
        return 130
    if isinstance(config, EvaluatorConfig):
        print(f"  drmario calibrate {shlex.quote(str(run))}")
    else:
        print(f"  drmario eval --policy {shlex.quote(policies.named(run))}")
    return 0


def _resolved(config: DirectoryConfig) -> DirectoryConfig:
    """With what automatic settings come to, as the run directory will have it."""
    if not isinstance(config, CloneRunConfig):
        return config
    from mlx_drmario.rl.clone.train import resolve

    return resolve(config)


def _train(config: DirectoryConfig, run: Path, lines: Lines, resume: bool) -> RunResult:
    taught = {EvaluatorConfig: "data.policy", CloneRunConfig: "clone.teacher"}.get(type(config))
    settings = flatten(asdict(config))
    words = [f"run {run}", f"seed {config.seed}", *([str(settings[taught])] if taught else []), levels(settings)]
    print(" · ".join(words), flush=True)
    if isinstance(config, EvaluatorConfig):
        from mlx_drmario.cli import policy as policies
        from mlx_drmario.rl.evaluator import train

        policy, planes = policies.load(config.data.policy, "data.policy")
        return train.train(config, run, policy, planes, lines, resume=resume)
    if isinstance(config, CloneRunConfig):
        from mlx_drmario.rl.clone.train import train as train_clone

        return train_clone(config, run, lines, resume=resume)
    assert isinstance(config, QRDQNRunConfig)
    from mlx_drmario.rl.qrdqn.train import train as train_qrdqn

    return train_qrdqn(config, run, lines, resume=resume)


class Lines(Watched):
    """Says how far a run is in plain lines or one line of a terminal."""

    def __init__(self, asked: Callable[[], bool], observer: Observer | None = None) -> None:
        super().__init__(asked, observer)
        self.games, self.gradients = Progress(sys.stdout), Progress(sys.stdout)

    def on_games(self, ended: int, games: int) -> None:
        def line(left: float | None) -> str:
            return f"games {ended:,} of {games:,}, {clock(left)} left"

        with self.writing():
            self.games.show(ended / games, line, line)

    def on_iteration(self, snapshot: Snapshot) -> None:
        def line(left: float | None) -> str:
            done = f"{snapshot.progress:4.0%}  {clock(snapshot.seconds)} (left {clock(left)})"
            return f"{done}  {said(snapshot.metrics)}"

        with self.writing():
            self.gradients.show(snapshot.progress, line, line)


def said(metrics: dict[str, float]) -> str:
    """What a line tells of an iteration."""
    if "perf/rows_per_second" in metrics:
        return (
            f"{metrics['perf/rows_per_second']:,.0f} rows/s  loss of times {metrics['loss/state_quantiles']:.4f},"
            f" of clearing {metrics['loss/state_clear']:.4f}"
        )
    if "stats/agreement" in metrics:
        return (
            f"{metrics['perf/dps_decisions_total']:,.0f} decisions/s  agrees {metrics['stats/agreement']:.1%}"
            f"  loss {metrics['loss/judgement']:.3f}  cleared {metrics['episode/clear_rate']:.1%}"
            f" in {metrics.get('episode/frames_to_clear', 0):,.0f} frames"
        )
    return (
        f"{metrics['perf/dps_decisions_total']:,.0f} decisions/s  games {metrics['episode/count']:,.0f}"
        f"  cleared {metrics['episode/clear_rate']:.1%}  return {metrics['episode/return']:.2f}"
        f"  random {metrics['stats/epsilon']:.0%}"
    )
