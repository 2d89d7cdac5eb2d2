"""SMDP-PPO, top to bottom: collect a rollout, estimate advantages, take minibatch steps, log, checkpoint, repeat.

The trainer knows no screens: it reports through callbacks and stops when one of them says so. A run with a budget in
decisions is a pure function of (config, code, device, BLAS); a budget in minutes ties the schedules to the clock. Games
and minibatches are divided among shards (shard.py), which may live in several processes (group.py).
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_map

from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl import checkpoint, rundir
from mlx_drmario.rl.config import Stage, TrainConfig, to_json
from mlx_drmario.rl.curriculum import Curriculum, Lesson
from mlx_drmario.rl.episodes import EPISODE, EpisodeWindow
from mlx_drmario.rl.group import Group
from mlx_drmario.rl.learner import GRADIENT_METRICS, STEP_METRICS, compiled, make_apply
from mlx_drmario.rl.optimizer import average, learning_rate, linear, make_optimizer
from mlx_drmario.rl.recorder import Recorder
from mlx_drmario.rl.returns import explained_variance
from mlx_drmario.rl.rollout import Rollout, observation_layout
from mlx_drmario.rl.shard import Shard, Team


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
    best: Path | None
    """The best checkpoint by certified comparison (best.py); None when none was looked for."""
    last: Snapshot
    finished: bool
    """False when a callback stopped it before the budget was spent."""
    first: bool
    """False in the processes of a group that write nothing."""


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
    """One run in memory: network, optimiser, shards and counters; `config.shards` must be resolved."""

    def __init__(
        self, config: TrainConfig, restored: checkpoint.Checkpoint | None = None, group: Group | None = None
    ) -> None:
        """Raises ValueError when `restored` belongs to another network."""
        self.config = config
        self.group = group or Group()
        self.layout = observation_layout(config.env.planes)
        self.model = make_policy(config.net, self.layout, config.seed)
        self.optimizer = make_optimizer(config.optimizer, config.ppo.learning_rate)
        self.optimizer.init(self.model.trainable_parameters())
        self.ema: Any = None  # the averaged weights as a parameter tree, when config.optimizer.ema asks for them
        self.window = EpisodeWindow.empty()
        self.counters = Counters()
        self.clock: float | None = None  # end of the last iteration
        self.curriculum = _curriculum(config) if config.curriculum.enabled else None
        mine = config.shards // self.group.size
        self.indices = range(self.group.rank * mine, (self.group.rank + 1) * mine)
        replicas = [self.model, *(make_policy(config.net, self.layout, config.seed) for _ in range(1, mine))]
        self.team = Team([Shard(config, index, model) for index, model in zip(self.indices, replicas, strict=True)])
        if restored is not None:
            self._restore(restored)
        if config.optimizer.ema and self.ema is None:
            self.ema = tree_map(mx.array, self.model.parameters())
        mx.eval(self.model.state, self.optimizer.state, self.ema)
        state = [self.model.state, self.optimizer.state]
        self.apply = compiled(make_apply(self.model, self.optimizer, config.ppo), config.compile, state)

    def iterate(self, progress: float) -> dict[str, float]:
        """One rollout and its updates, with schedules at `progress` (0 to 1 of the budget). Returns all metrics.

        Every process of the group must call it.
        """
        ppo, counters = self.config.ppo, self.counters
        start = time.perf_counter()
        since = self.clock or start  # what came between two iterations, a contest perhaps, took time as well
        lesson = self.curriculum.next() if self.curriculum else None
        weights = self.model.parameters()
        played = self.team.each(lambda shard: shard.collect(weights, lesson))
        self.model.update(weights)  # the first shard played with it, in another type perhaps
        collected = time.perf_counter()
        rate = learning_rate(self.config.optimizer, ppo, progress, counters.iterations)
        entropy_weight = linear(ppo.entropy, ppo.final_entropy, progress)
        metrics = self._learn(played, rate, entropy_weight)
        terms = self._account([rollout for rollout, _ in played], lesson)
        frames, decisions = int(terms.pop("frames")), self.config.decisions_per_iteration
        end = self.clock = time.perf_counter()
        counters.decisions += decisions
        counters.frames += frames
        counters.iterations += 1
        counters.seconds += float(self.group.gather([np.array(end - since)])[0])  # the first process's clock
        return {
            **metrics,
            "stats/learning_rate": rate,
            "stats/entropy_weight": entropy_weight,
            "stats/progress": progress,
            **self.window.metrics(),
            **(self.curriculum.metrics() if self.curriculum else {}),
            **{f"reward/{name}": total / decisions for name, total in terms.items()},
            "time/seconds": counters.seconds,
            "perf/sps_frames_total": frames / (end - start),
            "perf/dps_decisions_total": decisions / (end - start),
            "perf/rollout_seconds": collected - start,
            "perf/update_seconds": end - collected,
        }

    def _learn(self, played: list[tuple[Rollout, np.ndarray]], rate: float, entropy_weight: float) -> dict[str, float]:
        """Take the update steps of an iteration; returns their mean metrics."""
        ppo, optimizer = self.config.ppo, self.config.optimizer
        # [S, 3, T, N]: advantage, target and value of all shards, of all processes
        advantage, target, value = np.moveaxis(
            self.group.gather([np.stack([*estimates, rollout.value]) for rollout, estimates in played]), 1, 0
        )
        variance = explained_variance(value, target)
        mean, deviation = advantage.mean(), advantage.std() + 1e-8

        def prepare(shard: Shard, given: tuple[Rollout, np.ndarray]) -> None:
            rollout, (own_advantage, own_target) = given
            shard.prepare(rollout, (own_advantage - mean) / deviation, own_target)

        self.team.zip(prepare, played)
        self.optimizer.learning_rate = mx.array(rate)
        rows = []
        for _ in range(ppo.epochs * self.config.decisions_per_iteration // (ppo.minibatch * optimizer.accumulate)):
            rows.append(self._step(entropy_weight))
            if self.ema is not None:
                step = int(self.optimizer.state["step"].item())
                self.ema = average(self.ema, self.model.parameters(), optimizer.ema, step)
        means = np.mean(rows, axis=0).tolist()
        names = (*GRADIENT_METRICS, *STEP_METRICS)
        return {**dict(zip(names, means, strict=True)), "stats/explained_variance": variance}

    def _step(self, entropy_weight: float) -> np.ndarray:
        """One optimiser step along the mean gradient of all shards; returns the values of its metrics."""
        weights = self.model.parameters()
        parts = self.team.each(lambda shard: shard.differentiate(weights, entropy_weight))
        # Row by row in memory, as sums over processes are: the order in which a norm is summed follows the layout.
        total = tree_map(mx.contiguous, _sum_in_pairs(parts))
        mx.eval(total)
        count = self.config.shards * self.config.optimizer.accumulate
        metrics, gradient = tree_map(lambda leaf: leaf / count, self.group.add(total))
        norms = self.apply(gradient)
        mx.eval(self.model.state, self.optimizer.state, norms, metrics)
        return np.append(np.asarray(metrics), np.asarray(norms))

    def _account(self, rollouts: list[Rollout], lesson: Lesson | None) -> dict[str, float]:
        """Count games and rewards of all shards; returns the sums of the reward's terms and of the frames."""
        shared = self.group.gather([rollout.episodes for rollout in rollouts])  # [S, T, N]
        episodes = np.concatenate(list(shared), axis=1)
        if lesson is not None and lesson.fresh and not lesson.replayed:
            self.window = EpisodeWindow.empty()
        if lesson is None or not lesson.replayed:
            self.window.add(episodes)
            if self.curriculum:
                self.curriculum.count(episodes)
        sums = [np.array([*r.terms.values(), r.tau.sum(dtype=np.int64)], np.float64) for r in rollouts]
        return dict(zip([*rollouts[0].terms, "frames"], self.group.gather(sums).sum(axis=0).tolist(), strict=True))

    @property
    def stage(self) -> Stage:
        """What the games in training are."""
        return self.curriculum.stage if self.curriculum else self.config.env.stage

    def snapshot(self, metrics: dict[str, float], progress: float) -> Snapshot:
        return Snapshot(
            decisions=self.counters.decisions,
            frames=self.counters.frames,
            games=self.window.count,
            seconds=self.counters.seconds,
            progress=progress,
            metrics=metrics,
            game=self.team.shards[0].frontier.games.state[0].copy(),
        )

    def content(self, log_bytes: int) -> checkpoint.Content:
        """What a checkpoint holds: references and copies, which stay as they are while training goes on.

        `log_bytes` is the length of the metrics that belong to it. Every process of the group must call this.
        """
        self.counters.log_bytes = log_bytes
        state: dict[str, np.ndarray] = {
            "window_games": self.window.games.view(np.uint8).copy(),
            "window_count": np.array(self.window.count, np.int64),
            "counters": _text(json.dumps(vars(self.counters))),
            **({"curriculum": _text(self.curriculum.save())} if self.curriculum else {}),
        }
        for index, part in enumerate(self.group.gather_bytes([_pack(shard.save()) for shard in self.team.shards])):
            state |= {f"shard{index}_{name}": value for name, value in _unpack(part).items()}
        return checkpoint.Content(
            decisions=self.counters.decisions,
            model=dict(tree_flatten(self.model.parameters())),
            optimizer=dict(tree_flatten(self.optimizer.state)),
            ema=None if self.ema is None else dict(tree_flatten(self.ema)),
            state=state,
            net=self.config.net,
            layout=self.layout,
        )

    def close(self) -> None:
        """End the threads of the shards."""
        self.team.close()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _restore(self, restored: checkpoint.Checkpoint) -> None:
        if restored.net != self.config.net or restored.layout != self.layout:
            raise ValueError(f"checkpoint {restored.path} belongs to another network: {restored.net}")
        self.model.load_weights(list(restored.model.items()))
        self.optimizer.state = checkpoint.unflatten(restored.optimizer)
        if self.config.optimizer.ema and restored.ema is not None:
            self.ema = checkpoint.unflatten(restored.ema)
        state = restored.state
        self.window = EpisodeWindow(state["window_games"].view(EPISODE).copy(), int(state["window_count"]))
        self.counters = Counters(**json.loads(state["counters"].tobytes()))
        if self.curriculum:
            self.curriculum.load(state["curriculum"].tobytes().decode())
        for index, shard in zip(self.indices, self.team.shards, strict=True):
            shard.load(checkpoint.part(state, f"shard{index}_"), self.curriculum)


