"""What `drmario train` does with settings of any kind: begin a run or go on with it, show how far it is, say where it
is and how to go on.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_drmario.cli.policy import load, located, named
from mlx_drmario.cli.progress import Lines, Progress, TrainingScreen
from mlx_drmario.cli.runs import levels, same_games
from mlx_drmario.cli.stopping import default_directory, nothing_left, stop_on_signals
from mlx_drmario.files import check_makeable
from mlx_drmario.rl.clone.config import CloneRunConfig
from mlx_drmario.rl.config import DirectoryConfig
from mlx_drmario.rl.evaluator.config import EvaluatorConfig
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.qrdqn.config import QRDQNRunConfig
from mlx_drmario.settings import flatten, to_json

if TYPE_CHECKING:
    from mlx_drmario.observer import Observer
    from mlx_drmario.rl.callback import Callback
    from mlx_drmario.rl.fit import RunResult
    from mlx_drmario.rl.parallel import ProcessGroup


@dataclass(frozen=True, kw_only=True)
class FromFile:
    config: Path | None = None
    """YAML file whose settings override the preset's (DRMARIO_* variables override it; docs/training.md)"""


@dataclass(frozen=True, kw_only=True)
class Dry:
    dry_run: bool = False
    """print the resolved settings as JSON and exit"""


@dataclass(frozen=True, kw_only=True)
class Captured:
    capture: Path | None = None
    """keep every game in trace files in this directory (docs/traces.md)"""


@dataclass(frozen=True)
class NewRunConfig(FromFile, Captured, Dry, PPORunConfig):
    """Start a run from a preset; every option given overrides its field."""


@dataclass(frozen=True)
class NewEvaluatorConfig(FromFile, Dry, EvaluatorConfig):
    """Learn the distribution of frames to clear, and the chance to clear, of a policy's games (docs/evaluator.md)."""


@dataclass(frozen=True)
class NewQRDQNConfig(FromFile, Captured, Dry, QRDQNRunConfig):
    """Learn to play by QR-DQN: quantiles of the return of every placement (docs/evaluator.md)."""


@dataclass(frozen=True)
class NewCloneConfig(FromFile, Captured, Dry, CloneRunConfig):
    """Learn from a search: what it thinks of every placement in the network's own games (docs/search.md)."""


New = NewRunConfig | NewEvaluatorConfig | NewQRDQNConfig | NewCloneConfig
NEW: dict[type[DirectoryConfig], type] = {
    PPORunConfig: NewRunConfig,
    EvaluatorConfig: NewEvaluatorConfig,
    QRDQNRunConfig: NewQRDQNConfig,
    CloneRunConfig: NewCloneConfig,
}
"""What the command line makes of the settings of a run, by their class."""


def plain(config: New) -> DirectoryConfig:
    """Return the settings without what only the command line needs."""
    kind = next(kind for kind, new in NEW.items() if isinstance(config, new))
    return kind(**{field.name: getattr(config, field.name) for field in fields(kind)})


def go(config: DirectoryConfig, directory: Path | None, resume: bool, capture: Path | None, dry_run: bool) -> int:
    """Train in a directory, by default a new one, and say where the result is; or, dry, print the settings.

    Returns 0, or 130 when it was stopped (the run is saved then). Raises ValueError or OSError for a run directory, or
    for something that the settings name, that cannot be used.
    """
    from mlx_drmario.nets.device import default_device

    default_device()
    if isinstance(config, EvaluatorConfig):
        from mlx_drmario.rl.evaluator.train import has_games

        if not (resume and directory is not None and has_games(directory)):
            policy = located(config.data.policy, "data.policy")
            load(policy, "data.policy")
            config = replace(config, data=replace(config.data, policy=policy))
    if isinstance(config, PPORunConfig):
        from mlx_drmario.rl.ppo.train import check_evaluator

        check_evaluator(config)
    if dry_run:
        return would_train(config, directory or default_directory(config.name, make=False), resume)
    if capture is not None:
        check_makeable("--capture", capture)  # made when the run has its directory, which it may lie in
    result = train(config, directory, resume, capture)
    if not result.first:
        return 0  # whatever happened: mlx.launch ends the other processes when one returns something else
    tell(result, config)
    return 0 if result.finished else 130


