"""`drmario train`: train a policy, starting from a preset, or go on with a run.

drmario train level0 --minutes 10 --net.width 48
drmario train resume runs/level0-20261120-190000
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mlx_drmario.rl import config as settings

if TYPE_CHECKING:
    from mlx_drmario.rl.train import TrainResult


@dataclass(frozen=True)
class ResumeConfig:
    """Go on with a run from its newest checkpoint, with the settings it was started with."""

    run: tyro.conf.Positional[Path]
    """run directory"""
    decisions: int | None = None
    """new budget in decisions (over the whole run); by default the run's own"""
    minutes: float | None = None
    """new budget in minutes of wall-clock time (over the whole run); by default the run's own"""


TrainConfig = (
    Annotated[settings.TrainConfig, tyro.conf.subcommand("level0", default=settings.PRESETS["level0"])]
    | Annotated[settings.TrainConfig, tyro.conf.subcommand("demo", default=settings.PRESETS["demo"])]
    | Annotated[ResumeConfig, tyro.conf.subcommand("resume")]
)
"""What the command line accepts: a preset and its overrides, or a run to resume."""


def run(config: settings.TrainConfig | ResumeConfig) -> int:
    """Train, and say where the result is. Returns 0, or 130 after Ctrl-C (the run is saved then).

    Raises ValueError or OSError for a run directory that cannot be used.
    """
    if isinstance(config, ResumeConfig):
        from mlx_drmario.rl.rundir import read_config

        result = train(resumed(read_config(config.run), config), config.run, resume=True)
    else:
        result = train(config, config.out or default_directory(config.name))
    print(f"\nsaved {result.checkpoint}")
    if not result.finished:
        print(f"stopped at {result.last.progress:.0%} of the budget; go on with\n  drmario train resume {result.run}")
        return 130
    print(f"  drmario eval --policy {result.run}\n  drmario watch --policy {result.run}")
    return 0


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
    from mlx_drmario.rl.train import train as run_training

    print(f"run {run} · seed {config.seed} · level {config.env.level} {config.env.speed.upper()}", flush=True)
    with stop_on_interrupt() as should_stop, Progress(f"drmario train · {run}") as progress:
        return run_training(config, run, progress.update, should_stop, resume=resume)


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
