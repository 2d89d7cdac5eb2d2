"""Recording games while they are played: by placements (an `Observer` of rollouts and evaluations) or by buttons."""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from os import getpid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlx_drmario._core import Batch, Decisions
from mlx_drmario.observer import Array, Observer
from mlx_drmario.spec import ACTIONS
from mlx_drmario.traces import details, schema
from mlx_drmario.traces.journal import dtypes, raw
from mlx_drmario.traces.schema import CLEARED, EVENTS, TOP_OUT, TRUNCATED
from mlx_drmario.traces.writer import TraceWriter

_NUMBER = count(1)
FILE_ROWS = 1 << 18
"""decisions after which a new file begins: some 65 MB in memory while it is made"""


def fresh_name() -> str:
    """A name for a recording that no other one has: time, process, and a number."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{getpid()}-{next(_NUMBER)}"


class Capture(Observer):
    """Keeps every game of a rollout or evaluation in a directory of trace files; a context manager.

    Files are NAME-PART-NUMBER.dmtrace.h5, a part per shard; each holds whole games. A game that somebody changed
    between two steps (a reset, another bottle) ends there as unfinished and goes on as a new one, so that whatever is
    in a file replays.
    """

    def __init__(
        self,
        directory: Path,
        *,
        policy: str = "",
        config: Mapping[str, Any] | None = None,
        name: str | None = None,
        file_rows: int = FILE_ROWS,
    ) -> None:
        """policy: who plays, kept with every game; config: anything that JSON can hold, kept with every file.

        Raises OSError when the directory cannot be made.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.policy, self.config, self.file_rows = directory, policy, config, file_rows
        self.name = name or fresh_name()
        self._parts: dict[tuple[int, int], _Part] = {}
        """by shard and batch of games: a shard may play two, as a curriculum does"""

    def before_step(
        self, games: Decisions, action: Array, log_prob: Array | None, value: Array | None, part: int = 0
    ) -> None:
        """See `Observer`. Raises OSError when the disk is full; what was recorded is kept."""
        key = (part, id(games))
        if key not in self._parts:
            others = sum(number == part for number, _ in tuple(self._parts))
            self._parts[key] = _Part(self, f"{part:02d}" + (f".{others}" if others else ""), games)
        self._parts[key].before(games, action, log_prob, value)

    def after_step(self, games: Decisions, part: int = 0) -> None:
        """See `Observer`."""
        self._parts[part, id(games)].after(games)

    def close(self) -> None:
        """Complete all files; OSError when the disk is full (the journals stay, see `writer.recover`)."""
        with ExitStack() as stack:
            for part in tuple(self._parts.values()):
                stack.callback(part.writer.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Part:
    """The games of one shard: N batch entries, or 2 N seats in games of two players."""

    def __init__(self, capture: Capture, number: str, games: Decisions) -> None:
        self.capture, self.number = capture, number
        self.games, self.state = games, games.state  # held, so that no other batch can get its id; a live view
        self.players = games.players
        self.files = 0
        self.writer = self._open(None)
        self.game = np.zeros(games.num_envs, np.uint64)
        self.digest = np.zeros(games.num_envs, np.uint64)
        self.known = np.zeros(games.num_envs, np.bool_)
        seats = games.num_envs * self.players
        self.rows = np.zeros(seats, dtypes(self.players)["decision"])
        details.forget(self.rows)
        self.said: tuple[int, ...] = (0, 0)
        """axes of log_prob and value in the last step, 0 for none"""
        self.events = EVENTS if self.players == 2 else EVENTS[:-2]
        self.rows["player"] = np.arange(seats) % self.players
        self.pending = np.zeros(seats, np.bool_)
        self.steps = 0

    def _open(self, previous: TraceWriter | None) -> TraceWriter:
        self.files += 1
        name = f"{self.capture.name}-{self.number}-{self.files:04d}{schema.SUFFIX}"
        return TraceWriter(self.capture.directory / name, self.players, self.capture.config, previous)

    def before(self, games: Decisions, action: Array, log_prob: Array | None, value: Array | None) -> None:
        running = ~games.ended
        digest = games.digest()
        self._follow(games, running, digest)
        acting = games.to_act.reshape(-1).copy()
        who = slice(None) if acting.all() else np.flatnonzero(acting)
        rows, state = self.rows, self.state
        for name in ("bottle", "speed_ups"):
            rows[name][who] = _seats(state, name, self.players)[who]
        for name, fields in _PAIRS.items():
            for half, field in enumerate(fields):
                rows[name][who, half] = _seats(state, field, self.players)[who]
        rows["legal"][who] = np.packbits(games.legal.reshape(-1, ACTIONS)[who], axis=-1, bitorder="little")
        rows["action"][who] = action.reshape(-1)[who]
        for name, column in (("frame_counter", state["frame_counter"]), ("digest", digest), ("game", self.game)):
            rows[name][who] = (column if self.players == 1 else np.repeat(column, self.players))[who]
        rows["order"][who] = self.steps
        said = tuple(0 if column is None else column.ndim for column in (log_prob, value))
        if said != self.said:  # what the policy says no more must not stay in the rows
            details.forget(rows)
            self.said = said
        details.fill(rows, who, action, log_prob, value)
        self.pending |= acting
        self.steps += 1
        if self.players == 2:  # one seat's decision may be over long before the other's: both are on record at once
            self.rows["tau"][who] = 0
            self.writer.decide(raw(self.rows)[who].view(self.rows.dtype))

    def _follow(self, games: Decisions, running: NDArray[np.bool_], digest: NDArray[np.uint64]) -> None:
        """Begin a game wherever the state is not the one that the last step left."""
        changed = (digest != self.digest) | ~self.known
        left = np.flatnonzero(self.known & changed)
        if len(left):
            self.writer.end(self.game[left], np.zeros(len(left)), 0, self.digest[left])
            self.known[left] = False
        fresh = np.flatnonzero(running & changed)
        if len(fresh):
            self.game[fresh] = self.writer.start(self.state[fresh], self.capture.policy)
            self.known[fresh] = True
            self.pending.reshape(-1, self.players)[fresh] = False

    def after(self, games: Decisions) -> None:
        tau = games.tau.reshape(-1)
        told = self.pending & (tau > 0)
        done = slice(None) if told.all() else np.flatnonzero(told)
        rows = raw(self.rows)[done].view(self.rows.dtype)
        rows["tau"] = tau[done]
        for name in self.events:
            column: NDArray[Any] = getattr(games, name)
            rows[name] = column.reshape(len(tau), *column.shape[self.players :])[done]
        self.pending[done] = False
        # An interruption from here on leaves digests that fit nothing: the games then go on as new ones.
        self.digest = np.zeros_like(self.digest)
        self.writer.decide(rows)
        self.digest = games.digest()
        over = np.flatnonzero(games.ended & self.known)
        if len(over):
            self.known[over] = False
            self.writer.end(self.game[over], *self._verdict(games, over), self.digest[over])
        if self.writer.rows >= self.capture.file_rows:
            before, self.writer = self.writer, self._open(self.writer)
            before.close()

    def _verdict(self, games: Decisions, over: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any] | int]:
        seats = (len(over), self.players)
        cleared, top_out = (column[over].reshape(seats).any(axis=1) for column in (games.cleared, games.top_out))
        outcome = np.where(cleared, CLEARED, np.where(top_out, TOP_OUT, TRUNCATED))
        return outcome, 0 if self.players == 1 else games.winner[over]


