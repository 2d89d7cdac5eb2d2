"""Learning curves: the share of validation games cleared against the time of training, of several seeds.

    python scripts/learning_curves.py measure build/now.json --seconds 45
    python scripts/learning_curves.py draw build/before.json build/now.json --figure docs/learning.png

What counts is strength at equal wall time: rate of decisions and what is learnt from each together. Games and settings
are those of `drmario bench --learning`, but a run goes on when the level is mastered, and evaluations are not counted.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mlx_drmario.cli import script
from mlx_drmario.cli.bench.learning import GAMES, clear_rate
from mlx_drmario.files import write_text
from mlx_drmario.ranges import Range, check_ranges
from mlx_drmario.rl.ppo.config import PRESETS, PPORunConfig
from mlx_drmario.spec import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's t with 1, 2, ... 9 degrees of freedom; the last serves for more, a little wide."""


@dataclass(frozen=True)
class Measure:
    """Train with several seeds, and write their curves."""

    out: tyro.conf.Positional[Path]
    """JSON to write"""
    seconds: Annotated[float, Range(0, 1e6, without="low")] = 45
    """of training, per seed"""
    every: Annotated[float, Range(0, 1e6, without="low")] = 2.5
    """seconds of training from one evaluation to the next"""
    seeds: Annotated[int, Range(2, 1_000)] = 5
    """runs, with seeds 0, 1, ...; their spread is what an interval is made of"""
    run: PPORunConfig = field(default_factory=lambda: PRESETS["level0"])
    """what is trained; its highest level is what counts"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Draw:
    """Draw the means of such files and their intervals, and print a table."""

    files: tyro.conf.Positional[tuple[Path, ...]]
    """what `measure` wrote; the names of the files are the names of the curves"""
    figure: Path = Path("docs/learning.png")
    """PNG to write"""

    def __post_init__(self) -> None:
        if not self.files:
            raise ValueError("files must name what `measure` wrote, got none")


Curve = list[tuple[float, int, float]]
"""(seconds of training, decisions, share of the games cleared) at every evaluation."""


def measure(config: Measure) -> None:
    """Train and write."""
    runs: list[Curve] = []
    for seed in range(config.seeds):
        runs.append(curve_of(dataclasses.replace(config.run, seed=seed), config.seconds, config.every))
        write_text(config.out, json.dumps({"runs": runs}) + "\n")
        print(f"seed {seed}: {', '.join(f'{share:.0%}' for _, _, share in runs[-1])}", flush=True)


def curve_of(run: PPORunConfig, seconds: float, every: float) -> Curve:
    """One run; it begins with the untrained network."""
    from mlx_drmario.rl.ppo.learner import Learner
    from mlx_drmario.rl.ppo.train import resolve

    curve: Curve = []
    with Learner(resolve(run)) as learner:
        trained = 0.0
        while trained < seconds and learner.progress < 1:
            curve.append((trained, learner.counters.decisions, clear_rate(learner, GAMES)))
            due = trained + every
            while trained < due and learner.progress < 1:
                start = time.perf_counter()
                learner.iterate()
                trained += time.perf_counter() - start
        curve.append((trained, learner.counters.decisions, clear_rate(learner, GAMES)))
    return curve


def draw(config: Draw) -> None:
    """Read, draw, and print the table."""
    import matplotlib
    import numpy as np

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for index, file in enumerate(config.files):
        runs = json.loads(file.read_text(encoding="utf-8"))["runs"]
        if len(runs) < 2:
            raise ValueError(f"files names {file}, which holds {counted(len(runs), 'run')}; an interval needs two")
        grid = np.arange(0, min(run[-1][0] for run in runs), 0.5)
        shares = np.array([np.interp(grid, *np.array(run)[:, [0, 2]].T) for run in runs])
        low, high = interval(shares)
        axes.plot(grid, 100 * shares.T, color=f"C{index}", lw=0.6, alpha=0.4)
        axes.plot(grid, 100 * shares.mean(axis=0), color=f"C{index}", lw=2, label=f"{file.stem}, {len(runs)} seeds")
        axes.fill_between(grid, 100 * low, 100 * high, color=f"C{index}", alpha=0.15)
        for second in range(5, int(grid[-1]) + 1, 5):
            at = 2 * second
            mean, ends = shares[:, at].mean(), f"{low[at]:.1%} to {high[at]:.1%}"
            print(f"{file.stem:20} {second:4} s  {mean:6.1%}  ({ends})")
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("validation games cleared, %")
    axes.legend(loc="lower right")
    figure.savefig(config.figure, dpi=110)


def interval(shares: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % of the mean over runs [R, T], R of 2 or more, by Student's t: a bootstrap of five runs covers 84 %."""
    import numpy as np

    mean, error = shares.mean(axis=0), shares.std(axis=0, ddof=1) / len(shares) ** 0.5
    reach = STUDENT[min(len(shares) - 2, len(STUDENT) - 1)] * error
    return np.clip(mean - reach, 0, 1), np.clip(mean + reach, 0, 1)


Command: Any = Annotated[Measure, tyro.conf.subcommand("measure")] | Annotated[Draw, tyro.conf.subcommand("draw")]


def main(command: Measure | Draw) -> None:
    """Measure or draw."""
    if isinstance(command, Measure):
        measure(command)
    else:
        draw(command)


if __name__ == "__main__":
    sys.exit(script(Command, main))
