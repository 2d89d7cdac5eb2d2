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
        self.saves = 0

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Append one row of metrics; `step` counts decisions."""
        self.log.write(step, metrics)

    def save(self, content: checkpoint.Content, stage: Stage, last: bool = False) -> None:
        """Start writing a checkpoint, and let it challenge the best one when that is due.

        The metrics reach the disk before the checkpoint that counts them. Waits only for the checkpoint before this
        one, if that is still being written, and for a challenge.
        """

        def job() -> Path:
            self.log.sync()
            return checkpoint.save(self.run, content, self.config.keep)

        self.writer.submit(job)
        self.saves += 1
        if self.contest and (last or self.saves % self.config.best.every == 0):
            self.contest.challenge(self.written(), content.decisions, stage)

    def written(self) -> Path:
        """The newest checkpoint, once it is on disk. Raises OSError when it could not be written."""
        return self.writer.wait()

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
