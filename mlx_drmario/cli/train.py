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
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from mlx_drmario.cli.errors import WrongUse
from mlx_drmario.cli.training import NEW, Captured, Dry, New, go, plain
from mlx_drmario.ranges import Count, Level, Minutes, Range, check_ranges
from mlx_drmario.rl.config import BudgetConfig, DirectoryConfig, SpeedName
from mlx_drmario.rl.ppo.config import PRESET_HELP, PRESETS, PPORunConfig
from mlx_drmario.rl.runs.settings import PLACE
from mlx_drmario.settings import difference, flatten, layered


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
class ResumeConfig(Captured, Dry):
    """Go on with a run from its newest checkpoint, with the settings it was started with unless others are given."""

    run: tyro.conf.Positional[Path]
    """run directory"""
    decisions: Annotated[int, Range(1, 10**15)] | None = None
    """new budget in decisions (over the whole run); by default the run's own"""
    minutes: Minutes | None = None
    """new budget in minutes of wall-clock time (over the whole run); by default the run's own"""
    env: OtherGames = field(default_factory=OtherGames)

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.decisions is not None and self.minutes is not None:
            raise ValueError(f"decisions must not be given with minutes, got {self.decisions} and {self.minutes:g}")


DEFAULT_PRESET = "level0"

Settings = TypeVar("Settings", bound=DirectoryConfig)


Command = New | ResumeConfig
"""What the command line can ask for."""


def parse(args: list[str]) -> Command:
    """What the command line asks for: a preset (level0 if none is named) and overrides, an evaluator, a run to resume.

    Raises WrongUse for a preset that is none, and for settings of a YAML file or the environment that cannot be used,
    OSError for a file that cannot be read; tyro ends the program for wrong options. A resumed run keeps its settings,
    so neither is looked at then.
    """
    if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
        args = [DEFAULT_PRESET, *args]
    starts: dict[str, DirectoryConfig] = {**PRESETS, **{kind.name: kind() for kind in NEW if kind is not PPORunConfig}}
    known = [*starts, "resume"]
    if args[0] not in (*known, "-h", "--help"):
        close = difflib.get_close_matches(args[0], known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(known)}"
        raise WrongUse(f"there is no preset {args[0]!r}; {hint}")
    preset = starts.get(args[0])
    if preset is not None:
        try:
            starts[args[0]] = started(preset, args)
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
    if preset is not None and not isinstance(chosen, ResumeConfig):
        refuse_unread(preset, plain(chosen))
    return chosen


UNREAD: dict[str, tuple[Callable[[Mapping[str, Any]], bool], str]] = {
    "env.level": (lambda run: run.get("curriculum.enabled", False), "the stages of a curriculum have their own"),
    "env.speed": (lambda run: run.get("curriculum.enabled", False), "the stages of a curriculum have their own"),
    "curriculum.": (lambda run: not run["curriculum.enabled"], "it needs --curriculum.enabled"),
    "net.hidden": (lambda run: run.get("net.head", "features") != "features", "only --net.head features reads it"),
    "net.outcome_scale": (lambda run: run["net.head"] != "outcome", "only --net.head outcome reads it"),
    "net.summary": (lambda run: run["net.encoder"] == "mlp", "only --net.encoder axial has one"),
    "best.every": (lambda run: run["best.games"] == 0, "it needs --best.games"),
    "best.alpha": (lambda run: run["best.games"] == 0, "it needs --best.games"),
    "clone.weaning": (lambda run: run["clone.follow"] == 1, "with --clone.follow 1 the teacher takes all decisions"),
    "qrdqn.exploring": (lambda run: run["qrdqn.epsilon"] == 1, "with --qrdqn.epsilon 1 all placements are random"),
    "fit.target_every": (lambda run: run["fit.steps"] == 0, "it needs --fit.steps"),
    "data.random_moves": (lambda run: run["data.disturbed"] == 0, "it needs --data.disturbed"),
    "shaping.weight": (lambda run: run["shaping.evaluator"] is None, "it needs --shaping.evaluator"),
}
"""Settings, or the beginnings of their names, in which runs they change nothing, and why"""


def refuse_unread(preset: DirectoryConfig, chosen: DirectoryConfig) -> None:
    """WrongUse for a setting that is not the preset's and changes nothing."""
    before, run = (flatten(asdict(config)) for config in (preset, chosen))
    for name in difference(before, run):
        for start, (unread, why) in UNREAD.items():
            if name.startswith(start) and name != "curriculum.enabled" and unread(run):
                raise WrongUse(f"--{name.replace('_', '-')} has no effect: {why}")


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
    """Train, and say where the result is. Returns and raises as `training.go`."""
    if not isinstance(config, ResumeConfig):
        capture = config.capture if isinstance(config, Captured) else None
        return go(plain(config), config.out, False, capture, config.dry_run)
    from mlx_drmario.rl.runs.settings import read_any

    stored = read_any(config.run)
    chosen = resumed(stored, config)
    for change in changes(stored, chosen):
        print(change, file=sys.stderr)
    return go(chosen, config.run, True, config.capture, config.dry_run)


def changes(stored: DirectoryConfig, chosen: DirectoryConfig) -> list[str]:
    """One line per setting that a resumed run changes. Where the run lies is not among them."""
    before, after = (flatten(asdict(config)) for config in (stored, chosen))
    differing = difference(before, after)
    return [f"changed {key}: {old} -> {new}" for key, (old, new) in differing.items() if key not in PLACE]


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
