"""`drmario calibrate RUN`: does what an evaluator says come true on games that it has not seen?"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from mlx_drmario.ranges import Count, Range, Seed, Share, check_ranges
from mlx_drmario.spec import clock, parse_levels, percent

if TYPE_CHECKING:
    from mlx_drmario.rl.evaluator.calibration import Outcomes


@dataclass(frozen=True)
class CalibrateConfig:
    """Play games with the policy that an evaluator learnt from, and compare what it said with what happened.

    docs/evaluator.md says what every number means.
    """

    run: tyro.conf.Positional[Path] = Path("runs/evaluator")
    """run directory of an evaluator"""
    levels: str | None = None
    """virus levels, each measured by itself: 3 or 0-5 or 0,5,10-12; by default the run's own"""
    games: Count = 500
    """games per level"""
    rows: Annotated[int, Range(1, 1_000)] = 4
    """situations of each game"""
    disturbed: Share | None = None
    """share of the games that begin with random placements; by default as in the run's data"""
    split: Literal["validation", "test", "training"] = "validation"
    """where the games come from; test is for final numbers, not for choosing"""
    seed: Seed = 0
    """of games, situations and resampling"""
    out: Path | None = None
    """directory for calibration.json, .png and .npz (everything said and seen); by default RUN/calibration"""

    def __post_init__(self) -> None:
        check_ranges(self)


def run(config: CalibrateConfig) -> int:
    """Measure, print a table, write the files, return 0.

    Raises ValueError or OSError for a run, levels or an output that cannot be used.
    """
    import numpy as np

    from mlx_drmario.cli import policy as policies
    from mlx_drmario.cli.progress import Progress
    from mlx_drmario.files import check_makeable
    from mlx_drmario.rl.evaluator import calibration
    from mlx_drmario.rl.evaluator.calibration_plot import plot
    from mlx_drmario.rl.evaluator.config import EvaluatorConfig
    from mlx_drmario.rl.evaluator.forecast import Evaluator
    from mlx_drmario.rl.runs.settings import read_config

    levels = None if config.levels is None else parse_levels(config.levels)
    evaluator = Evaluator.load(config.run)  # first: it says what else a run may hold
    if evaluator.returns:
        raise ValueError(f"{config.run} foresees returns (of `drmario train qrdqn`), and no frames to compare")
    settings = read_config(config.run, EvaluatorConfig)
    levels = levels or parse_levels(settings.data.levels)
    disturbed = settings.data.disturbed if config.disturbed is None else config.disturbed
    data = dataclasses.replace(settings.data, games=config.games, rows=config.rows, disturbed=disturbed)
    out = config.out or config.run / "calibration"
    check_makeable("out", out)
    policy, planes = policies.load(settings.data.policy, "data.policy")
    title = f"{settings.data.policy}, {config.games} {config.split} games per level"
    print(f"{title}, {disturbed:.0%} of them with random placements first\n{HEADER}")
    parts: list[Outcomes] = []
    rows: dict[str, Any] = {}
    with Progress(sys.stderr) as progress:
        for number, level in enumerate(levels):
            games = dataclasses.replace(data, levels=str(level))
            part = calibration.observe(evaluator, policy, planes, games, config.split, [config.seed, 3, level])
            parts.append(part)
            rows[str(level)] = calibration.summary(part, np.random.default_rng([config.seed, 4, level]))
            print(row(str(level), rows[str(level)]), flush=True)
            done = number + 1
            progress.show(done / len(levels), lambda left, done=done: f"{done} levels, {clock(left)} left")  # type: ignore[misc]
    everything = calibration.Outcomes.joined(parts)
    rng = np.random.default_rng([config.seed, 5])
    content: dict[str, Any] = {
        "run": str(config.run),
        "policy": settings.data.policy,
        "speeds": settings.data.speeds,
        "split": config.split,
        "disturbed": disturbed,
        "levels": rows,
        "all": calibration.summary(everything, rng),
        "reliability": calibration.reliability(everything, rng),
    }
    show(content)
    calibration.write(out, everything, content, lambda path: plot(path, content, title))
    print(f"\n{out}")
    return 0


def show(content: dict[str, Any]) -> None:
    """Print what is known of all levels together."""
    print(row("all", content["all"]))
    print("\nchance said   games   said   cleared (95 % interval)")
    for each in content["reliability"]:
        print(
            f"{each['from']:>5.3f} - {each['to']:<5.3f} {each['games']:>6} {each['predicted']:>6.3f}"
            f"   {each['observed_value']:.3f} ({each['observed_low']:.3f} - {each['observed_high']:.3f})"
        )


HEADER = (
    f"{'level':<5} {'cleared':>7} {'said':>6}   {'coverage error':>14} {'in 5-95 %':>22}   {'mean said':>9}"
    f" {'seen minus said':>22} {'variance ratio':>20}   {'CVaR said':>9} {'seen minus said':>22}"
)
"""coverage error: greatest difference over the quantiles between the share of times below it and its level"""


def row(name: str, numbers: dict[str, Any]) -> str:
    """One line of the table; times are of the cleared games, intervals of 95 %."""
    chances = f"{name:<5} {percent(numbers['clear_observed']['value']):>7} {numbers['clear_predicted']:>6.1%}"
    if not numbers["timed_rows"]:
        return f"{chances}   no times"
    worst = max(abs(point["value"] - point["level"]) for point in numbers["coverage"])
    cvar = f"{'-':>9}" if numbers["cvar_predicted"] is None else f"{numbers['cvar_predicted']:>9,.0f}"
    return (
        f"{chances}   {worst:>14.1%}"
        f" {shown(numbers['inside_90'], '.1%'):>22}   {numbers['mean_predicted']:>9,.0f}"
        f" {shown(numbers['mean_error'], '+,.0f'):>22} {shown(numbers['variance_ratio'], '.2f'):>20}"
        f"   {cvar} {shown(numbers['tail_error'], '+,.0f'):>22}"
    )


def shown(interval: dict[str, float | None], form: str) -> str:
    """A number with its interval, a dash where there is none."""
    value, low, high = interval["value"], interval["low"], interval["high"]
    if value is None or low is None or high is None:
        return "-"
    return f"{value:{form}} ({low:{form}} {high:{form}})"
