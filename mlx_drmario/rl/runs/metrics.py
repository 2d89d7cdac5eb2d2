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
import warnings
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from mlx_drmario.files import flush, naming
from mlx_drmario.rl.runs.rows import read_rows


class MetricsLog:
    """Appends to `metrics.jsonl` and to a TensorBoard event file of a run directory."""

    def __init__(self, run: Path, *, offset: int = 0, step: int = 0) -> None:
        """Open the logs; lines after byte `offset` (work that a crash lost, to be done again) are cut off.

        TensorBoard is told to forget points after `step`, by the session start that its format has for this, in a file
        that the first row begins.
        """
        self._run, self._step = run, step
        self._path = run / "metrics.jsonl"
        self._lines = open(self._path, "ab")  # noqa: SIM115 (closed by close())
        offset = _whole_lines(self._path, offset)
        self._lines.truncate(offset)
        self._lines.seek(offset)  # truncating leaves the position where it was
        self._events: RecordWriter | None = None

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Append one row; `step` counts decisions."""
        with naming(self._path):
            self._lines.write(json.dumps({"step": step, **metrics}).encode() + b"\n")
            self._lines.flush()
        if self._events is None:
            self._events = self._begin_events()
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in metrics.items()]
        self._write_event(self._events, Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    @property
    def size(self) -> int:
        """Length of metrics.jsonl in bytes."""
        return self._lines.tell()

    def sync(self) -> None:
        """Force metrics.jsonl to disk; may run in any thread."""
        with naming(self._path):
            flush(self._lines.fileno())

    def close(self) -> None:
        with naming(self._path):
            try:
                self._lines.close()
            finally:
                if self._events is not None:
                    self._events.close()

    def _begin_events(self) -> RecordWriter:
        """Open the event file of this session."""
        events = self._run / "tensorboard"
        events.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{self._step}"
        writer = RecordWriter(open(events / name, "wb"))  # noqa: SIM115 (closed with the writer)
        self._write_event(writer, Event(wall_time=time.time(), file_version="brain.Event:2"))
        start = SessionLog(status=SessionLog.START)
        self._write_event(writer, Event(wall_time=time.time(), step=self._step + 1, session_log=start))
        return writer

    def _write_event(self, writer: RecordWriter, event: Event) -> None:
        with naming(self._run / "tensorboard"):
            writer.write(event.SerializeToString())
            writer.flush()


def _whole_lines(path: Path, expected: int) -> int:
    """Bytes of the first `expected` that are there and are whole lines; warns if that is less."""
    with open(path, "rb") as file:
        found = file.read(expected).rfind(b"\n") + 1
    if found < expected:
        warnings.warn(
            f"{path} has lost rows: {found:,} of the {expected:,} bytes that the checkpoint counts are there; "
            "the rows that follow are written after them",
            RuntimeWarning,
            stacklevel=2,
        )
    return found


def read_metrics(run: Path) -> list[dict[str, float]]:
    """Read metrics.jsonl; damaged lines, and a last one that a crash cut short, are left out."""
    return read_rows(run / "metrics.jsonl")[0]
