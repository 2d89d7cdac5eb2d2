"""Threads for work that another one need not wait for, or can be interrupted while it waits: neither harms the other.

`concurrent.futures` will not do: its locks are taken in Python code, and a KeyboardInterrupt between taking one and
the block that gives it back leaves it taken, so that closing waits for ever. Nor do its threads work at exit.
"""

import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

LOOK, SELDOM = 0.0005, 0.05
"""seconds between two looks of who waits: at first, and at most"""


def wait_until(done: Callable[[], bool]) -> None:
    """Look for it now and then, more seldom the longer it takes."""
    start = time.monotonic()
    while not done():
        time.sleep(min(LOOK + (time.monotonic() - start) / 16, SELDOM))


class Task:
    """Something to be done behind, and what became of it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._value: Any = None
        self._error: Exception | None = None
        self.done = False

    def run(self) -> None:
        try:
            self._value = self._work()
        except Exception as error:  # whoever waits for it raises it
            self._error = error
        self.done = True

    def wait(self) -> None:
        wait_until(lambda: self.done)

    def result(self) -> Any:
        """Wait until it is done; what it returned. Raises what it raised."""
        self.wait()
        if self._error is not None:
            raise self._error
        return self._value


class Behind:
    """One thread that does tasks one after the other."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)  # else nothing could be done at exit
        self._ends = self._ended = False
        self._thread.start()

    def submit(self, work: Callable[[], object]) -> Task:
        """Raises ValueError after `shutdown`."""
        if self._ends:
            raise ValueError(f"the thread {self._thread.name} has ended")
        task = Task(work)
        self._tasks.put(task)
        return task

    def shutdown(self) -> None:
        """Have the thread end after all that was submitted, and wait for it; again, after an interruption, too."""
        self._ends = True
        self._tasks.put(None)
        wait_until(lambda: self._ended)
        self._thread.join()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task.run()
        self._ended = True
