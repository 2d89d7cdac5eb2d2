"""`drmario train`: train a policy, starting from a preset, or go on with a run.

drmario train level0 --minutes 10 --net.width 48
drmario train level0 --minutes 10 --net.width 48 --dry-run
DRMARIO_SEED=3 drmario train level0 --config my.yaml
drmario train resume runs/level0-20261120-190000
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import functools
import operator
import os
import shlex
import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import tyro

from mlx_drmario.cli import fit
from mlx_drmario.cli.capture import captured
from mlx_drmario.cli.errors import WrongUse
from mlx_drmario.cli.fit import NewFitConfig
from mlx_drmario.cli.policy import named
from mlx_drmario.cli.stopping import default_directory, nothing_left, stop_on_signals
from mlx_drmario.files import check_directory
from mlx_drmario.ranges import Count, Level, Minutes, Range, check_ranges
from mlx_drmario.rl.config import BudgetConfig, DirectoryConfig, SpeedName
from mlx_drmario.rl.ppo.config import PRESET_HELP, PRESETS, PPORunConfig
from mlx_drmario.settings import difference, flatten, layered, to_json

if TYPE_CHECKING:
    from mlx_drmario.rl.fit import RunResult


@dataclass(frozen=True)
class NewRunConfig(PPORunConfig):
    """Start a run from a preset; every option given overrides its field."""

    config: Path | None = None
    """YAML file whose settings override the preset's (DRMARIO_* variables override it; docs/training.md)"""
    capture: Path | None = None
    """keep every game in trace files in this directory (docs/traces.md)"""
    dry_run: bool = False
    """print the resolved settings as JSON and exit"""


@dataclass(frozen=True)
class OtherGames:
    """Other games than the run's own; when one of these changes, all games start anew."""

    level: Level | None = None
    """virus level, 0 to 24"""
    last_level: Level | None = None
    """last level of a range that starts at `level`"""
    speed: SpeedName | None = None
    """speed setting"""
    num_envs: Annotated[int, Range(1, 65_536)] | None = None
    """games played side by side"""
    max_decisions: Count | None = None
    """decisions after which a game is truncated"""

    def __post_init__(self) -> None:
        check_ranges(self, "env.")


@dataclass(frozen=True)
class ResumeConfig:
    """Go on with a run from its newest checkpoint, with the settings it was started with unless others are given."""

    run: tyro.conf.Positional[Path]
    """run directory"""
    decisions: Annotated[int, Range(1, 10**15)] | None = None
    """new budget in decisions (over the whole run); by default the run's own"""
    minutes: Minutes | None = None
    """new budget in minutes of wall-clock time (over the whole run); by default the run's own"""
    env: OtherGames = field(default_factory=OtherGames)
    capture: Path | None = None
    """keep every game in trace files in this directory (docs/traces.md)"""
    dry_run: bool = False
    """print the resolved settings as JSON and exit"""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.decisions is not None and self.minutes is not None:
            raise ValueError(f"decisions must not be given with minutes, got {self.decisions} and {self.minutes:g}")


DEFAULT_PRESET = "level0"
NEW: dict[type, type] = {PPORunConfig: NewRunConfig} | {kind: new for new, kind in fit.KINDS.items()}
"""What the command line makes of the settings of a run, by their class."""


Settings = TypeVar("Settings", bound=DirectoryConfig)


Command = NewRunConfig | NewFitConfig | ResumeConfig
"""What the command line can ask for."""


