"""The picture of a calibration: coverage by quantile, reliability of the chance to clear, times said and seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def plot(path: Path, content: Mapping[str, Any], title: str) -> None:
    """A PNG of three panels, from the content of calibration.json. Intervals are of 95 %."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5), layout="constrained")
    coverage, chances, times = figure.subplots(1, 3)
    levels = {int(level): row for level, row in content["levels"].items() if row["timed_rows"]}
    for number, (level, row) in enumerate(levels.items()):
        drawn = np.array([[point["level"], point["value"]] for point in row["coverage"]], np.float64)
        color = _shade(number, len(levels))
        coverage.plot(drawn[:, 0], drawn[:, 1] - drawn[:, 0], color=color, linewidth=0.7, alpha=0.7)
        times.errorbar(
            row["mean_predicted"],
            row["mean_predicted"] + row["mean_error"]["value"],
            _bars(row["mean_error"]),
            color=color,
            marker="o",
            markersize=3,
            label=f"level {level}" if number in (0, len(levels) - 1) else None,
        )
    pooled = np.array([[p["level"], p["value"], p["low"], p["high"]] for p in content["all"]["coverage"]], np.float64)
    x, off = pooled[:, 0], pooled[:, 1:] - pooled[:, :1]
    coverage.fill_between(x, off[:, 1], off[:, 2], color="k", alpha=0.25, linewidth=0)
    coverage.plot(x, off[:, 0], color="k", linewidth=2, label="all levels, 95 % interval")
    coverage.axhline(0, color="gray", linewidth=0.8)
    coverage.set(xlabel="level of the quantile", ylabel="share of times below it, minus its level")
    coverage.set_title(title, parse_math=False)  # with a path, in which $ means nothing
    coverage.set_ylim(-0.2, 0.2)
    for row in content["reliability"]:
        bars = _bars({name: row[f"observed_{name}"] for name in ("value", "low", "high")})
        chances.errorbar(row["predicted"], row["observed_value"], bars, color="C0", marker="o", markersize=4, capsize=2)
        chances.annotate(f"{row['games']}", (row["predicted"], row["observed_value"]), fontsize=7, xytext=(4, -8),
                         textcoords="offset points")  # fmt: skip
    chances.plot([0, 1], [0, 1], color="gray", linewidth=0.8)
    chances.set(xlabel="chance to clear that was said", ylabel="share cleared, 95 % interval", title="games per bin")
    ends = [0, 1.05 * max((row["mean_predicted"] for row in levels.values()), default=1)]
    times.plot(ends, ends, color="gray", linewidth=0.8)
    times.set(xlabel="mean frames to clear that were said", ylabel="and that were seen", title="by level")
    for axes in (coverage, times):
        if axes.get_legend_handles_labels()[0]:  # none where no game was cleared
            axes.legend(fontsize=8)
    figure.savefig(path, format="png", dpi=110)


def _shade(number: int, count: int) -> str:
    """A colour between blue (the first) and red (the last)."""
    share = number / max(1, count - 1)
    return f"#{int(40 + 200 * share):02x}60{int(220 - 180 * share):02x}"


def _bars(interval: Mapping[str, float]) -> Any:
    """How far it goes down and up. An end may miss the value by a rounding error."""
    return np.clip([[interval["value"] - interval["low"]], [interval["high"] - interval["value"]]], 0, None)
