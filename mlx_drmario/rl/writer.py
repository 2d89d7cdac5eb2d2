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
        if self._job is not None:
            self.wait()
        self._job = self._thread.submit(job)

    def wait(self) -> Path:
        """What the last job wrote, once it is done. Raises what the job raised, RuntimeError without a job."""
        if self._job is None:
            raise RuntimeError("nothing was submitted")
        return self._job.result()

    def close(self) -> None:
        """Let the job under way finish, and end the thread."""
        self._thread.shutdown()
