"""Work in the background, so that training does not wait for the disk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path


class Writer:
    """Does one job at a time in a thread of its own; an error of a job is raised by the next call."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._job: Future[Path] | None = None

    def submit(self, job: Callable[[], Path]) -> None:
        """Start a job when the one before is done; it returns what it wrote. What it reads must not change."""
        self.wait()
        self._job = self._thread.submit(job)

    def wait(self) -> Path | None:
        """What the last job wrote, once it is done; None before the first. Raises what the job raised."""
        return self._job.result() if self._job else None

    def close(self) -> None:
        """Let the job under way finish, and end the thread."""
        self._thread.shutdown()
