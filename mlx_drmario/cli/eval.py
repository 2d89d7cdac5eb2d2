"""`drmario eval`: how good is a policy, beside two baselines, on games it was not trained on?"""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import tyro

from mlx_drmario.cli.policy import NAMES
from mlx_drmario.files import check_directory, check_output
from mlx_drmario.ranges import Count, Range, check_ranges
from mlx_drmario.spec import clock, parse_levels, percent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlx_drmario.evaluate import Comparison, EvalResult, Policy
    from mlx_drmario.stats import Difference


@dataclass(frozen=True)
class EvalConfig:
    """Play n games of a seed split per level and print how many were cleared and how fast.

    docs/evaluation.md says what every number means.
    """

    policy: Annotated[str, tyro.conf.arg(help=NAMES)] = "greedy"
    levels: Annotated[str, tyro.conf.arg(aliases=["--level"])] = "0"
    """virus levels, 0 to 24: 3 or 0-5 or 0,5,10-12"""
    speed: Literal["low", "med", "hi"] = "hi"
    """speed setting"""
    seeds: Annotated[int, Range(1, 65_536)] = 500
    """number of games per level, the same ones for every policy and level"""
    split: Literal["validation", "test", "training"] = "validation"
    """where the games come from; test is for final numbers, not for choosing"""
    max_decisions: Count = 1_000
    """capsules after which a game counts as not cleared"""
    baselines: bool = True
    """also play the same games with the random and the greedy baseline"""
    against: str | None = None
    """also play with this policy (as for --policy) and compare the two game by game"""
    out: Path | None = None
    """write games.csv, games.parquet, summary.csv, levels.png and (with --against) comparison.csv to this directory"""
    json: Path | None = None
    """write the summaries to this file"""
    capture: Path | None = None
    """keep every game in trace files in this directory (docs/traces.md)"""

    def __post_init__(self) -> None:
        check_ranges(self)


def run(config: EvalConfig) -> int:
    """Evaluate, print tables, write files, return 0. Files are written after every level, so what is there is whole.

    Raises ValueError for a policy, level or number of seeds that cannot be, OSError for a file that cannot be written.
    """
    from mlx_drmario import reports, seeds
    from mlx_drmario.cli import policy as policies
    from mlx_drmario.evaluate import compare

    levels = parse_levels(config.levels)
    if config.seeds > len(seeds.SPLITS[config.split]):
        most = len(seeds.SPLITS[config.split])
        raise ValueError(f"seeds is {config.seeds}; the {config.split} split has {most:,} games")
    games = seeds.seeds(config.split, config.seeds)
    names = policy_names(config)
    if config.against is not None:
        policies.check(config.against, "against")
    players = [Player(name, *policies.load(name)) for name in names]
    if config.out is not None:  # first: the other file may be for it
        check_directory("--out", config.out)
    if config.json is not None:
        check_output("--json", config.json)
        taken = [] if config.out is None else [config.out.resolve() / name for name in reports.FILES]
        if config.json.resolve() in taken:
            raise ValueError(f"json is {config.json}, which --out writes; name another file")
    if config.capture is not None:
        check_directory("--capture", config.capture)
    results: list[tuple[str, EvalResult]] = []
    comparisons: list[Comparison] = []
    for level in levels:
        print(f"level {level} {config.speed.upper()}, {config.seeds} {config.split} games\n{HEADER}")
        for player in players:
            results.append((player.name, play(player, config, level, games)))
            print(row(*results[-1]), flush=True)
        if config.against is not None:
            comparisons.append(compare(results[-len(players)][1], results[1 - len(players)][1]))
        # The numbers first: they are there then, whatever goes wrong with a picture.
        if config.json is not None:
            write_json(config.json, config, results, comparisons)
        if config.out is not None:
            reports.write(config.out, results, comparisons, (config.policy, config.against or ""))
    if config.against is not None:
        print_comparisons((config.policy, config.against), results, comparisons)
    return 0


def policy_names(config: EvalConfig) -> list[str]:
    """Who plays: the policy, the one it is compared with, then the baselines, nobody twice.

    Raises ValueError when the policy is to be compared with itself.
    """
    if config.against == config.policy:
        raise ValueError(f"against is {config.against!r}, which is the policy itself; name another one")
    names = [config.policy, config.against, *(("greedy", "random") if config.baselines else ())]
    return list(dict.fromkeys(name for name in names if name is not None))


class Player(NamedTuple):
    """A policy, what the command line calls it, and the plane set it reads."""

    name: str
    policy: "Policy"
    planes: str