def train(
    config: TrainConfig,
    run: Path,
    on_iteration: OnIteration = lambda snapshot: None,
    should_stop: ShouldStop = lambda: False,
    *,
    resume: bool = False,
    group: Group | None = None,
) -> TrainResult:
    """Train into directory `run` until the budget is spent or `should_stop()`; both ways end with a checkpoint.

    Raises what rundir.prepare raises about the directory. With `resume` it goes on from the newest intact checkpoint
    (from the beginning when the run was killed before its first) and repeats, bit for bit on a CPU, what an
    uninterrupted run would have done.

    Under `mlx.launch` every process calls this with the same arguments; the first one writes and calls `on_iteration`,
    any of them may stop the run, and to resume all must see the directory. `group` is found by itself.
    """
    group = group or Group.join()
    config = resolve(config, group.size)
    group.on_first(lambda: rundir.prepare(run, config, resume))
    restored = checkpoint.load(run) if resume and checkpoint.available(run) else None
    with Trainer(config, restored, group) as trainer:
        group.agree(to_json(config), trainer.counters.decisions, checkpoint.weights_digest(trainer.model))
        return _train(trainer, run, on_iteration, should_stop)


def resolve(config: TrainConfig, processes: int = 1) -> TrainConfig:
    """Replace automatic settings by what they come to on this device; the run directory records the result.

    The number of cores has no say: shards change what a run computes, and it must not depend on the machine's size.
    Raises ValueError when games or shards cannot be divided among the processes.
    """
    sizes = (config.ppo.minibatch, config.env.num_envs)
    if any(size % processes for size in sizes):
        raise ValueError(
            f"ppo.minibatch and env.num_envs must be multiples of the {processes} processes, "
            f"got {sizes[0]} and {sizes[1]}"
        )
    if not config.shards:
        split = mx.default_device() == mx.cpu and all(size % 2 == 0 for size in sizes)
        config = dataclasses.replace(config, shards=max(processes, 2 if split else 1))
    if config.shards % processes:
        raise ValueError(f"shards must be a multiple of the {processes} processes, got {config.shards}")
    return config


