"""The loop of runs that learn in one process, whatever they learn: iterate, log, checkpoint, until the budget is spent.

PPO has a loop of its own (ppo/train.py), which knows processes, curricula and the best checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from mlx_drmario.rl.callback import Callback, Snapshot
from mlx_drmario.rl.config import BudgetConfig, DirectoryConfig, Stage
from mlx_drmario.rl.episodes import EpisodeWindow
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.recorder import Recorder


@dataclass(frozen=True)
class FitResult:
    """How a run ended."""

    run: Path
    checkpoint: Path
    last: Snapshot
    finished: bool
    """False when a callback stopped it before the budget was spent"""


class Learner(Protocol):
    """One run in memory."""

    log_bytes: int
    """length of the metrics that belong to the checkpoint it was made from; 0 for a new run"""

    @property
    def decisions(self) -> int:
        """Decisions learnt from so far: the number of a checkpoint."""
        ...

    @property
    def iterations(self) -> int:
        """Iterations so far."""
        ...

    def iterate(self) -> dict[str, float]:
        """Go on for an iteration; returns its metrics."""
        ...

    def snapshot(self, metrics: dict[str, float]) -> Snapshot:
        """What callbacks are told."""
        ...

    def content(self, log_bytes: int) -> checkpoint.Content:
        """What a checkpoint holds; `log_bytes` is the length of the metrics that belong to it."""
        ...


class PlayingLearner:
    """What learners share that play while they learn: what they count, and what they tell of it."""

    COUNTERS = ("decisions", "frames", "iterations", "gradients", "seconds", "log_bytes")

    def __init__(self, config: BudgetConfig, stage: Stage, callback: Callback | None) -> None:
        """stage: what the games are."""
        self._budget, self._stage, self.callback = config, stage, callback or Callback()
        self.decisions = self.frames = self.iterations = self.gradients = self.log_bytes = 0
        self.seconds = 0.0
        self.window = EpisodeWindow.empty()

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        return self._budget.spent(self.decisions, self.seconds)

    def snapshot(self, metrics: dict[str, float]) -> Snapshot:
        """What callbacks are told."""
        return Snapshot(
            decisions=self.decisions,
            frames=self.frames,
            games=self.window.count,
            seconds=self.seconds,
            progress=self.progress,
            stage=self._stage,
            metrics=metrics,
        )

    def counters(self) -> dict[str, Any]:
        """For a checkpoint; `vars(self).update` undoes it."""
        return {name: getattr(self, name) for name in self.COUNTERS}


def fit(learner: Learner, config: DirectoryConfig, run: Path, callback: Callback) -> FitResult:
    """Go on until the budget is spent or the callback stops it; both end with a checkpoint.

    The run directory must be prepared (directory.prepare).
    """
    last = learner.snapshot({})
    with Recorder(run, config, offset=learner.log_bytes, step=learner.decisions) as recorder:
        while last.progress < 1 and not callback.should_stop():
            if callback.wants_checkpoint():
                recorder.save(learner.content(recorder.log.size))
            last = learner.snapshot(learner.iterate())
            recorder.log.write(last.decisions, last.metrics)
            if learner.iterations % config.checkpoint_every == 0 and last.progress < 1:
                recorder.save(learner.content(recorder.log.size))
            callback.on_iteration(last)
            recorder.report(callback)
        recorder.save(learner.content(recorder.log.size))
        recorder.wait()
        recorder.report(callback)
    return FitResult(run, checkpoint.directory(run, last.decisions), last, last.progress >= 1)


def kept(model: nn.Module) -> dict[str, np.ndarray]:
    """The weights of a second network, as a checkpoint's state can hold them: dots part groups there."""
    weights = dict(tree_flatten(model.parameters()))
    return {name.replace(".", "/"): np.array(weight) for name, weight in weights.items()}


def restore_kept(model: nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Undo `kept`."""
    model.load_weights([(name.replace("/", "."), mx.array(weight)) for name, weight in weights.items()])
