"""Metrics on disk: one JSON line per iteration, and the same numbers for TensorBoard.

Keys: loss/{policy,value,entropy}, stats/{approx_kl,clip_fraction,explained_variance,grad_norm,learning_rate,...},
episode/{clear_rate,length_decisions,frames_to_clear,return,count}, reward/<term> (mean per decision),
perf/{sps_frames_total,dps_decisions_total,...}. Only perf/ and time/ depend on the clock.
"""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from mlx_drmario.rl.config import TrainConfig, to_json


class MetricsLog:
    """Appends to `metrics.jsonl` and to a TensorBoard event file of a run directory."""

    def __init__(self, run: Path, config: TrainConfig, *, offset: int = 0, step: int = 0) -> None:
        """Open the logs; lines after byte `offset` (work that a crash lost, to be done again) are cut off.

        TensorBoard is told to forget points after `step`, by the session start that its format has for this; Weights
        & Biases has none, so there a resumed run is a further one of the same group.
        """
        path = run / "metrics.jsonl"
        self._lines = open(path, "ab")  # noqa: SIM115 (closed by close())
        self._lines.truncate(offset)
        self._lines.seek(offset)  # truncating leaves the position where it was
        events = run / "tensorboard"
        events.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{step}"
        self._events_file = open(events / name, "wb")  # noqa: SIM115
        self._events = RecordWriter(self._events_file)
        self._write_event(Event(wall_time=time.time(), file_version="brain.Event:2"))
        start = SessionLog(status=SessionLog.START)
        self._write_event(Event(wall_time=time.time(), step=step + 1, session_log=start))
        self._wandb = _start_wandb(run, config) if config.wandb else None

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Append one row; `step` counts decisions."""
        self._lines.write(json.dumps({"step": step, **metrics}).encode() + b"\n")
        self._lines.flush()
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in metrics.items()]
        self._write_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
        if self._wandb is not None:
            self._wandb.log(metrics, step=step)

    @property
    def size(self) -> int:
        """Length of metrics.jsonl in bytes."""
        return self._lines.tell()

    def sync(self) -> None:
        """Force metrics.jsonl to disk; may run in any thread."""
        os.fsync(self._lines.fileno())

    def close(self) -> None:
        if self._wandb is not None:
            self._wandb.finish()
        self._lines.close()
        self._events.close()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_event(self, event: Event) -> None:
        self._events.write(event.SerializeToString())
        self._events.flush()


def _start_wandb(run: Path, config: TrainConfig) -> Any:
    """A Weights & Biases run that stays on this machine; `rundir.check` has made sure that the package is there."""
    import wandb

    options = wandb.Settings(silent=True, console="off", x_disable_stats=True)
    return wandb.init(
        mode="offline",
        dir=run,
        project="mlx_drmario",
        name=run.name,
        group=run.name,
        config=json.loads(to_json(config)),
        settings=options,
    )


def read_metrics(run: Path) -> list[dict[str, float]]:
    """Read metrics.jsonl; a last line that a crash cut short is left out."""
    rows = []
    for line in (run / "metrics.jsonl").read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            rows.append(json.loads(line))
    return rows
