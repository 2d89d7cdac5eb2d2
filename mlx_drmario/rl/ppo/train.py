"""The training loop: iterate, log, checkpoint, compare with the best checkpoint, until the budget is spent.

It knows no screens: it tells a callback how it goes, and stops when that says so.
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import mlx.core as mx

from mlx_drmario.nets.device import default_device
from mlx_drmario.rl.callback import Callback, Snapshot
from mlx_drmario.rl.evaluator.forecast import Evaluator
from mlx_drmario.rl.fit import RunResult, check_weights
from mlx_drmario.rl.parallel import ProcessGroup
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.ppo.learner import Learner
from mlx_drmario.rl.rollout import observation_layout
from mlx_drmario.rl.runs import checkpoint, directory
from mlx_drmario.rl.runs.recorder import Recorder
from mlx_drmario.settings import to_json


def train(
    config: PPORunConfig,
    run: Path | str,
    callback: Callback | None = None,
    *,
    resume: bool = False,
    fresh_games: bool = False,
    processes: ProcessGroup | None = None,
) -> RunResult:
    """Train into directory `run` until the budget is spent or the callback stops it; both end with a checkpoint.

    Raises what directory.prepare raises about the directory, and check_evaluator about shaping. With `resume` it goes
    on from the newest intact checkpoint (from the beginning when the run was killed before its first) and repeats, bit
    for bit on a CPU, what an uninterrupted run would have done. When `config` asks for other games (env, shards,
    curriculum) than the checkpoint holds, or with `fresh_games`, weights, optimiser and counters go on and the games
    start anew.

    Under `mlx.launch` every process calls this with the same arguments; the first one writes, any of them may stop the
    run, and to resume all must see the directory. `processes` is found by itself.
    """
    run, callback, processes = Path(run), callback or Callback(), processes or ProcessGroup.join()
    config = resolve(config, processes.size)
    check_evaluator(config)
    prepared = directory.prepare(run, config, resume)
    with contextlib.ExitStack() as writing:
        processes.on_first(lambda: writing.enter_context(prepared))
        with Learner(config, processes, callback, checkpoint.resumed(run, resume), fresh_games) as learner:
            counters = learner.counters
            processes.agree(to_json(config), counters.decisions, checkpoint.weights_digest(learner.model))
            with contextlib.ExitStack() as stack:
                recorder = None
                if processes.first:
                    if learner.progress < 1:
                        directory.record(run, config, learner.decisions)
                    recorder = stack.enter_context(
                        Recorder(run, config, offset=counters.log_bytes, step=counters.decisions)
                    )
                last = _loop(learner, recorder, callback)
            processes.any(True)  # nobody leaves before everything is on disk: mlx.launch would end the others
    return RunResult(
        run=run,
        checkpoint=checkpoint.directory(run, last.decisions),
        best=checkpoint.best(run) if config.best.games else None,
        last=last,
        finished=last.progress >= 1.0,
        first=processes.first,
    )


def _loop(learner: Learner, recorder: Recorder | None, callback: Callback) -> Snapshot:
    """Iterate to the end; `recorder` is None in all processes but the first. Returns the last snapshot."""
    config, counters = learner.config, learner.counters

    def save() -> None:
        content = learner.content(recorder.log.size if recorder else 0)  # every process must make it
        if recorder:
            recorder.save(content)

    def evaluate() -> None:
        row = recorder.evaluate(counters.decisions, learner.stage) if recorder else None
        if row is not None:
            callback.on_evaluation(row)

    def due(every: int) -> bool:  # a function of the run's length, not of its interruptions
        return counters.iterations > 0 and counters.iterations % every == 0

    between_evaluations = config.checkpoint_every * config.best.every
    last = learner.snapshot({})
    if due(between_evaluations):
        evaluate()  # the one that an end of the process cut short
    while last.progress < 1.0:
        wishes = callback.should_stop(), callback.wants_checkpoint(), callback.wants_evaluation()
        stop, wants_checkpoint, wants_evaluation = learner.processes.any(*wishes)
        if stop:
            break
        if wants_checkpoint or wants_evaluation:
            save()
        if wants_evaluation:
            evaluate()
        last = learner.snapshot(learner.iterate())
        check_weights(last)
        if recorder:
            recorder.log.write(counters.decisions, last.metrics)
        if due(config.checkpoint_every) and last.progress < 1.0:
            save()
        if due(between_evaluations) and last.progress < 1.0:
            evaluate()
        if recorder:
            callback.on_iteration(last)
            recorder.report(callback)
    save()
    if last.progress >= 1.0 or due(between_evaluations):
        evaluate()
    if recorder:
        recorder.wait()
        recorder.report(callback)
    return last


def resolve(config: PPORunConfig, processes: int = 1) -> PPORunConfig:
    """Replace automatic settings by what they come to on this device, and a relative path of shaping by the whole one;
    the run directory records the result.

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
        split = default_device() == mx.cpu and all(size % 2 == 0 for size in sizes)
        config = dataclasses.replace(config, shards=max(processes, 2 if split else 1))
    if config.shards % processes:
        raise ValueError(f"shards must be a multiple of the {processes} processes, got {config.shards}")
    if config.shaping.evaluator is not None:  # so that the run goes on wherever it is resumed from
        shaping = dataclasses.replace(config.shaping, evaluator=config.shaping.evaluator.absolute())
        config = dataclasses.replace(config, shaping=shaping)
    return config


def check_evaluator(config: PPORunConfig) -> None:
    """ValueError unless shaping.evaluator, if there is one, foresees frames in what the games of the run show."""
    path = config.shaping.evaluator
    if path is None:
        return
    try:
        evaluator = Evaluator.load(path)
    except (ValueError, OSError) as error:
        raise ValueError(f"shaping.evaluator is {path}: {error}") from None
    if evaluator.returns:
        raise ValueError(f"shaping.evaluator is {path}, which foresees returns (of `train qrdqn`), not frames to go")
    if evaluator.layout != observation_layout(config.env.planes):
        raise ValueError(f"shaping.evaluator is {path}, which reads other planes than env.planes, {config.env.planes}")
