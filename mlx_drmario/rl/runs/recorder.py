"""What a run leaves on disk while it trains: metrics, checkpoints written in the background, the best checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlx_drmario.behind import Behind, Task
from mlx_drmario.rl.callback import Callback
from mlx_drmario.rl.config import DirectoryConfig, RunConfig, Stage
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.best import BestCheckpoint
from mlx_drmario.rl.runs.metrics import MetricsLog
from mlx_drmario.rl.runs.settings import holds_run


class Recorder:
    """A context manager, owned by the first process of a run."""

    def __init__(self, run: Path, config: DirectoryConfig, *, offset: int, step: int) -> None:
        """Go on after byte `offset` of metrics.jsonl and decision `step` (both 0 for a new run)."""
        self.run = run
        self.config = config
        self.log = MetricsLog(run, offset=offset, step=step)
        self.best = BestCheckpoint(run, config) if isinstance(config, RunConfig) and config.best.games else None
        self._writer = Behind("checkpoints")
        self._job: Task | None = None
        self._written: list[Path] = []

    def save(self, content: checkpoint.Content) -> None:
        """Start writing a checkpoint, so that training does not wait for the disk, but for the one before if need be.

        The metrics reach the disk before the checkpoint that counts them. An error is raised by the next call.
        """

        def write() -> Path:
            self.log.sync()
            if not holds_run(self.run):  # taken away while it trains: what is saved would be no run
                raise FileNotFoundError(
                    f"{self.run} holds no run any more (no config.json); what was learnt is not saved"
                )
            return checkpoint.save(self.run, content, self.config.keep)

        self.wait()
        self._job = self._writer.submit(write)

    def wait(self) -> None:
        """Until the last checkpoint is on disk. Raises OSError when it could not be written."""
        if self._job is not None:
            job, self._job = self._job, None
            self._written.append(job.result())

    def report(self, callback: Callback) -> None:
        """Tell of the checkpoints that were finished since the last call."""
        if self._job is not None and self._job.done:
            self.wait()
        finished, self._written = self._written, []
        for path in finished:
            callback.on_checkpoint(path)

    def evaluate(self, decisions: int, stage: Stage) -> dict[str, Any] | None:
        """Compare the checkpoint of that number, once it is on disk, with the best one; None if nothing was played."""
        if self.best is None:
            return None
        self.wait()
        return self.best.consider(checkpoint.directory(self.run, decisions), stage)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.shutdown()
        self.log.close()