def would_train(config: DirectoryConfig, run: Path, resume: bool) -> int:
    """Print what config.json would hold (and nothing else on stdout); raises what training there would raise."""
    from mlx_drmario.rl.runs import directory

    directory.check(run, config, resume)
    print(f"dry run: would {'go on with' if resume else 'train into'} {run}", file=sys.stderr)
    if isinstance(config, PPORunConfig):
        from mlx_drmario.rl.ppo.train import resolve

        config = resolve(config)
    if isinstance(config, CloneRunConfig):
        from mlx_drmario.rl.clone.train import resolve as resolve_clone

        config = resolve_clone(config)
    print(to_json(config), end="")
    return 0


def train(
    config: DirectoryConfig, run: Path | None = None, resume: bool = False, capture: Path | None = None
) -> RunResult:
    """Train with progress on the screen, until the budget is spent or somebody wants it to stop.

    Ctrl-C, SIGTERM (clusters), SIGHUP (a closed terminal) and a closed output end it after the current iteration, and
    the run is saved; a second signal of the kind ends it at once.

    run: by default a new directory, see `default_directory`
    capture: a directory that keeps every game of this process.
    """
    from mlx_drmario.rl.parallel import ProcessGroup
    from mlx_drmario.rl.runs.directory import check

    processes = ProcessGroup.join() if isinstance(config, PPORunConfig) else ProcessGroup()
    run = run or default_directory(config.name, make=processes.first)
    if processes.first:
        check(run, config, resume)  # before anything is said of it
        print(words(config, run), flush=True)
    with (
        stop_on_signals() as should_stop,
        Progress(sys.stdout, processes.first, leave=True) as progress,
        recorded(config, run, capture) as observer,
    ):
        if isinstance(config, PPORunConfig):
            screen: Callback = TrainingScreen(f"drmario train · {run}", progress, should_stop, observer)
        else:
            screen = Lines(progress, should_stop, observer)
        return learn(config, run, screen, resume, processes)


def recorded(
    config: DirectoryConfig, run: Path, directory: Path | None
) -> contextlib.AbstractContextManager[Observer | None]:
    """What records the games of a run, or None."""
    if directory is None:
        return contextlib.nullcontext()
    from mlx_drmario.traces.capture import capture_run

    return capture_run(directory, run, config)


def words(config: DirectoryConfig, run: Path) -> str:
    """What is said of a run as it begins."""
    settings = flatten(asdict(config))
    taught = {EvaluatorConfig: "data.policy", CloneRunConfig: "clone.teacher"}.get(type(config))
    return " · ".join(
        [f"run {run}", f"seed {config.seed}", *([str(settings[taught])] if taught else []), levels(settings)]
    )


def learn(config: DirectoryConfig, run: Path, callback: Callback, resume: bool, processes: ProcessGroup) -> RunResult:
    """Train by whichever algorithm the settings are of; only PPO's knows of other processes."""
    if isinstance(config, PPORunConfig):
        from mlx_drmario.rl.ppo.train import train as by_ppo

        return by_ppo(config, run, callback, resume=resume, processes=processes)
    if isinstance(config, EvaluatorConfig):
        from mlx_drmario.rl.evaluator.train import train as from_games

        name = config.data.policy
        return from_games(config, run, lambda: load(name, "data.policy"), callback, resume=resume)
    if isinstance(config, CloneRunConfig):
        from mlx_drmario.rl.clone.train import train as from_search

        return from_search(config, run, callback, resume=resume)
    assert isinstance(config, QRDQNRunConfig)
    from mlx_drmario.rl.qrdqn.train import train as by_qrdqn

    return by_qrdqn(config, run, callback, resume=resume)


def tell(result: RunResult, config: DirectoryConfig) -> None:
    """Say what there is now, and what can be done with it."""
    if result.finished and not result.last.metrics:
        print(nothing_left(config))
    print(f"\nsaved {result.checkpoint}")
    if result.best is not None:
        print(f"best  {result.best}")
    run, policy = shlex.quote(str(result.run)), shlex.quote(named(result.run))
    if not result.finished:
        print(f"stopped at {result.last.progress:.0%} of the budget; go on with\n  drmario train resume {run}")
    elif isinstance(config, EvaluatorConfig):
        print(f"  drmario calibrate {run}")
    else:
        print(f"  drmario eval --policy {policy}{same_games(flatten(asdict(config)))}")
        print(f"  drmario watch --policy {policy}")