def play(player: Player, config: EvalConfig, level: int, games: "NDArray[np.uint16]") -> "EvalResult":
    """Evaluate one policy at one level; on a terminal a line on stderr says how far it is."""
    from mlx_drmario.cli.progress import Progress
    from mlx_drmario.evaluate import evaluate
    from mlx_drmario.spec import speed_number

    title = f"{label(player.name)} at level {level}"
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(Progress(sys.stderr))
        capture = None
        if config.capture is not None:
            from mlx_drmario.traces.capture import Capture

            capture = stack.enter_context(Capture(config.capture, policy=player.name, config=asdict(config)))
        return evaluate(
            player.policy,
            level=level,
            speed=speed_number(config.speed),
            seeds=games,
            max_decisions=config.max_decisions,
            planes=player.planes,
            progress=lambda ended, total, decisions: progress.show(
                ended / total,
                lambda left: f"{title}: {ended:,} of {total:,} games, {decisions:,} decisions, {clock(left)} left",
            ),
            observer=capture,
        )


HEADER = (
    f"{'policy':<20} {'cleared':>8} {'95 % interval':>16}   {'frames to clear':>15} {'sd':>6} {'p10':>6} {'median':>6}"
    f" {'p90':>6} {'CVaR':>6} {'seconds':>8}   {'capsules':>8} {'dec. / s':>8}"
)
"""column titles of `row`: frames to clear (mean, sd, quantiles, CVaR of the slowest tenth) are over the cleared games,
seconds is their median; capsules is the mean of all games"""


def row(name: str, result: "EvalResult") -> str:
    """One line of the table."""
    from mlx_drmario.evaluate import FRAME_RATE

    numbers = result.summary()
    interval = f"{numbers['clear_rate_low']:.1%} - {numbers['clear_rate_high']:.1%}"
    mean, *others = (
        or_dash(numbers[f"frames_to_clear_{name}"]) for name in ("mean", "sd", "p10", "median", "p90", "cvar")
    )
    median = numbers["frames_to_clear_median"]
    seconds = or_dash(None if median is None else median / FRAME_RATE, 1)
    return (
        f"{label(name):<20} {percent(numbers['clear_rate']):>8} {interval:>16}   {mean:>15}"
        f" {' '.join(f'{text:>6}' for text in others)} {seconds:>8}   {numbers['decisions_mean']:>8.1f}"
        f" {numbers['decisions_per_second']:>8.0f}"
    )


def print_comparisons(
    names: tuple[str, str], results: "Sequence[tuple[str, EvalResult]]", comparisons: "Sequence[Comparison]"
) -> None:
    """The paired differences by level, and of the mean clear rate when there are several levels."""
    from mlx_drmario import reports
    from mlx_drmario.evaluate import mean_clear_rate_difference

    split = reports.split_of(results[0][1])
    print(f"\n{names[0]} minus {names[1]}, the same {split} games, 95 % intervals")
    print(
        f"{'level':<6} {'clear rate':>26}   {'only first : second':>19} {'McNemar p':>9} {'Holm':>8}"
        f"   {'frames to clear':>26} {'both':>6}"
    )
    for comparison, numbers in zip(comparisons, reports.comparison_rows(comparisons, names), strict=True):
        frames = "-" if comparison.frames is None else difference(comparison.frames, ",.0f")
        only = f"{comparison.only_first} : {comparison.only_second}"
        print(
            f"{comparison.level:<6} {difference(comparison.clear_rate, '.1%'):>26}   {only:>19}"
            f" {numbers['mcnemar_p']:>9.2g} {numbers['mcnemar_p_holm']:>8.2g}   {frames:>26} {comparison.both:>6}"
        )
    if len(comparisons) > 1:
        first, second = ([result for name, result in results if name == wanted] for wanted in names)
        print(f"{'mean':<6} {difference(mean_clear_rate_difference(first, second), '.1%'):>26}")


def difference(value: "Difference", form: str) -> str:
    """+1.2% (-0.3% .. +2.7%), in the given number format."""
    return f"{value.mean:+{form}} ({value.low:+{form}} .. {value.high:+{form}})"


def write_json(
    path: Path, config: EvalConfig, results: "Sequence[tuple[str, EvalResult]]", comparisons: "Sequence[Comparison]"
) -> None:
    """The summaries of every policy and level, and the comparisons."""
    import json

    from mlx_drmario import reports
    from mlx_drmario.files import write_text

    content = {
        "split": config.split,
        "results": reports.summary_rows(results),
        "comparisons": reports.comparison_rows(comparisons, (config.policy, config.against or ""), config.split),
    }
    write_text(path, json.dumps(content, indent=2) + "\n")


def or_dash(value: float | None, digits: int = 0) -> str:
    """The number, or a dash for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def label(name: str) -> str:
    """A policy's name in at most 20 characters."""
    return name if len(name) <= 20 else "…" + name[-19:]
