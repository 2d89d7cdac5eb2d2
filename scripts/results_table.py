"""Table and figure of scripts/runs/results.sh: levels 0 to 20, clear rate and frames to clear of every policy.

    python scripts/results_table.py docs/results --page docs/results.md --figure docs/results.png

Writes into the page, for every speed, the share of games cleared and the median frames to clear of every policy at some
levels; the JSON files beside it have the rest.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from mlx_drmario.cli import script
from mlx_drmario.files import write_text

SHOWN = (0, 1, 3, 5, 7, 10, 12, 15, 18, 20)
"""Levels in the table; the figure and the files have all."""
ORDER = ("random", "greedy", "1ply", "ppo", "clone", "best", "2ply", "3ply", "sampled", "deep", "memory", "known")
LABELS = {
    "best": "`best`, the network alone",
    "ppo": "`train demo`, 4 million decisions",
    "clone": "`train clone`, 117 minutes",
    "known": "seed known, beam of 50",
    "1ply": "`search:1ply`",
    "2ply": "`search:2ply`",
    "3ply": "`search:3ply`",
    "sampled": "`search:sampled`",
    "deep": "`search:deep`",
    "memory": "`memory` of past capsules",
}
MARKS = ("<!-- results -->", "<!-- /results -->")
"""Between these lines of the page the tables are written."""


@dataclass(frozen=True)
class ResultsConfig:
    """Write the tables into a page and draw the figure."""

    directory: tyro.conf.Positional[Path] = Path("docs/results")
    """where scripts/runs/results.sh put its files"""
    page: Path = Path("docs/results.md")
    """page with the lines <!-- results --> and <!-- /results -->, between which the tables are written"""
    figure: Path = Path("docs/results.png")
    """PNG to write"""


Rows = dict[str, dict[int, dict[str, Any]]]
"""Policy -> level -> summary; of two files the one with more games."""


def read(directory: Path, speed: str) -> Rows:
    """All summaries of one speed."""
    rows: Rows = {}
    for file in sorted(directory.glob(f"*-{speed}*.json")):
        policy = file.name.partition(f"-{speed}")[0]
        for result in json.loads(file.read_text())["results"]:
            known = rows.setdefault(policy, {})
            if result["games"] > known.get(result["level"], {"games": 0})["games"]:
                known[result["level"]] = result
    return rows


def table(rows: Rows) -> Iterator[str]:
    """Markdown lines."""
    yield "| policy | |" + "".join(f" {level} |" for level in SHOWN)
    yield "|---|---|" + "---|" * len(SHOWN)
    for policy in (name for name in ORDER if name in rows):
        cells = [rows[policy].get(level) for level in SHOWN]
        label = LABELS.get(policy, policy)
        yield f"| {label} | cleared |" + "".join(f" {rate(cell)} |" for cell in cells)
        yield "| | median frames |" + "".join(f" {frames(cell)} |" for cell in cells)


def rate(cell: dict[str, Any] | None) -> str:
    """The share of games that were cleared."""
    if cell is None:
        return ""
    digits = 3
    while cell["clear_rate"] < 1 and f"{100 * cell['clear_rate']:.{digits}g}".startswith("100"):
        digits += 1  # 100 % is all of them
    return f"{100 * cell['clear_rate']:.{digits}g} %"


def frames(cell: dict[str, Any] | None) -> str:
    """The median of the cleared games, if most were cleared."""
    if cell is None or cell["clear_rate"] < 0.5:
        return ""
    return f"{cell['frames_to_clear_median']:,.0f}"


def games(rows: Rows) -> str:
    """How many games stand behind the cells."""
    parts = []
    for policy in (name for name in ORDER if name in rows):
        counts = sorted({cell["games"] for level, cell in rows[policy].items() if level in SHOWN})
        parts.append(f"{policy} {' or '.join(f'{count:,}' for count in counts)}")
    return textwrap.fill(f"Test games a level: {', '.join(parts)}.", 118)


def draw(rows: Rows, path: Path) -> None:
    """Clear rate with its interval, and frames to clear (median, 10 % to 90 %), by level."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 7), sharex=True, layout="constrained")
    for index, policy in enumerate(name for name in ORDER if name in rows):
        levels = sorted(rows[policy])
        cells = [rows[policy][level] for level in levels]
        color = f"C{index}"
        above.plot(levels, [100 * c["clear_rate"] for c in cells], "o-", color=color, ms=3, label=policy)
        above.fill_between(
            levels, *([100 * c[f"clear_rate_{end}"] for c in cells] for end in ("low", "high")), color=color, alpha=0.15
        )
        most = [(level, c) for level, c in zip(levels, cells, strict=True) if c["clear_rate"] >= 0.5]
        at = [level for level, _ in most]
        below.plot(at, [c["frames_to_clear_median"] for _, c in most], "o-", color=color, ms=3)
        below.fill_between(
            at, *([c[f"frames_to_clear_{end}"] for _, c in most] for end in ("p10", "p90")), color=color, alpha=0.15
        )
    above.set_ylabel("games cleared, %")
    below.set_ylabel("frames to clear")
    below.set_xlabel("level, HI")
    below.set_xticks(range(21))
    above.legend(loc="center left", fontsize=8)
    figure.savefig(path, dpi=110)


def main(config: ResultsConfig) -> None:
    """Read, write, draw."""
    lines: list[str] = []
    for speed in ("hi", "med", "low"):
        rows = read(config.directory, speed)
        if rows:
            lines += [f"### {speed.upper()}", "", *table(rows), "", games(rows), ""]
    if not lines:
        raise ValueError(f"directory is {config.directory}, which holds no results, such as greedy-hi.json")
    parts = re.fullmatch(rf"(.*{MARKS[0]}).*({MARKS[1]}.*)", config.page.read_text(encoding="utf-8"), re.DOTALL)
    if parts is None:
        raise ValueError(f"page is {config.page}, which has no lines {' and '.join(MARKS)} to write between")
    write_text(config.page, f"{parts[1]}\n\n" + "\n".join(lines) + f"\n{parts[2]}")
    draw(read(config.directory, "hi"), config.figure)


if __name__ == "__main__":
    sys.exit(script(ResultsConfig, main))
