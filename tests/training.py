"""What tests of training share: a callback that stops, and what two runs are compared by."""

import json
from pathlib import Path

from mlx_drmario.rl.callback import Callback, Snapshot
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.metrics import read_metrics

TIMED = ("counters.seconds", "counters.log_bytes")


class StopAfter(Callback):
    """Ends a session after some iterations, and keeps what it was told."""

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.seen: list[Snapshot] = []

    def on_iteration(self, snapshot: Snapshot) -> None:
        self.seen.append(snapshot)

    def should_stop(self) -> bool:
        return len(self.seen) >= self.iterations


def timeless(run: Path) -> list[dict[str, float]]:
    """The rows of metrics.jsonl without what depends on the clock."""
    return [{k: v for k, v in row.items() if not k.startswith(("perf/", "time/"))} for row in read_metrics(run)]


def content(run: Path) -> dict[str, bytes]:
    """Every file of the newest checkpoint byte for byte, but for what depends on the clock."""
    newest = checkpoint.load(run).path
    found = {file.name: file.read_bytes() for file in newest.iterdir() if file.name != "manifest.json"}
    state = json.loads(found.pop("state.json"))
    return found | {key: repr(value).encode() for key, value in state.items() if key not in TIMED}
