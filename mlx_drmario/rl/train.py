"""SMDP-PPO, top to bottom: collect a rollout, estimate advantages, take minibatch steps, log, checkpoint, repeat.

The trainer knows no screens: it reports through callbacks and stops when one of them says so. A run with a budget in
decisions is a pure function of (config, code, device, BLAS); a budget in minutes ties the schedules to the clock.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map

from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl import checkpoint, rundir
from mlx_drmario.rl.config import TrainConfig
from mlx_drmario.rl.curriculum import Curriculum
from mlx_drmario.rl.learner import STEP_METRICS, Learner
from mlx_drmario.rl.log import MetricsLog
from mlx_drmario.rl.optimizer import average, learning_rate, linear, make_optimizer
from mlx_drmario.rl.returns import explained_variance, smdp_gae
from mlx_drmario.rl.rollout import Collector, Rollout


@dataclass(frozen=True)
class Snapshot:
    """State of a run after an iteration, for screens: plain values, safe to hand to another thread."""

    decisions: int
    frames: int
    games: int
    seconds: float
    """Wall-clock time over all sessions of the run."""
    progress: float
    """0 to 1 of the budget."""
    metrics: dict[str, float]
    game: np.void
    """State of game 0, a copy of its row in `Decisions.state`."""


@dataclass(frozen=True)
class TrainResult:
    """How a run ended."""

    run: Path
    checkpoint: Path
    last: Snapshot
    finished: bool
    """False when a callback stopped it before the budget was spent."""


OnIteration = Callable[[Snapshot], None]
ShouldStop = Callable[[], bool]


@dataclass
class Counters:
    """Progress of a run; saved with every checkpoint."""

    decisions: int = 0
    frames: int = 0
    iterations: int = 0
    seconds: float = 0.0
    log_bytes: int = 0


class Trainer:
    """One run in memory: network, optimiser, games and counters; `config.shards` must be resolved."""

    def __init__(self, config: TrainConfig, restored: checkpoint.Checkpoint | None = None) -> None:
        self.config = config
        self.collector = Collector(config.env, config.reward, config.ppo.horizon, config.seed)
        self.curriculum = self._make_curriculum() if config.curriculum.enabled else None
        self.shuffle = np.random.default_rng([config.seed, 2])
        self.model = make_policy(config.net, self.collector.layout, config.seed)
        self.optimizer = make_optimizer(config.optimizer, config.ppo.learning_rate)
        self.optimizer.init(self.model.trainable_parameters())
        self.ema: Any = None  # the averaged weights as a parameter tree, when config.optimizer.ema asks for them
        self.counters = Counters()
        if restored is not None:
            self._restore(restored)
        if config.optimizer.ema and self.ema is None:
            self.ema = tree_map(mx.array, self.model.parameters())
        mx.eval(self.model.state, self.optimizer.state, self.ema)
        self.learner = Learner(self.model, self.optimizer, config)

    def _make_curriculum(self) -> Curriculum:
        config = self.config
        replay = Collector(config.env, config.reward, config.ppo.horizon, config.seed, stream=3)
        return Curriculum(config.curriculum, self.collector, replay, config.seed)

    def act(self, planes: np.ndarray, scalars: np.ndarray, legal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `rollout.Actor`. Not compiled: that does not pay for inference on a CPU (stack.md section 2)."""
        log_probs, value = self.model(mx.array(planes), mx.array(scalars), mx.array(legal))
        mx.eval(log_probs, value)
        return np.asarray(log_probs), np.asarray(value)

    def iterate(self, progress: float) -> dict[str, float]:
        """One rollout and its updates, with schedules at `progress` (0 to 1 of the budget). Returns all metrics."""
        ppo, counters = self.config.ppo, self.counters
        start = time.perf_counter()
        rollout = (self.curriculum or self.collector).collect(self.act)
        collected = time.perf_counter()
        rate = learning_rate(self.config.optimizer, ppo, progress, counters.iterations)
        entropy_weight = linear(ppo.entropy, ppo.final_entropy, progress)
        metrics = self._learn(rollout, rate, entropy_weight)
        end = time.perf_counter()
        frames = int(rollout.tau.sum(dtype=np.int64))
        counters.decisions += rollout.action.size
        counters.frames += frames
        counters.iterations += 1
        counters.seconds += end - start
        return {
            **metrics,
            "stats/learning_rate": rate,
            "stats/entropy_weight": entropy_weight,
            "stats/progress": progress,
            **self.collector.window.metrics(),
            **(self.curriculum.metrics() if self.curriculum else {}),
            **{f"reward/{name}": mean for name, mean in rollout.terms.items()},
            "time/seconds": counters.seconds,
            "perf/sps_frames_total": frames / (end - start),
            "perf/dps_decisions_total": rollout.action.size / (end - start),
            "perf/rollout_seconds": collected - start,
            "perf/update_seconds": end - collected,
        }

    def _learn(self, rollout: Rollout, rate: float, entropy_weight: float) -> dict[str, float]:
        ppo = self.config.ppo
        advantage, target = smdp_gae(
            rollout.reward,
            rollout.value,
            rollout.last_value,
            rollout.tau,
            rollout.terminated,
            rollout.truncated,
            rollout.final_value,
            gamma=ppo.gamma,
            gae_lambda=ppo.gae_lambda,
        )
        variance = explained_variance(rollout.value, target)
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        columns = [rollout.planes, rollout.scalars, rollout.legal, rollout.action, rollout.log_prob, advantage, target]
        self.optimizer.learning_rate = mx.array(rate)
        rows = []
        minibatches = self._minibatches(columns)
        accumulate = self.config.optimizer.accumulate
        for _ in range(ppo.epochs * rollout.action.size // (ppo.minibatch * accumulate)):
            rows.append(self.learner.step(itertools.islice(minibatches, accumulate), entropy_weight))
            if self.ema is not None:
                step = int(self.optimizer.state["step"].item())
                self.ema = average(self.ema, self.model.parameters(), self.config.optimizer.ema, step)
        means = np.mean(rows, axis=0)
        return {**dict(zip(STEP_METRICS, means.tolist(), strict=True)), "stats/explained_variance": variance}

    def _minibatches(self, columns: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Every decision once per epoch, in a fresh random order."""
        flat = [column.reshape(-1, *column.shape[2:]) for column in columns]
        size = self.config.ppo.minibatch
        for _ in range(self.config.ppo.epochs):
            order = self.shuffle.permutation(len(flat[0]))
            for first in range(0, len(order), size):
                rows = order[first : first + size]
                yield [column[rows] for column in flat]

    def snapshot(self, metrics: dict[str, float], progress: float) -> Snapshot:
        games, counters = self.collector.games, self.counters
        return Snapshot(
            decisions=counters.decisions,
            frames=counters.frames,
            games=self.collector.window.count,
            seconds=counters.seconds,
            progress=progress,
            metrics=metrics,
            game=games.state[0].copy(),
        )

    def save(self, run: Path, log_bytes: int) -> Path:
        """Write a checkpoint (see checkpoint.save); `log_bytes` is the length of the metrics that belong to it."""
        self.counters.log_bytes = log_bytes
        curriculum = self.curriculum.save() if self.curriculum else {}
        return checkpoint.save(
            run,
            self.counters.decisions,
            model=self.model.parameters(),
            optimizer=self.optimizer.state,
            ema=self.ema,
            state={
                **{f"collector_{name}": value for name, value in self.collector.save().items()},
                **{f"curriculum_{name}": value for name, value in curriculum.items()},
                "shuffle": _text(json.dumps(self.shuffle.bit_generator.state)),
                "counters": _text(json.dumps(vars(self.counters))),
            },
            net=self.config.net,
            layout=self.collector.layout,
            keep=self.config.keep,
        )

    def close(self) -> None:
        """End the learner's threads."""
        self.learner.close()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _restore(self, restored: checkpoint.Checkpoint) -> None:
        if restored.net != self.config.net or restored.layout != self.collector.layout:
            raise ValueError(f"checkpoint {restored.path} belongs to another network: {restored.net}")
        self.model.load_weights(list(restored.model.items()))
        self.optimizer.state = checkpoint.unflatten(restored.optimizer)
        if self.config.optimizer.ema and restored.ema is not None:
            self.ema = checkpoint.unflatten(restored.ema)
        self.collector.load(_part(restored.state, "collector_"))
        if self.curriculum:
            self.curriculum.load(_part(restored.state, "curriculum_"))
        self.shuffle.bit_generator.state = json.loads(restored.state["shuffle"].tobytes())
        self.counters = Counters(**json.loads(restored.state["counters"].tobytes()))


def train(
    config: TrainConfig,
    run: Path,
    on_iteration: OnIteration = lambda snapshot: None,
    should_stop: ShouldStop = lambda: False,
    *,
    resume: bool = False,
) -> TrainResult:
    """Train into directory `run` until the budget is spent or `should_stop()`; both ways end with a checkpoint.

    Raises what rundir.prepare raises about the directory. With `resume` it goes on from the newest intact checkpoint
    (from the beginning when the run was killed before its first) and repeats, bit for bit on a CPU, what an
    uninterrupted run would have done.
    """
    config = resolve(config)
    rundir.prepare(run, config, resume)
    with Trainer(config, checkpoint.load(run) if resume and checkpoint.available(run) else None) as trainer:
        return _train(trainer, run, on_iteration, should_stop)


def resolve(config: TrainConfig) -> TrainConfig:
    """Replace automatic settings by what they come to on this device; the run directory records the result.

    The number of cores has no say: shards change the rounding, and a run must not depend on the machine's size.
    """
    if config.shards:
        return config
    split = mx.default_device() == mx.cpu and config.ppo.minibatch % 2 == 0
    return dataclasses.replace(config, shards=2 if split else 1)


def _train(trainer: Trainer, run: Path, on_iteration: OnIteration, should_stop: ShouldStop) -> TrainResult:
    config, counters = trainer.config, trainer.counters
    with MetricsLog(run, offset=counters.log_bytes, step=counters.decisions) as log:
        progress = _progress(config, counters)
        last = trainer.snapshot({}, progress)
        while progress < 1.0 and not should_stop():
            metrics = trainer.iterate(progress)
            log.write(counters.decisions, metrics)
            progress = _progress(config, counters)
            last = trainer.snapshot(metrics, progress)
            if counters.iterations % config.checkpoint_every == 0:
                trainer.save(run, log.sync())
            on_iteration(last)
        saved = trainer.save(run, log.sync())
    return TrainResult(run=run, checkpoint=saved, last=last, finished=progress >= 1.0)


def _progress(config: TrainConfig, counters: Counters) -> float:
    """Share of the budget that is spent, 0 to 1."""
    share = counters.seconds / (60 * config.minutes) if config.minutes else counters.decisions / config.decisions
    return min(1.0, share)


def _text(value: str) -> np.ndarray:
    return np.frombuffer(value.encode(), np.uint8)


def _part(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The entries whose names start with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
