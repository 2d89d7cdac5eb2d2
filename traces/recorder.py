"""Journals and files out of logged steps: what recording does behind the playing thread."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlx_drmario._core import Decisions, LogBlock, StepLog
from mlx_drmario.behind import Behind, Task
from mlx_drmario.traces import details, journal
from mlx_drmario.traces.journal import Rows, raw
from mlx_drmario.traces.schema import EVENTS
from mlx_drmario.traces.writer import TraceWriter

Open = Callable[[int, TraceWriter | None], TraceWriter]
"""opens file number 1, 2, ...; given: the writer whose games go on in it"""


class Said(NamedTuple):
    """What a policy says of a step, as `Observer.before_step` takes it."""

    log_prob: NDArray[np.float32] | None
    value: NDArray[np.float32] | None

    @property
    def shapes(self) -> tuple[tuple[int, ...] | None, ...]:
        return tuple(None if column is None else column.shape for column in self)


SILENCE = Said(None, None)


class Recorder:
    """Takes the blocks of a log in order, in one thread at a time.

    What the rows are does not depend on how many steps come together.
    """

    def __init__(self, games: Decisions, log: StepLog, policy: str, open_next: Open, maker: Behind) -> None:
        """maker: makes the files. Raises as `open_next` does."""
        self.policy = policy
        self.said: dict[int, Said] = {}
        """by step, where a policy says something; the steps of a block have equal shapes"""
        self._log, self._open, self._maker = log, open_next, maker
        self._made: Task | None = None
        """the file before this one"""
        self._writer = open_next(1, None)
        self._files, self._full = 1, False
        """files so far, and whether this one is"""
        self._last: Rows = np.zeros(games.num_envs * games.players, journal.dtypes(games.players)["decision"])
        """[S]: two players: the seat's last decision of those on record, if that was still open"""

    def take(self) -> None:
        """Record all full blocks. OSError when the disk is full; the rows wait for the next time then."""
        while (block := self._log.take()) is not None:
            self._full |= block.fills_file
            self._record(block)
            if self._full:
                self._next_file()
            self._writer.flush()

    def _next_file(self) -> None:
        """Begin a file, and have the one before it made: one at a time, else journals would pile up."""
        made, self._made = self._made, None
        if made is not None:
            made.result()  # raises once; its journal stays
        before, self._writer = self._writer, self._open(self._files + 1, self._writer)
        self._files, self._full = self._files + 1, False
        self._made = self._maker.submit(before.close)

    def close(self) -> None:
        """Complete the file. Raises as `TraceWriter.close`, also for the file before it."""
        with ExitStack() as stack:
            if self._made is not None:
                stack.callback(self._made.result)
            self._writer.close()

    def _record(self, block: LogBlock) -> None:
        rows, late = block.rows, raw(self._last)[block.late_seats].view(self._last.dtype)
        for name in ("tau", *EVENTS):
            late[name] = block.late[name]
        if self.said:
            self._fill_in(block, rows)
        if len(block.late) or not rows["tau"].all():  # two players: one's decision may be over long before the other's
            still_open = np.flatnonzero(rows["tau"] == 0)
            raw(self._last)[block.seats[still_open]] = raw(rows)[still_open]
        self._writer.start(block.states, self.policy)
        self._writer.end(block.ends["game"], block.ends["outcome"], block.ends["winner"], block.ends["digest"])
        # Together: where that raises they are kept together, too.
        self._writer.decide(np.concatenate([raw(late), raw(rows)]).view(rows.dtype) if len(late) else rows)

    def _fill_in(self, block: LogBlock, rows: Rows) -> None:
        """What the policy says. Where it is silent, rows say so already."""
        said = [self.said.pop(step, SILENCE) for step in range(block.first_step, block.end_step)]
        step = rows["order"] - block.first_step

        def of_rows(column: tuple[NDArray[np.float32] | None, ...]) -> NDArray[np.float32] | None:
            steps = [each for each in column if each is not None]
            if not steps:
                return None
            seats = len(self._last)
            every: NDArray[np.float32] = np.stack([each.reshape(seats, -1) for each in steps])[step, block.seats]
            return every[:, 0] if steps[0].size == seats else every

        log_prob, value = (of_rows(column) for column in zip(*said, strict=True))
        details.fill(rows, slice(None), rows["action"], log_prob, value)
