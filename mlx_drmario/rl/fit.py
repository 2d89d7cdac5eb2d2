"""The loop of runs that learn in one process, whatever they learn: iterate, log, checkpoint, until the budget is spent.

PPO has a loop of its own (ppo/train.py), which knows processes, curricula and the best checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from mlx_drmario.rl.callback import Callback, Snapshot
from mlx_drmario.rl.config import BudgetConfig, DirectoryConfig, Stage
from mlx_drmario.rl.episodes import EpisodeWindow
from mlx_drmario.rl.gradient import GRAD_NORM, PARAM_NORM
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.recorder import Recorder


@dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    run: Path
    checkpoint: Path
    last: Snapshot
    finished: bool
    """False when a callback stopped it before the budget was spent"""
    best: Path | None = None
    """the best checkpoint by certified comparison (runs/best.py); None when none was looked for"""
    first: bool = True
    """False in the processes of a group that write nothing"""


class Learner(Protocol):
    """One run in memory."""

    @property
    def log_bytes(self) -> int:
        """Length of the metrics that belong to the checkpoint it was made from; 0 for a new run."""
        ...

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


@dataclass
class Counters:
    """Progress of a run that plays; saved with every checkpoint."""

    decisions: int = 0
    frames: int = 0
    iterations: int = 0
    gradients: int = 0
    seconds: float = 0.0
    log_bytes: int = 0


class PlayingLearner:
    """What learners share that play while they learn: what they count, and what they tell of it."""

    def __init__(self, config: BudgetConfig, restored: checkpoint.Checkpoint | None, callback: Callback | None) -> None:
        self._config, self.callback = config, callback or Callback()
        self.counters = Counters(**restored.state["counters"]) if restored else Counters()
        self.window = EpisodeWindow.empty()

    @property
    def decisions(self) -> int:
        """Decisions learnt from so far: the number of a checkpoint."""
        return self.counters.decisions

    @property
    def iterations(self) -> int:
        """Iterations so far."""
        return self.counters.iterations

    @property
    def log_bytes(self) -> int:
        """Length of the metrics that belong to the last checkpoint; 0 before the first."""
        return self.counters.log_bytes

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        return self._config.spent(self.counters.decisions, self.counters.seconds)

    @property
    def stage(self) -> Stage:
        """What the games in training are."""
        return self._config.env.stage

    def begin(self) -> float:
        """The clock at the beginning of an iteration. What came between it and the one before is not counted, so
        nothing of how long the callback took then is taken off."""
        self.callback.held_seconds()
        return time.perf_counter()

    def account(self, decisions: int, frames: int, seconds: float, between: float = 0.0) -> dict[str, float]:
        """Count an iteration; returns the metrics that all such runs have.

        seconds: of the iteration; between: since the one before, which no rate counts.
        """
        counters = self.counters
        counters.decisions += decisions
        counters.frames += frames
        counters.iterations += 1
        counters.seconds += between + seconds
        return {
            "stats/progress": self.progress,
            **self.window.metrics(),
            "time/seconds": counters.seconds,
            "perf/sps_frames_total": frames / seconds,
            "perf/dps_decisions_total": decisions / seconds,
        }

    def snapshot(self, metrics: dict[str, float]) -> Snapshot:
        """What callbacks are told."""
        return Snapshot(
            decisions=self.counters.decisions,
            frames=self.counters.frames,
            games=self.window.count,
            seconds=self.counters.seconds,
            progress=self.progress,
            stage=self.stage,
            metrics=metrics,
        )


def fit(learner: Learner, config: DirectoryConfig, run: Path, callback: Callback) -> RunResult:
    """Go on until the budget is spent or the callback stops it; both end with a checkpoint.

    The run directory must be prepared and have these settings (directory.prepare, directory.record).
    """
    last = learner.snapshot({})
    with Recorder(run, config, offset=learner.log_bytes, step=learner.decisions) as recorder:
        while last.progress < 1 and not callback.should_stop():
            if callback.wants_checkpoint():
                recorder.save(learner.content(recorder.log.size))
            last = learner.snapshot(learner.iterate())
            check_weights(last)
            recorder.log.write(last.decisions, last.metrics)
            if learner.iterations % config.checkpoint_every == 0 and last.progress < 1:
                recorder.save(learner.content(recorder.log.size))
            callback.on_iteration(last)
            recorder.report(callback)
        recorder.save(learner.content(recorder.log.size))
        recorder.wait()
        recorder.report(callback)
    return RunResult(run, checkpoint.directory(run, last.decisions), last, last.progress >= 1)


def check_weights(last: Snapshot) -> None:
    """ValueError when the last update left weights that are no numbers, or had gradients that are none (what clips them
    makes zeros of those that are too large): nothing is to be made or kept of them."""
    for name, what in ((PARAM_NORM, "weights"), (GRAD_NORM, "gradients")):
        norm = last.metrics.get(name, 0.0)
        if not math.isfinite(norm):
            raise ValueError(
                f"the {what} are not finite any more after {last.decisions:,} decisions ({name} is {norm}); the last"
                " checkpoint, if any, is of before, and a smaller learning rate may help"
            )


def kept(model: nn.Module) -> dict[str, np.ndarray]:
    """The weights of a second network, as a checkpoint's state can hold them: dots part groups there."""
    weights = dict(tree_flatten(model.parameters()))
    return {name.replace(".", "/"): np.array(weight) for name, weight in weights.items()}


def restore_kept(model: nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Undo `kept`."""
    model.load_weights([(name.replace("/", "."), mx.array(weight)) for name, weight in weights.items()])