_PAIRS = {"capsule": ("pill_color_l", "pill_color_r"), "preview": ("next_color_l", "next_color_r")}


def _seats(state: NDArray[np.void], field: str, players: int) -> NDArray[Any]:
    """A field of every seat, [N * players, ...]."""
    if players == 1:
        return state[f"p1_{field}"]
    both = np.stack([state[f"p1_{field}"], state[f"p2_{field}"]], axis=1)
    return both.reshape(-1, *both.shape[2:])


class FrameCapture:
    """Plays frames on a batch and records them, for games played by hand; a context manager.

    >>> with FrameCapture(Path("game.dmtrace.h5"), batch, policy="human") as capture:
    ...     capture.run(buttons)  # instead of batch.run(buttons)

    A game that was changed otherwise in between (a reset, a frame stepped on the batch itself) ends there, and goes on
    as a new one.
    """

    def __init__(
        self, path: Path, batch: Batch, policy: str | tuple[str, str] = "", config: Mapping[str, Any] | None = None
    ) -> None:
        """Raises FileExistsError rather than replacing a trace."""
        self.writer = TraceWriter(path, batch.players, config)
        self._batch, self._policy = batch, policy
        self._game = np.zeros(batch.num_envs, np.uint64)
        self._digest = np.zeros(batch.num_envs, np.uint64)
        self._known = np.zeros(batch.num_envs, np.bool_)

    @classmethod
    def in_directory(cls, directory: Path, batch: Batch, policy: str | tuple[str, str] = "") -> Self:
        """A recording under a fresh name in a directory, which is made if it is not there."""
        directory.mkdir(parents=True, exist_ok=True)
        return cls(directory / f"{fresh_name()}{schema.SUFFIX}", batch, policy)

    def run(self, buttons: NDArray[np.uint8]) -> None:
        """Play u8[T, N, P] on the batch and record it. Raises as `Batch.run` does, OSError when the disk is full."""
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
