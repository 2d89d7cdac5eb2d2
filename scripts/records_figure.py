"""Figure of scripts/runs/records.sh: how fast games can be cleared whose seed is known, by level.

    python scripts/records_figure.py --out docs/records.png

Draws, for every level, the record in docs/records, how the lines of the narrow beam are spread (one per seed; median,
middle half, and from the fastest to the slowest), and the fastest game of a human.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_drmario.cli import script
from mlx_drmario.evaluate import FRAME_RATE

HUMAN = (
    7.438, 14.134, 19.0, 28.333, 34.033, 40.974, 49.0, 50.54, 51.134, 65.198, 73.233, 80.06, 76.1, 85.433, 90.0, 90.557,
    96.53, 102.983, 111.633, 127.867, 123.567,
)  # fmt: skip
"""Seconds of the fastest known game of a human at each level, 0 to 20, as collected in November 2026; their players
choose the seed, too."""


@dataclass(frozen=True)
class RecordsFigureConfig:
    """Draw the distribution over seeds and the records."""

    records: Path = Path("docs/records")
    """what scripts/known_seeds.py wrote"""
    out: Path = Path("docs/records.png")
    """PNG to write"""


def main(config: RecordsFigureConfig) -> None:
    """Read and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    records = [json.loads((config.records / f"level-{level:02d}.json").read_text()) for level in range(21)]
    names = ("whislo", "q1", "med", "q3", "whishi")
    spreads = [np.array(record["narrow"]["frames"]) / FRAME_RATE for record in records]
    axes.bxp([dict(zip(names, spread, strict=True)) for spread in spreads], positions=range(21), widths=0.6,
             showfliers=False, showcaps=False, patch_artist=True, boxprops={"facecolor": "C0", "alpha": 0.3},
             medianprops={"color": "C0"})  # fmt: skip
    best = [record["frames"] / FRAME_RATE for record in records]
    axes.plot(range(21), best, "o-", color="C3", ms=4, label="record of this project")
    axes.plot(range(21), HUMAN, "s--", color="black", ms=3, label="fastest human game")
    axes.set_xlabel("level, HI")
    axes.set_ylabel("seconds to clear, seed known")
    axes.legend()
    figure.savefig(config.out, dpi=110)


if __name__ == "__main__":
    sys.exit(script(RecordsFigureConfig, main))