def parse(args: list[str]) -> Command:
    """What the command line asks for: a preset (level0 if none is named) and overrides, an evaluator, a run to resume.

    Raises WrongUse for a preset that is none, and for settings of a YAML file or the environment that cannot be used,
    OSError for a file that cannot be read; tyro ends the program for wrong options. A resumed run keeps its settings,
    so neither is looked at then.
    """
    if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
        args = [DEFAULT_PRESET, *args]
    starts: dict[str, DirectoryConfig] = {**PRESETS, **{kind.name: kind() for kind in fit.KINDS.values()}}
    known = [*starts, "resume"]
    if args[0] not in (*known, "-h", "--help"):
        close = difflib.get_close_matches(args[0], known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(known)}"
        raise WrongUse(f"there is no preset {args[0]!r}; {hint}")
    if args[0] in starts:
        try:
            starts[args[0]] = started(starts[args[0]], args)
        except ValueError as error:
            raise WrongUse(str(error)) from None
    # A type per preset, not one call per preset: so `--help` is tyro's business.
    kinds = [subcommand(name, start) for name, start in starts.items()]
    kinds.append(Annotated[ResumeConfig, tyro.conf.subcommand("resume")])
    chosen: Command = tyro.cli(
        functools.reduce(operator.or_, kinds),
        prog="drmario train",
        description=f"Train from a preset ({DEFAULT_PRESET} if none is named), fit an evaluator, or go on with a run.",
        args=args,
    )
    return chosen


def subcommand(name: str, start: DirectoryConfig) -> Any:
    """What tyro makes the command `drmario train NAME` of, whose defaults are the settings to start from."""
    kind = NEW[type(start)]
    words = PRESET_HELP.get(name, kind.__doc__)
    return Annotated[kind, tyro.conf.subcommand(name, default=kind(**vars(start)), description=words)]


