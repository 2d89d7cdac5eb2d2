"""Holds the threads of a run: pause, single decisions, and a pace slower than they could go."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable

_TICK = 0.05  # seconds between two looks at what else is wanted


class Gate:
    """Every thread passes once per decision."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.paused = False
        self._changed = threading.Condition()
        self._open = False
        self._allowed = 0  # decisions that every thread may make while paused
        self._made: dict[int, int] = defaultdict(int)
        self._waited: dict[int, float] = defaultdict(float)

    def pause(self, on: bool) -> None:
        with self._changed:
            self.paused = on
            self._allowed = 0
            self._made.clear()
            self._changed.notify_all()

    def step(self) -> None:
        """Pause, but let every thread make one more decision."""
        with self._changed:
            self.paused = True
            self._allowed += 1
            self._changed.notify_all()

    def set_pace(self, pace: float) -> None:
        with self._changed:
            self.pace = pace
            self._changed.notify_all()

    def open(self) -> None:
        """Hold nobody any more; `paused` keeps saying what was wanted."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def wait(self, thread: int, meanwhile: Callable[[], None]) -> None:
        """Until this thread may go on; calls `meanwhile` now and then."""
        start = time.perf_counter()
        while True:
            with self._changed:
                held = self.paused and not self._open
                if not held or self._made[thread] < self._allowed:
                    if held:
                        self._made[thread] += 1
                    self._waited[thread] += time.perf_counter() - start
                    return
                self._changed.wait(_TICK)
            meanwhile()

    def waited(self, threads: int) -> float:
        """Seconds since the last call for which these threads stood still: all of them, or all that had something left
        to do. On its way there each makes another decision, which counts as if it stood still."""
        with self._changed:
            return max(self._waited.pop(thread, 0.0) for thread in range(threads))

    def rest(self, seconds: float) -> None:
        """What a decision of this length takes at the pace, or until that changes."""
        pace = self.pace
        with self._changed:
            self._changed.wait_for(lambda: self._open or self.pace != pace, seconds / pace)
