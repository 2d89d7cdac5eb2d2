"""What a run leaves on disk while it trains: metrics, checkpoints written in the background, the best checkpoint."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from mlx_drmario.rl import checkpoint
from mlx_drmario.rl.best import Contest
from mlx_drmario.rl.config import Stage, TrainConfig
from mlx_drmario.rl.log import MetricsLog
from mlx_drmario.rl.writer import Writer


class Recorder:
    """Owned by the first process of a run; a context manager."""

    def __init__(self, run: Path, config: TrainConfig, *, offset: int, step: int) -> None:
        """Go on after byte `offset` of metrics.jsonl and decision `step` (both 0 for a new run)."""
        self.run = run
        self.config = config
        self.log = MetricsLog(run, config, offset=offset, step=step)
        self.writer = Writer()
        self.contest = Contest(run, config) if config.best.games else None

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Append one row of metrics; `step` counts decisions."""
        self.log.write(step, metrics)

    def save(self, content: checkpoint.Content) -> None:
        """Start writing a checkpoint; waits only for the one before, if that is still being written.

        The metrics reach the disk before the checkpoint that counts them.
        """

        def job() -> Path:
            self.log.sync()
            return checkpoint.save(self.run, content, self.config.keep)

        self.writer.submit(job)

    def challenge_due(self, iterations: int) -> bool:
        """True after every `best.every`-th checkpoint: a function of the run's length, not of its interruptions."""
        return iterations % (self.config.checkpoint_every * self.config.best.every) == 0

    def challenge(self, decisions: int, stage: Stage) -> None:
        """Let the checkpoint of that number challenge the best one, once it is on disk; again does nothing."""
        if self.contest:
            self.writer.wait()
            self.contest.challenge(checkpoint.directory(self.run, decisions), stage)

    def finish(self) -> None:
        """Wait until the last checkpoint is on disk. Raises OSError when it could not be written."""
        self.writer.wait()

    @property
    def best(self) -> Path | None:
        """The best checkpoint; None when none was looked for."""
        return checkpoint.best(self.run) if self.contest else None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()
        self.log.close()
