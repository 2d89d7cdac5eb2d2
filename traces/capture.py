"""Recording games while they are played: by placements (an `Observer` of whoever plays) or by buttons."""

import atexit
import glob
import re
import sys
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from itertools import count
from multiprocessing.util import Finalize
from os import getpid
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from mlx_drmario._core import Batch, Decisions, StepLog
from mlx_drmario.behind import Behind, Task
from mlx_drmario.files import check_makeable
from mlx_drmario.observer import Array, Observer
from mlx_drmario.spec import ACTIONS
from mlx_drmario.traces import schema
from mlx_drmario.traces.recorder import Recorder, Said
from mlx_drmario.traces.writer import OfOneProcess, TraceWriter

if TYPE_CHECKING:
    from mlx_drmario.rl.config import DirectoryConfig

_NUMBER = count(1)
FILE_ROWS = 1 << 18
"""decisions after which a new file begins: some 65 MB in memory while it is made"""
BLOCK_ROWS, BLOCK_SECONDS = 4096, 1.0
"""decisions of a part that are handed over together, or for how long they wait: what a killed process can lose"""
QUEUE = 3
"""blocks of a part that may wait for the thread behind; then the playing thread waits"""


def fresh_name() -> str:
    """A name for a recording that no other one has: time, process, and a number."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{getpid()}-{next(_NUMBER):03d}"


class Capture(OfOneProcess, Observer):
    """Keeps every game of a rollout or evaluation in a directory of trace files; a context manager.

    One that nobody closes is closed when the process ends.

    Files are NAME-PART-NUMBER.dmtrace.h5, a part per shard; each holds whole games. A game that somebody changed
    between two steps (a reset, another bottle) ends there as unfinished and goes on as a new one, so that whatever is
    in a file replays.

    The playing threads make rows of what they see. Behind them one thread writes journals, and another one files;
    when those cannot follow, the playing threads wait. Their errors are raised by one of the next calls or by `close`.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        policy: str = "",
        config: Mapping[str, Any] | None = None,
        name: str | None = None,
        file_rows: int = FILE_ROWS,
    ) -> None:
        """policy: who plays, kept with every game; config: anything that JSON can hold, kept with every file.

        The directory is made when a first game is recorded. Raises OSError when it cannot be made.
        """
        self.directory, self.policy, self.config, self.file_rows = Path(directory), policy, config, file_rows
        check_makeable("directory", self.directory)
        self.name = name or fresh_name()
        super().__init__()
        self._closed = False
        self._lock = Lock()  # of whoever begins a part, or closes
        self.rows_thread, self.files_thread = (Behind(f"{kind} of {self.name}") for kind in ("rows", "files"))
        self._parts: dict[tuple[int, int], _Part] = {}
        """by shard and batch of games: a shard may play two, as a curriculum does"""
        self._begun: Counter[int] = Counter()
        """parts of a shard, those among them that could not begin"""
        atexit.register(self._end)
        self._at_exit = Finalize(None, self._end, exitpriority=0)  # of processes that multiprocessing begins

    def before_step(
        self, games: Decisions, action: Array, log_prob: Array | None, value: Array | None, part: int = 0
    ) -> None:
        """See `Observer`. Raises OSError when the disk is full; what was recorded is kept.

        Raises ValueError for log_prob or value of another shape, which leaves the step out, and after `close`;
        RuntimeError in a process forked from the one that made this object.
        """
        self._refuse()
        known = self._parts.get((part, id(games))) or self._begin_part(games, part)
        known.before(action, log_prob, value)

    def after_step(self, games: Decisions, part: int = 0) -> None:
        """See `Observer`. Raises as `before_step` does."""
        self._refuse()
        known = self._parts.get((part, id(games)))
        if known is not None and known.log.after():  # None: `before_step` was interrupted
            known.hand_over()

    def _begin_part(self, games: Decisions, part: int) -> "_Part":
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._lock:
            self._refuse()
            others, self._begun[part] = self._begun[part], self._begun[part] + 1
            begun = self._parts[part, id(games)] = _Part(self, f"{part:02d}" + (f".{others}" if others else ""), games)
        return begun

    def flush(self) -> None:
        """Wait until all whole steps are with the operating system: they outlive this process. Raises OSError.

        Not while another thread is between `before_step` and `after_step`.
        """
        self._refuse()
        for part in tuple(self._parts.values()):
            part.flush()

    def close(self) -> None:
        """Complete all files; OSError when the disk is full (the journals stay, see `writer.recover`).

        Again does nothing, and after an interruption what was left. Raises RuntimeError in a forked process.
        """
        if not self._closed:  # before a forked child waits for a lock that nobody gives back
            self._refuse_forked(self.name)
        with self._lock:
            if self._closed:
                return
            failed = [part.close() for part in self._parts.values()]
            self.rows_thread.shutdown()
            self.files_thread.shutdown()
            self._closed = True
        self._at_exit.cancel()
        atexit.unregister(self._end)
        for error in failed:
            if error is not None:
                raise error

    def _end(self) -> None:
        """At exit, of this process and of none that was forked from it."""
        if getpid() == self._process:
            try:
                self.close()
            except OSError as error:
                print(f"the recording {self.name} was not closed: {error}", file=sys.stderr)

    def files(self) -> list[Path]:
        """The files made so far, in order; after `close` all."""
        found = self.directory.glob(f"{glob.escape(self.name)}-*{schema.SUFFIX}")
        numbers = re.compile(r"\d+")
        return sorted(found, key=lambda path: [int(each) for each in numbers.findall(path.name[len(self.name) : -3])])

    def open_file(self, part: str, players: int, number: int, previous: TraceWriter | None) -> TraceWriter:
        """The writer of a part's file number 1, 2, ..., in which the games of the previous one go on."""
        name = f"{self.name}-{part}-{number:04d}{schema.SUFFIX}"
        return TraceWriter(self.directory / name, players, self.config, previous)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself: whoever copies what it is given, as Gymnasium does its arguments, records here too."""
        return self

    def _refuse(self) -> None:
        if self._closed:
            raise ValueError(f"the recording {self.name} is closed")
        self._refuse_forked(self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Part:
    """The games of one shard, seen from the playing thread."""

    def __init__(self, capture: Capture, number: str, games: Decisions) -> None:
        self.games = games  # held, so that no other batch can get its id
        self.log = StepLog(games, BLOCK_ROWS, BLOCK_SECONDS, capture.file_rows)
        self._thread = capture.rows_thread
        open_next = partial(capture.open_file, number, games.players)
        self._recorder = Recorder(games, self.log, capture.policy, open_next, capture.files_thread)
        self._said: Said | None = None
        """of the last step"""
        self._waiting: deque[Task] = deque()
        """of the thread behind, oldest first; each takes all full blocks"""
        self._closing: Task | None = None
        self._finished = False

    def before(self, action: Array, log_prob: Array | None, value: Array | None) -> None:
        if self._waiting:
            self._collect(QUEUE)
        if log_prob is not None or value is not None or self._said is not None:
            self._listen(log_prob, value)
        self.log.before(action)

    def _listen(self, log_prob: Array | None, value: Array | None) -> None:
        """Keep what the policy says of the coming step. The steps of a block have equal shapes."""
        said = Said(self._rows("log_prob", log_prob, ACTIONS), self._rows("value", value, None))
        if (self._said and self._said.shapes) != said.shapes and self.log.seal():
            self.hand_over()
        self._said = self._recorder.said[self.log.step] = said

    def _rows(self, name: str, column: Array | None, wide: int | None) -> NDArray[np.float32] | None:
        """A copy of what is said of every seat: one number, or `wide` of them (None: any number)."""
        if column is None:
            return None
        said, seats = np.array(column, np.float32), (self.games.num_envs, 2)[: self.games.players]
        each = said.shape[len(seats) :]
        if said.shape[: len(seats)] != seats or len(each) > 1 or 0 in each or (each and wide and each != (wide,)):
            allowed = ", ".join(map(str, seats))
            raise ValueError(f"{name} has shape {said.shape}; it must be ({allowed}) or ({allowed}, {wide or 'any'})")
        return said

    def hand_over(self) -> None:
        """Have full blocks taken. An interruption before loses nothing: the next one takes them too."""
        self._waiting.append(self._thread.submit(self._take))

    def _take(self) -> None:
        if not self._finished:  # by a thread that closes while this one plays
            self._recorder.take()

    def _collect(self, most: int) -> None:
        """Look what is done, and wait until at most so many blocks are not. Raises what went wrong."""
        while (task := self._oldest()) and (self.log.ready > most or task.done):
            task.wait()
            self._drop(task)
            task.result()

    def _oldest(self) -> Task | None:
        try:
            return self._waiting[0]
        except IndexError:
            return None

    def _drop(self, task: Task) -> None:
        with suppress(ValueError):  # another thread closes
            self._waiting.remove(task)

    def flush(self) -> None:
        self.log.seal()
        self.hand_over()
        self._collect(-1)

    def close(self) -> Exception | None:
        """Have all taken and the file completed; what went wrong. Again, after an interruption, waits for that."""
        if self._closing is None:
            self._closing = self._thread.submit(self._finish)
        self._closing.wait()
        try:
            self._collect(-1)
            self._closing.result()
        except (OSError, ValueError) as error:
            return error
        return None

    def _finish(self) -> None:
        self._finished = True
        with ExitStack() as stack:
            stack.callback(self._recorder.close)
            self.log.seal()
            self._recorder.take()


def capture_run(directory: Path | str, run: Path, config: "DirectoryConfig") -> Capture:
    """A recording of the games of a run in training."""
    return Capture(directory, policy=f"{run} (in training)", config=asdict(config))


def capture_line(capture: Observer, games: Decisions, actions: Iterable[int]) -> None:
    """Play these actions in one parked game, which is moved, and record it.

    Raises ValueError for an action that is not legal there, and as the observer does.
    """
    for action in actions:
        chosen: NDArray[np.int32] = np.array([action], np.int32)
        capture.before_step(games, chosen, None, None)
        games.step(chosen)
        capture.after_step(games)


class FrameCapture:
    """Plays frames on a batch and records them, for games played by hand; a context manager.

    >>> with FrameCapture(Path("game.dmtrace.h5"), batch, policy="human") as capture:
    ...     capture.run(buttons)  # instead of batch.run(buttons)

    A game that was changed otherwise in between (a reset, a frame stepped on the batch itself) ends there, and goes on
    as a new one.
    """

    def __init__(
        self,
        path: Path | str,
        batch: Batch,
        policy: str | tuple[str, str] = "",
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises FileExistsError rather than replacing a trace."""
        self.writer = TraceWriter(path, batch.players, config)
        self._batch, self._policy = batch, policy
        self._game = np.zeros(batch.num_envs, np.uint64)
        self._digest = np.zeros(batch.num_envs, np.uint64)
        self._known = np.zeros(batch.num_envs, np.bool_)

    @classmethod
    def in_directory(cls, directory: Path | str, batch: Batch, policy: str | tuple[str, str] = "") -> Self:
        """A recording under a fresh name in a directory, which is made if it is not there."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        return cls(directory / f"{fresh_name()}{schema.SUFFIX}", batch, policy)

    def run(self, buttons: NDArray[np.uint8]) -> None:
        """Play u8[T, N, P] on the batch and record it. Raises as `Batch.run` does, OSError when the disk is full."""
        buttons = np.asarray(buttons)
        digest = self._batch.digest()
        changed = (digest != self._digest) | ~self._known
        self._end(np.flatnonzero(changed & self._known))
        fresh = np.flatnonzero(changed)
        states = self._batch.state[fresh]
        self._digest = np.zeros_like(self._digest)  # an interruption leaves one that fits nothing
        self._batch.run(buttons)
        if len(fresh):
            self._game[fresh] = self.writer.start(states, self._policy)
            self._known[fresh] = True
        for n in range(self._batch.num_envs):
            self.writer.press(int(self._game[n]), buttons[:, n])
        self._digest = self._batch.digest()

    def _end(self, games: NDArray[np.int64]) -> None:
        """Close these games; what became of them is found when the file is made."""
        self.writer.end(self._game[games], np.zeros(len(games)), 0, self._digest[games])
        self._known[games] = False

    def close(self) -> int:
        """Complete the file; returns the number of episodes. Again does nothing."""
        self._end(np.flatnonzero(self._known))
        return self.writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
