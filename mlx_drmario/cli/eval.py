"""`drmario eval`: how good is a policy, beside two baselines, on games it was not trained on?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mlx_drmario.evaluate import EvalResult


@dataclass(frozen=True)
class EvalConfig:
    """Play n games of a seed split in one batch and print how many were cleared and how fast."""

    policy: str = "greedy"
    """random, greedy, or the directory of a run or checkpoint"""
    level: int = 0
    """virus level, 0 to 24"""
    speed: Literal["low", "med", "hi"] = "hi"
    """speed setting"""
    seeds: int = 500
    """number of games"""
    split: Literal["test", "validation", "training"] = "test"
    """where the games come from"""
    max_decisions: int = 1_000
    """capsules after which a game counts as not cleared"""
    baselines: bool = True
    """also play the same games with the random and the greedy baseline"""
    json: Path | None = None
    """write the numbers to this file"""


def run(config: EvalConfig) -> int:
    """Evaluate, print a table, return 0. Raises ValueError for a policy, level or number of seeds that cannot be."""
    import json

    from mlx_drmario import seeds
    from mlx_drmario.cli import policy as policies
    from mlx_drmario.evaluate import evaluate
    from mlx_drmario.spec import speed_number

    names = [config.policy, *(name for name in ("greedy", "random") if config.baselines and name != config.policy)]
    loaded = [(name, *policies.load(name)) for name in names]
    games = seeds.seeds(config.split, config.seeds)
    print(f"level {config.level} {config.speed.upper()}, {config.seeds} {config.split} seeds")
    print(HEADER)
    summaries: dict[str, dict[str, Any]] = {}
    for name, policy, planes in loaded:
        result = evaluate(
            policy,
            level=config.level,
            speed=speed_number(config.speed),
            seeds=games,
            max_decisions=config.max_decisions,
            planes=planes,
        )
        print(row(name, result), flush=True)
        summaries[name] = result.summary()
    if config.json is not None:
        config.json.write_text(json.dumps({"split": config.split, "policies": summaries}, indent=2) + "\n")
    return 0


HEADER = (
    f"{'policy':<20} {'cleared':>8} {'95 % interval':>16}   {'frames to clear':>15} {'p10':>6} {'p90':>6}"
    f" {'seconds':>8}   {'decisions':>9} {'/ game':>6} {'/ s':>7}"
)
"""column titles of `row`; frames to clear and seconds are medians over the cleared games"""


def row(name: str, result: "EvalResult") -> str:
    """One line of the table."""
    from mlx_drmario.evaluate import FRAME_RATE

    numbers = result.summary()
    interval = f"{numbers['clear_rate_low']:.1%} - {numbers['clear_rate_high']:.1%}"
    median, p10, p90 = (numbers[f"frames_to_clear_{level}"] for level in ("median", "p10", "p90"))
    seconds = None if median is None else median / FRAME_RATE

    def or_dash(value: float | None, digits: int = 0) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    label = name if len(name) <= 20 else "…" + name[-19:]
    return (
        f"{label:<20} {numbers['clear_rate']:>8.1%} {interval:>16}   {or_dash(median):>15} {or_dash(p10):>6}"
        f" {or_dash(p90):>6} {or_dash(seconds, 1):>8}   {numbers['decisions']:>9} {numbers['decisions_mean']:>6.1f}"
        f" {numbers['decisions_per_second']:>7.0f}"
    )