def _train(trainer: Trainer, run: Path, on_iteration: OnIteration, should_stop: ShouldStop) -> TrainResult:
    config, counters, group = trainer.config, trainer.counters, trainer.group
    recorder = Recorder(run, config, offset=counters.log_bytes, step=counters.decisions) if group.first else None
    with recorder or contextlib.nullcontext():

        def save() -> None:
            content = trainer.content(recorder.log.size if recorder else 0)
            if recorder:
                recorder.save(content)

        def challenge(over: bool = False) -> None:
            if recorder and (over or recorder.challenge_due(counters.iterations)):
                recorder.challenge(counters.decisions, trainer.stage)

        progress = _progress(config, counters)
        last = trainer.snapshot({}, progress)
        if counters.decisions:
            challenge()  # the one that an end of the process cut short
        while progress < 1.0 and not group.gather([np.array(should_stop())]).any():
            metrics = trainer.iterate(progress)
            progress = _progress(config, counters)
            last = trainer.snapshot(metrics, progress)
            if recorder:
                recorder.write(counters.decisions, metrics)
            if counters.iterations % config.checkpoint_every == 0 and progress < 1.0:
                save()
                challenge()
            if recorder:
                on_iteration(last)
        save()
        challenge(over=progress >= 1.0)
        if recorder:
            recorder.finish()
        saved = checkpoint.directory(run, counters.decisions)
        best = recorder.best if recorder else None
    group.gather([np.array(True)])  # nobody leaves before everything is on disk: mlx.launch would end the others
    return TrainResult(run, saved, best, last, finished=progress >= 1.0, first=group.first)


def _progress(config: TrainConfig, counters: Counters) -> float:
    """Share of the budget that is spent, 0 to 1."""
    share = counters.seconds / (60 * config.minutes) if config.minutes else counters.decisions / config.decisions
    return min(1.0, share)


def _curriculum(config: TrainConfig) -> Curriculum:
    rollouts = -(-config.env.max_decisions // config.ppo.horizon)  # in which the longest games end
    return Curriculum(config.curriculum, config.env.num_envs, rollouts, config.seed)


def _sum_in_pairs(parts: list[Any]) -> Any:
    """Sum of trees as (a + b) + (c + d): what two processes with half of them each add up to."""
    while len(parts) > 1:
        pairs = [tree_map(lambda a, b: a + b, *parts[i : i + 2]) for i in range(0, len(parts) - 1, 2)]
        parts = pairs + parts[2 * len(pairs) :]
    return parts[0]


def _text(value: str) -> np.ndarray:
    return np.frombuffer(value.encode(), np.uint8)


def _pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as one byte string, to travel between processes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _unpack(packed: bytes) -> dict[str, np.ndarray]:
    """Undo `_pack`."""
    with np.load(io.BytesIO(packed)) as arrays:
        return dict(arrays)