def started(preset: Settings, args: list[str]) -> Settings:
    """What the command line starts from: the preset with the settings of a YAML file and the environment.

    What tyro reads for itself is looked at before, because its defaults depend on it: the file, and which budget is
    given. Raises ValueError for both budgets, and what `layered` raises.
    """
    parser = argparse.ArgumentParser(prog="drmario train", add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    for budget in ("--decisions", "--minutes"):
        parser.add_argument(budget, nargs="?", const="")  # tyro says that a value is missing
    given = parser.parse_known_args(args)[0]
    start = layered(preset, given.config, os.environ)
    if not isinstance(start, BudgetConfig) or given.decisions is None:
        return start
    if given.minutes is not None:
        raise ValueError(f"--decisions must not be given with --minutes, got {given.decisions} and {given.minutes}")
    return dataclasses.replace(start, **BudgetConfig.replaces["decisions"])


def run(config: Command) -> int:
    """Train, and say where the result is. Returns 0, or 130 when it was stopped (the run is saved then).

    Raises ValueError or OSError for a run directory that cannot be used.
    """
    from mlx_drmario.rl.ppo.train import check_evaluator
    from mlx_drmario.rl.runs.settings import read_any

    if isinstance(config, NewFitConfig):
        return fit.run(config)
    resume = isinstance(config, ResumeConfig)
    directory: Path | None
    if isinstance(config, ResumeConfig):
        stored, directory = read_any(config.run), config.run
        going_on = resumed(stored, config)
        for change in changes(stored, going_on):
            print(change, file=sys.stderr)
        if not isinstance(going_on, PPORunConfig):
            return fit.resume(going_on, config.run, config.capture, config.dry_run)
        chosen = going_on
    else:
        chosen, directory = plain(config), config.out
    check_evaluator(chosen)
    if config.dry_run:
        return dry_run(chosen, directory or default_directory(chosen.name, make=False), resume)
    if config.capture is not None:
        check_directory("--capture", config.capture)
    result = train(chosen, directory, resume, config.capture)
    if not result.first:
        return 0  # whatever happened: mlx.launch ends the other processes when one returns something else
    if result.finished and not result.last.metrics:
        print(nothing_left(chosen))
    print(f"\nsaved {result.checkpoint}")
    if result.best is not None:
        print(f"best  {result.best}")
    shown = shlex.quote(str(result.run))
    if not result.finished:
        print(f"stopped at {result.last.progress:.0%} of the budget; go on with\n  drmario train resume {shown}")
        return 130
    policy = shlex.quote(named(result.run))
    print(f"  drmario eval --policy {policy}\n  drmario watch --policy {policy}")
    return 0


def dry_run(config: PPORunConfig, run: Path, resume: bool) -> int:
    """Print what config.json would hold (and nothing else on stdout); raises what training there would raise."""
    from mlx_drmario.rl.ppo.train import resolve
    from mlx_drmario.rl.runs import directory

    directory.check(run, config, resume)
    print(f"dry run: would {'go on with' if resume else 'train into'} {run}", file=sys.stderr)
    print(to_json(resolve(config)), end="")
    return 0


def plain(config: NewRunConfig) -> PPORunConfig:
    """Return the settings without what only the command line needs."""
    return PPORunConfig(**{field.name: getattr(config, field.name) for field in fields(PPORunConfig)})


def changes(stored: DirectoryConfig, chosen: DirectoryConfig) -> list[str]:
    """One line per setting that a resumed run changes. Where the run lies is not among them."""
    before, after = (flatten(asdict(config)) for config in (stored, chosen))
    differing = difference(before, after)
    return [
        f"changed {key}: {old} -> {new}" for key, (old, new) in differing.items() if key not in ("out", "overwrite")
    ]


def resumed(stored: Settings, given: ResumeConfig) -> Settings:
    """Return the settings of a resumed run: the stored ones with the budget and the games that were given.

    Raises ValueError for games that cannot be, WrongUse for an option that runs of its kind do not have.
    """
    if not isinstance(stored, PPORunConfig):
        _refuse_others(stored, given)
        return with_budget(stored, given)
    games = {name: value for name, value in vars(given.env).items() if value is not None}
    for name in ("level", "speed"):
        if stored.curriculum.enabled and name in games:  # its stages have their own; new games would be lost work
            raise ValueError(f"env.{name} must not be given with a curriculum, got {games[name]}")
    if "level" in games:
        games.setdefault("last_level", None)
    shards, count = max(1, stored.shards), games.get("num_envs", 0)
    if count % shards:
        raise ValueError(f"env.num_envs must be a multiple of the run's {shards} shards, got {count}")
    env = dataclasses.replace(stored.env, **games)
    return with_budget(dataclasses.replace(stored, out=given.run, overwrite=False, env=env), given)


def with_budget(stored: Settings, given: ResumeConfig) -> Settings:
    """Return settings of a run with the budget that was given. Schedules are of the share of it that is spent."""
    budget: dict[str, Any] = {}
    if given.decisions is not None:
        budget = {"decisions": given.decisions, **BudgetConfig.replaces["decisions"]}
    elif given.minutes is not None:
        budget = {"minutes": given.minutes}
    return dataclasses.replace(stored, **budget)


def _refuse_others(stored: DirectoryConfig, given: ResumeConfig) -> None:
    """WrongUse for an option of PPO's that runs of this other kind do not have."""
    options: dict[str, object] = {f"env.{name}": value for name, value in vars(given.env).items()}
    if not isinstance(stored, BudgetConfig):
        options |= {"decisions": given.decisions, "minutes": given.minutes, "capture": given.capture}
    for name, value in options.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            raise WrongUse(f"{option} must not be given for {given.run}, a run of `drmario train {type(stored).name}`")


def train(
    config: PPORunConfig, run: Path | None = None, resume: bool = False, capture: Path | None = None
) -> RunResult:
    """Train with progress on the screen, until the budget is spent or somebody wants it to stop.

    Ctrl-C, SIGTERM (clusters), SIGHUP (a closed terminal) and a closed output end it after the current iteration, and
    the run is saved; a second signal of the kind ends it at once.

    run: by default a new directory, see `default_directory`
    capture: a directory that keeps every game of this process.
    """
    from mlx_drmario.cli.progress import Progress, TrainingScreen
    from mlx_drmario.cli.runs import levels
    from mlx_drmario.rl.parallel import ProcessGroup
    from mlx_drmario.rl.ppo.train import train as run_training
    from mlx_drmario.rl.runs.directory import check

    processes = ProcessGroup.join()
    run = run or default_directory(config.name, make=processes.first)
    if processes.first:
        check(run, config, resume)  # before anything is said of it
        print(f"run {run} · seed {config.seed} · {levels(flatten(asdict(config)))}", flush=True)
    with (
        stop_on_signals() as should_stop,
        Progress(sys.stdout, processes.first, leave=True) as progress,
        captured(config, run, capture) as observer,
    ):
        screen = TrainingScreen(f"drmario train · {run}", progress, should_stop, observer)
        return run_training(config, run, screen, resume=resume, processes=processes)
