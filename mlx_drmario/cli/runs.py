"""`drmario runs`: what runs are there, how far did they get, and in what do two of them differ?

drmario runs list
drmario runs info runs/mine
drmario runs compare runs/mine runs/other
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mlx_drmario.spec import counted, percent

if TYPE_CHECKING:
    from mlx_drmario.rl.runs.listing import RunSummary


@dataclass(frozen=True)
class ListConfig:
    """One line per run of a directory."""

    root: tyro.conf.Positional[Path] = Path("runs")
    """directory that holds the runs"""


@dataclass(frozen=True)
class InfoConfig:
    """Everything about one run: settings, machine, last metrics, evaluation, and whether its checkpoints are intact."""

    run: tyro.conf.Positional[Path]
    """run directory"""


@dataclass(frozen=True)
class CompareConfig:
    """The settings in which two runs differ, and their last metrics and evaluations side by side."""

    first: tyro.conf.Positional[Path]
    """run directory"""
    second: tyro.conf.Positional[Path]
    """run directory"""


RunsConfig = (
    Annotated[ListConfig, tyro.conf.subcommand("list")]
    | Annotated[InfoConfig, tyro.conf.subcommand("info")]
    | Annotated[CompareConfig, tyro.conf.subcommand("compare")]
)
"""What the command line accepts."""


def run(config: ListConfig | InfoConfig | CompareConfig) -> int:
    """Print what was asked for. Returns 0, or 1 when `info` is about a run with problems.

    Raises FileNotFoundError for a directory that does not exist; what is broken inside a run directory is printed.
    """
    from mlx_drmario.rl.runs.listing import find, summarize

    if isinstance(config, ListConfig):
        list_runs([summarize(path) for path in find(config.root)])
    elif isinstance(config, InfoConfig):
        return info(summarize(config.run))
    else:
        side_by_side(summarize(config.first), summarize(config.second))
    return 0


def list_runs(summaries: list[RunSummary]) -> None:
    """Print the table."""
    from mlx_drmario.rl.runs.settings import holds_run

    width = max([24, *(len(summary.path.name) for summary in summaries)])
    print(
        f"{'run':<{width}} {'level':>8} {'net':<18} {'seed':>4} {'decisions':>11} {'budget':>6}"
        f" {'clears':>6} {'eval':>6}  problems"
    )
    for summary in summaries:
        print(f"{summary.path.name:<{width}} {columns(summary)}".rstrip())
    runs = sum(1 for summary in summaries if holds_run(summary.path))
    print(f"{counted(runs, 'run')}; clears: of the last games in training, eval: in evaluation.json")


def columns(summary: RunSummary) -> str:
    """The line of a run, without its name."""
    settings, last = summary.settings, summary.last
    level = levels(settings).removeprefix("level ") if settings else "-"
    net = f"{settings['net.encoder']}/{settings.get('net.head', 'quantiles')}" if settings else "-"
    return (
        f"{level:>8} {net:<18} {settings.get('seed', '-'):>4} {show(last.get('step')):>11}"
        f" {share(summary.progress, 0):>6} {share(last.get('episode/clear_rate')):>6}"
        f" {share(summary.trained.get('clear_rate')):>6}  {'; '.join(summary.problems)}"
    )


def levels(settings: Mapping[str, Any]) -> str:
    """What a run trains on, from its settings with dotted keys: "level 0 hi", "level 0-5 hi", or "ladder"."""
    if "data.levels" in settings:
        return f"level {settings['data.levels']} {settings['data.speeds']}"
    if settings.get("curriculum.enabled"):
        return "ladder"
    last = settings["env.last_level"]
    return f"level {settings['env.level']}{'' if last is None else f'-{last}'} {settings['env.speed']}"


def ends(settings: Mapping[str, Any]) -> tuple[int, int, str]:
    """The first and the last level that a run plays while it trains, and the speed of the last."""
    if settings.get("curriculum.enabled"):
        return 0, settings["curriculum.last_level"], settings["curriculum.speeds"].rpartition(",")[2]
    first, last, speed = (settings[f"env.{name}"] for name in ("level", "last_level", "speed"))
    return first, first if last is None else last, speed


def same_games(settings: Mapping[str, Any]) -> str:
    """The options of `drmario eval` for games as a run trains on: some of its levels, the last among them."""
    first, last, speed = ends(settings)
    levels = ",".join(map(str, sorted({first, *range(first + 5 - first % 5, last, 5), last})))
    return ("" if levels == "0" else f" --levels {levels}") + ("" if speed == "hi" else f" --speed {speed}")


def info(summary: RunSummary) -> int:
    """Print all about a run; returns 1 when something about it is broken."""
    problems = [*summary.problems, *damaged([*summary.checkpoints, *([summary.best] if summary.best else [])])]
    print(f"{summary.path}: {summary.iterations} iterations, {share(summary.progress)} of the budget")
    for title, values in (
        ("settings", summary.settings),
        ("environment", summary.environment),
        ("last metrics", summary.last),
        ("evaluation", summary.trained),
    ):
        if values:
            print(f"\n{title}")
            for key, value in values.items():
                print(f"  {key:<32} {show(value)}")
    if summary.changes:
        print("\nchanges")
    for row in summary.changes:
        for name, (before, now) in {**row.get("environment", {}), **row.get("settings", {})}.items():
            print(f"  after {show(row.get('decisions')):>12} decisions: {name} {show(before)} -> {show(now)}")
    if summary.checkpoints:
        print("\ncheckpoints")
        for path in summary.checkpoints:
            print(f"  {path.name}")
        if summary.best is not None:
            print(f"  best: {summary.best.name}, compared {summary.challenges} times (best.jsonl)")
    if problems:
        print("\nproblems")
    for problem in problems:
        print(f"  {problem}")
    return 1 if problems else 0


def damaged(checkpoints: list[Path]) -> list[str]:
    """What is wrong with these checkpoints, by their manifests."""
    from mlx_drmario.rl.runs.checkpoint import verify

    problems = []
    for path in checkpoints:
        try:
            verify(path)
        except ValueError as error:
            problems.append(str(error))
    return problems


def side_by_side(first: RunSummary, second: RunSummary) -> None:
    """Print two runs side by side."""
    from mlx_drmario.settings import difference

    for mark, summary in (("A", first), ("B", second)):
        print(f"{mark}  {summary.path}" + "".join(f"\n   problem: {problem}" for problem in summary.problems))
    print_pairs("settings that differ", difference(first.settings, second.settings))
    for title, left, right in (
        ("last metrics", first.last, second.last),
        ("evaluation", first.trained, second.trained),
    ):
        print_pairs(title, {key: (left.get(key), right.get(key)) for key in {**left, **right}})


def print_pairs(title: str, pairs: Mapping[str, tuple[Any, Any]]) -> None:
    """A block of three columns: key, A, B."""
    print(f"\n{title:<34} {'A':>24} {'B':>24}" if pairs else f"\n{title}: none")
    for key, (left, right) in pairs.items():
        print(f"  {key:<32} {show(left):>24} {show(right):>24}")


def show(value: Any) -> str:
    """A value as text: large integers with separators, floats with five digits, nothing as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.5g}"


def share(value: Any, digits: int = 1) -> str:
    """A share as a percentage, anything that is no number as a dash."""
    return percent(value, digits) if isinstance(value, int | float) else "-"
