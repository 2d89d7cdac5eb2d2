"""What tests of training share: callbacks, what two runs are compared by, and where."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.callback import Callback, Snapshot
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.metrics import read_metrics
from mlx_drmario.spec import ACTIONS

on_cpu = pytest.mark.skipif(
    mx.default_device() != mx.cpu, reason="a GPU adds in any order, computes in MLX alone, and takes one shard"
)
"""Mark of tests of what holds on a CPU alone (docs/training.md)."""
TIMED = ("counters.seconds", "counters.log_bytes")


def legal_of(after: Sequence[AfterstateRows]) -> np.ndarray:
    """bool[T, N, 512] of the placements of a rollout."""
    masks = np.zeros((len(after), len(after[0].first) - 1, ACTIONS), bool)
    for mask, rows in zip(masks, after, strict=True):
        decision, action, _ = rows.take(np.arange(len(mask)))
        mask[decision, action] = True
    return masks


class StopAfter(Callback):
    """Ends a session after some iterations, and keeps what it was told."""

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.seen: list[Snapshot] = []

    def on_iteration(self, snapshot: Snapshot) -> None:
        self.seen.append(snapshot)

    def should_stop(self) -> bool:
        return len(self.seen) >= self.iterations


class Diary(Callback):
    """Writes down what it is told, and asks for things after some iterations."""

    def __init__(self, checkpoint_after: int = -1, evaluation_after: int = -1) -> None:
        self.snapshots: list[Snapshot] = []
        self.checkpoints: list[Path] = []
        self.evaluations: list[dict[str, object]] = []
        self.wishes = checkpoint_after, evaluation_after
        self.steps: dict[int, int] = {}
        self.paid: dict[int, float] = {}

    def before_step(self, games, action, log_prob, value, part=0):
        assert games.legal[np.arange(games.num_envs), action].all()
        np.testing.assert_allclose(np.exp(log_prob).sum(axis=1), 1, rtol=1e-4)  # of all placements
        assert value.shape == (games.num_envs,)
        if part == 0:
            self.decisions = games.decisions.copy()

    def after_step(self, games, part=0):
        assert (games.tau > 0).all()  # every game played, and none was restarted yet
        if part == 0:
            np.testing.assert_array_equal(games.decisions, self.decisions + 1)
        self.steps[part] = self.steps.get(part, 0) + 1

    def on_rewards(self, terms, part=0):
        self.paid[part] = self.paid.get(part, 0.0) + float(terms["total"].sum(dtype=np.float64))

    def on_iteration(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    def on_checkpoint(self, path: Path) -> None:
        checkpoint.verify(path)
        self.checkpoints.append(path)

    def on_evaluation(self, comparison: dict[str, object]) -> None:
        self.evaluations.append(comparison)

    def wants_checkpoint(self) -> bool:
        return len(self.snapshots) == self.wishes[0]

    def wants_evaluation(self) -> bool:
        return len(self.snapshots) == self.wishes[1]


class HeldBetween(Callback):
    """Says that it held the run up for a thousand seconds before every iteration, and never in one."""

    def __init__(self):
        self.asked = 0

    def held_seconds(self):
        self.asked += 1
        return 1000.0 * (self.asked % 2)


class Holding(Callback):
    """Holds the run up at every step, and says for how long."""

    def __init__(self):
        self.held = self.whole = 0.0

    def before_step(self, games, action, log_prob, value, part=0):
        if part == 0:
            start = time.perf_counter()
            while time.perf_counter() - start < 0.02:
                pass
            self.held += time.perf_counter() - start

    def held_seconds(self):
        since, self.held = self.held, 0.0
        self.whole += since
        return since

    def should_stop(self):
        return self.whole > 0


def timeless(run: Path) -> list[dict[str, float]]:
    """The rows of metrics.jsonl without what depends on the clock."""
    return [{k: v for k, v in row.items() if not k.startswith(("perf/", "time/"))} for row in read_metrics(run)]


def content(run: Path) -> dict[str, bytes]:
    """Every file of the newest checkpoint byte for byte, but for what depends on the clock."""
    newest = checkpoint.load(run).path
    found = {file.name: file.read_bytes() for file in newest.iterdir() if file.name != "manifest.json"}
    state = json.loads(found.pop("state.json"))
    return found | {key: repr(value).encode() for key, value in state.items() if key not in TIMED}
