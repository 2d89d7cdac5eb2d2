"""`drmario train`: train a policy, starting from a preset, or go on with a run.

drmario train level0 --minutes 10 --net.width 48
drmario train level0 --minutes 10 --net.width 48 --dry-run
DRMARIO_SEED=3 drmario train level0 --config my.yaml
drmario train resume runs/level0-20261120-190000
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import operator
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mlx_drmario.rl import config as settings
from mlx_drmario.rl.settings import layered

if TYPE_CHECKING:
    from mlx_drmario.rl.train import TrainResult


@dataclass(frozen=True)
class NewRunConfig(settings.TrainConfig):
    """Start a run from a preset; every option given overrides its field."""

    config: Path | None = None
    """YAML file whose settings override the preset's (DRMARIO_* variables override it; docs/training.md)"""
    dry_run: bool = False
    """print the resolved settings as JSON and exit"""


@dataclass(frozen=True)
class ResumeConfig:
    """Go on with a run from its newest checkpoint, with the settings it was started with."""

    run: tyro.conf.Positional[Path]
    """run directory"""
    decisions: int | None = None
    """new budget in decisions (over the whole run); by default the run's own"""
    minutes: float | None = None
    """new budget in minutes of wall-clock time (over the whole run); by default the run's own"""
    dry_run: bool = False
    """print the resolved settings as JSON and exit"""


DEFAULT_PRESET = "level0"


def parse(args: list[str]) -> NewRunConfig | ResumeConfig:
    """What the command line asks for: a preset (level0 if none is named) and its overrides, or a run to resume.

    Raises ValueError or OSError for a YAML file or an environment variable that cannot be used; tyro ends the program
    for wrong options. A resumed run keeps its settings, so neither is looked at then.
    """
    if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
        args = [DEFAULT_PRESET, *args]
    presets = dict(settings.PRESETS)
    if args[0] in presets:
        presets[args[0]] = layered(presets[args[0]], config_file(args), os.environ)
    # A type per preset, not one call per preset: so `--help` and a mistyped preset are tyro's business.
    kinds: list[Any] = [
        Annotated[NewRunConfig, tyro.conf.subcommand(name, default=NewRunConfig(**vars(preset)))]
        for name, preset in presets.items()
    ]
    kinds.append(Annotated[ResumeConfig, tyro.conf.subcommand("resume")])
    chosen: NewRunConfig | ResumeConfig = tyro.cli(
        functools.reduce(operator.or_, kinds),
        prog="drmario train",
        description=f"Train from a preset ({DEFAULT_PRESET} if none is named), or go on with a run.",
        args=args,
    )
    return chosen


def config_file(args: list[str]) -> Path | None:
    """The file given with --config, found before tyro reads the rest, whose defaults the file changes."""
    parser = argparse.ArgumentParser(prog="drmario train", add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    found: Path | None = parser.parse_known_args(args)[0].config
    return found


def run(config: NewRunConfig | ResumeConfig) -> int:
    """Train, and say where the result is. Returns 0, or 130 after Ctrl-C (the run is saved then).

    Raises ValueError or OSError for a run directory that cannot be used.
    """
    resume = isinstance(config, ResumeConfig)
    if isinstance(config, ResumeConfig):
        from mlx_drmario.rl.rundir import read_config

        stored, directory = read_config(config.run), config.run
        chosen = resumed(stored, config)
        for change in changes(stored, chosen):
            print(change, file=sys.stderr)
    else:
        chosen, directory = plain(config), config.out or default_directory(config.name)
    if config.dry_run:
        return dry_run(chosen, directory, resume)
    result = train(chosen, directory, resume)
    if not result.first:
        return 0  # whatever happened: mlx.launch ends the other processes when one returns something else
    print(f"\nsaved {result.checkpoint}")
    if result.best is not None:
        print(f"best  {result.best}")
    if not result.finished:
        print(f"stopped at {result.last.progress:.0%} of the budget; go on with\n  drmario train resume {result.run}")
        return 130
    print(f"  drmario eval --policy {result.run}\n  drmario watch --policy {result.run}")
    return 0


def dry_run(config: settings.TrainConfig, run: Path, resume: bool) -> int:
    """Print what config.json would hold (and nothing else on stdout); raises what training there would raise."""
    from mlx_drmario.rl import rundir
    from mlx_drmario.rl.train import resolve

    rundir.check(run, config, resume)
    print(f"dry run: would {'go on with' if resume else 'train into'} {run}", file=sys.stderr)
    print(settings.to_json(resolve(config)), end="")
    return 0


def plain(config: NewRunConfig) -> settings.TrainConfig:
    """Return the settings without what only the command line needs."""
    return settings.TrainConfig(**{field.name: getattr(config, field.name) for field in fields(settings.TrainConfig)})


def changes(stored: settings.TrainConfig, chosen: settings.TrainConfig) -> list[str]:
    """One line per setting that a resumed run changes. Where the run lies is not among them."""
    before, after = (settings.flatten(asdict(config)) for config in (stored, chosen))
    differing = settings.difference(before, after)
    return [
        f"changed {key}: {old} -> {new}" for key, (old, new) in differing.items() if key not in ("out", "overwrite")
    ]


def resumed(stored: settings.TrainConfig, given: ResumeConfig) -> settings.TrainConfig:
    """Return the config of a resumed run: the stored one with the budget that was given.

    Raises ValueError when both budgets were.
    """
    stored = dataclasses.replace(stored, out=given.run, overwrite=False)
    if given.decisions is not None and given.minutes is not None:
        raise ValueError("give decisions or minutes, not both")
    if given.decisions is not None:
        return dataclasses.replace(stored, decisions=given.decisions, minutes=0.0)
    return stored if given.minutes is None else dataclasses.replace(stored, minutes=given.minutes)


def train(config: settings.TrainConfig, run: Path, resume: bool = False) -> TrainResult:
    """Train with progress on the screen; the first Ctrl-C ends after the current iteration, the second at once."""
    from mlx_drmario.cli.progress import Progress
    from mlx_drmario.cli.runs import levels
    from mlx_drmario.rl.group import Group
    from mlx_drmario.rl.train import train as run_training

    group = Group.join()
    if group.first:
        games = levels(settings.flatten(asdict(config)))
        print(f"run {run} · seed {config.seed} · {games}", flush=True)
    with stop_on_interrupt() as should_stop, Progress(f"drmario train · {run}", group.first) as progress:
        return run_training(config, run, progress.update, should_stop, resume=resume, group=group)


@contextlib.contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a request to stop; a second one interrupts as usual."""
    asked = False

    def handler(number: int, frame: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, handler)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, previous)


def default_directory(name: str) -> Path:
    """runs/<name>-<date>-<time>."""
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
