"""Table and figure of scripts/runs/heads.sh: how well each policy head did on validation games, and what it cost.

    python scripts/heads_table.py runs/heads --figure docs/heads.png

A cell of the table is the mean over the seeds, with the lowest and the highest seed in brackets: with three seeds an
interval would say less. CPU seconds are user plus system time of the training process, which other work on the machine
changes less than the wall clock.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from mlx_drmario.cli import script
from mlx_drmario.rl.runs.checkpoint import load_weights
from mlx_drmario.rl.runs.metrics import read_metrics


@dataclass(frozen=True)
class HeadsConfig:
    """Print a Markdown table of the runs in a directory, and draw them."""

    directory: tyro.conf.Positional[Path]
    """where scripts/runs/heads.sh put its runs"""
    figure: Path | None = None
    """PNG to write"""


@dataclass(frozen=True)
class HeadResult:
    """All seeds of one head; S seeds, L levels."""

    clear_rate: np.ndarray  # f64[S, L]
    viruses_left: np.ndarray  # f64[S, L]
    levels: np.ndarray  # i64[L]
    parameters: int
    cpu_seconds: list[float]
    curves: list[tuple[np.ndarray, np.ndarray]]  # (decisions, return of the last 500 games) of each seed


def seeds_of(directory: Path) -> dict[str, list[Path]]:
    """The runs HEAD-SEED in a directory, by their heads, each in the order of the seeds."""
    heads: dict[str, list[Path]] = {}
    for run in sorted(directory.iterdir(), key=lambda run: (len(run.name), run.name)):  # 2 before 10
        head, _, seed = run.name.rpartition("-")
        if seed.isdecimal():
            heads.setdefault(head, []).append(run)
    return heads


def read(runs: list[Path]) -> HeadResult | None:
    """What the runs of a head did; None when none was evaluated."""
    runs = [run for run in runs if (run / "evaluation" / "summary.csv").exists()]
    if not runs:
        return None
    tables = [list(csv.DictReader((run / "evaluation" / "summary.csv").open())) for run in runs]
    trained = [run for run in runs if (run / "metrics.jsonl").exists()]
    metrics = [read_metrics(run) for run in trained]
    return HeadResult(
        clear_rate=np.array([[float(row["clear_rate"]) for row in table] for table in tables]),
        viruses_left=np.array([[float(row["viruses_left_mean"]) for row in table] for table in tables]),
        levels=np.array([int(row["level"]) for row in tables[0]]),
        parameters=sum(weight.size for weight in load_weights(trained[0]).model.values()) if trained else 0,
        cpu_seconds=[sum(map(float, (run / "cpu_seconds").read_text().split())) for run in trained],
        curves=[
            (np.array([row["step"] for row in rows]), np.array([row["episode/return"] for row in rows]))
            for rows in metrics
        ],
    )


def spread(values: np.ndarray, form: str = ".0%") -> str:
    """Mean of the seeds, and the lowest and highest in brackets when they read differently."""
    mean, low, high = (f"{value:{form}}" for value in (values.mean(), values.min(), values.max()))
    return mean if low == high else f"{mean} ({low} to {high})"


def table(results: dict[str, HeadResult]) -> str:
    """Markdown: one row per head."""
    levels = next(iter(results.values())).levels
    titles = ["head", "seeds", "parameters", "CPU s", *(f"level {level}" for level in levels), "mean", "viruses left"]
    rows = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for head, result in results.items():
        known = [seconds for seconds in result.cpu_seconds if not np.isnan(seconds)]
        cost = f"{np.mean(known):,.0f}" if known else "-"
        size = f"{result.parameters:,}" if result.parameters else "-"
        cells = [spread(result.clear_rate[:, i]) for i in range(len(levels))]
        cells += [spread(result.clear_rate.mean(axis=1)), spread(result.viruses_left.mean(axis=1), ".1f")]
        rows.append(f"| {head} | {len(result.clear_rate)} | {size} | {cost} | {' | '.join(cells)} |")
    return "\n".join(rows)


def draw(path: Path, results: dict[str, HeadResult]) -> None:
    """Left: clear rate over levels, mean and range of the seeds. Right: return during training, a line per seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    rates, curves = figure.subplots(1, 2)
    for number, (head, result) in enumerate(results.items()):
        color = f"C{number}"
        low, high = result.clear_rate.min(axis=0), result.clear_rate.max(axis=0)
        rates.fill_between(result.levels, low, high, color=color, alpha=0.2, linewidth=0)
        rates.plot(result.levels, result.clear_rate.mean(axis=0), color=color, marker="o", markersize=4, label=head)
        for seed, (decisions, value) in enumerate(result.curves):
            curves.plot(decisions, value, color=color, linewidth=1, label=head if seed == 0 else None)
    rates.set(xlabel="level (HI)", ylabel="validation games cleared", ylim=(-0.03, 1.03), title="after training")
    curves.set(
        xlabel="decisions", ylabel="return, last 500 games (sampled)", title="during training, levels 0 to 5 mixed"
    )
    for axes in (rates, curves):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)


def main(config: HeadsConfig) -> None:
    """Read, print, draw."""
    heads = sorted(seeds_of(config.directory).items())
    found = {head: result for head, runs in heads if (result := read(runs)) is not None}
    results = dict(sorted(found.items(), key=lambda item: -float(item[1].clear_rate.mean())))
    if not results:
        raise ValueError(
            f"directory is {config.directory}, which holds no evaluated run; scripts/runs/heads.sh makes them"
        )
    print(table(results))
    if config.figure is not None:
        draw(config.figure, results)


if __name__ == "__main__":
    sys.exit(script(HeadsConfig, main))
