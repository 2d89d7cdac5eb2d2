"""What two runs are compared by."""

from pathlib import Path

import numpy as np

from mlx_drmario.rl import checkpoint
from mlx_drmario.rl.log import read_metrics


def timeless(run: Path) -> list[dict[str, float]]:
    """The rows of metrics.jsonl without what depends on the clock."""
    return [{k: v for k, v in row.items() if not k.startswith(("perf/", "time/"))} for row in read_metrics(run)]


def content(run: Path) -> dict[str, bytes]:
    """Every array of the newest checkpoint (weights, averages, optimiser, state) byte for byte, but for the clock."""
    newest = checkpoint.load(run)
    parts = {"model": newest.model, "optimizer": newest.optimizer, "ema": newest.ema or {}, "state": newest.state}
    arrays = {f"{part}.{name}": np.asarray(x).tobytes() for part, items in parts.items() for name, x in items.items()}
    del arrays["state.counters"]
    return arrays
