"""Rows out of copied steps, and files out of rows: what recording does behind the playing thread."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario._core import Decisions
from mlx_drmario.spec import ACTIONS
from mlx_drmario.traces import details, schema
from mlx_drmario.traces.journal import Rows, dtypes, raw
from mlx_drmario.traces.schema import CLEARED, EVENTS, TOP_OUT, TRUNCATED, UNFINISHED
from mlx_drmario.traces.steps import Steps
from mlx_drmario.traces.writer import TraceWriter

NEVER, EARLIER = -2, -1
"""instead of the number of a step: not at all, and in steps that were taken before these"""
Where = tuple[NDArray[np.int64], ...]
"""(steps, games)"""
Open = Callable[[int, TraceWriter | None], TraceWriter]
"""opens file number 1, 2, ...; given: the writer whose games go on in it"""


class Recorder:
    """Takes the steps of one batch of games in order, in one thread at a time.

    A game begins wherever the state before a step is not the one that the last step left, so whatever is recorded
    replays. What the rows are does not depend on how many steps come together.
    """

    def __init__(self, games: Decisions, policy: str, file_rows: int, open_next: Open, maker: Executor) -> None:
        """file_rows: decisions after which a new file begins; maker: makes the files. Raises as `open_next` does."""
        self.players, self.policy, self.file_rows = games.players, policy, file_rows
        self._open, self._maker = open_next, maker
        self._made: Future[int] | None = None
        """the file before this one"""
        self._writer = open_next(1, None)
        self._files, self._rows = 1, 0
        """files so far, and decisions in this one"""
        n, seats = games.num_envs, games.num_envs * games.players
        self._step = 0
        self._last = raw(np.zeros(n, schema.engine_dtype(games.players)))
        """[N]: states that the last step left"""
        self._known = np.zeros(n, np.bool_)
        """[N]: the game goes on, and is `_game`"""
        self._game = np.zeros(n, np.uint64)
        self._pending = np.zeros(seats, np.bool_)
        """[S]: the seat's last decision, `_waiting`, is not over"""
        self._waiting = np.zeros(seats, dtypes(games.players)["decision"])

    def take(self, steps: Steps) -> None:
        """Record steps. OSError when the disk is full; the rows wait for the next time then."""
        made = steps.to_act[: steps.count].sum(axis=1)
        first = 0
        while first < steps.count:
            full = np.flatnonzero(self._rows + np.cumsum(made[first:]) >= self.file_rows)
            until = first + int(full[0]) + 1 if len(full) else steps.count
            self._record(_Slice(steps, first, until, self.players))
            self._rows += int(made[first:until].sum())
            first = until
            if len(full):
                self._next_file()
        self._writer.flush()

    def _next_file(self) -> None:
        """Begin a file, and have the one before it made: one at a time, else journals would pile up."""
        made, self._made = self._made, None
        if made is not None:
            made.result()  # raises once; its journal stays
        before, self._writer = self._writer, self._open(self._files + 1, self._writer)
        self._files, self._rows = self._files + 1, 0
        self._made = self._maker.submit(before.close)

    def close(self) -> None:
        """Complete the file. Raises as `TraceWriter.close`, also for the file before it."""
        with ExitStack() as stack:
            if self._made is not None:
                stack.callback(self._made.result)
            self._writer.close()

    def _record(self, steps: "_Slice") -> None:
        running = np.any(steps.to_act.reshape(*steps.ended.shape, -1), axis=2)
        known = np.vstack([self._known, (running & ~steps.ended)[:-1]])
        changed = np.vstack([_differ(steps.before[:1], self._last[None]), _differ(steps.before[1:], steps.after[:-1])])
        begun = running & (changed | ~known)
        number = np.zeros(begun.shape, np.uint64)
        number[begun] = self._writer.start(steps.before[begun].view(steps.state), self.policy)
        number = np.maximum.accumulate(np.vstack([self._game, number]))  # numbers only grow
        left: Where = np.nonzero(known & (changed | ~running))
        over: Where = np.nonzero(running & steps.ended)
        previous = np.where(left[0] > 0, steps.after[left[0] - 1, left[1]], self._last[left[1]])
        rows = self._made_in(steps, number[1:])
        rows = np.concatenate([raw(self._tell(steps, begun, rows)), raw(rows)]).view(rows.dtype)
        self._game, self._known, self._last = number[-1], (running & ~steps.ended)[-1], steps.after[-1].copy()
        self._step += len(running)
        self._writer.end(number[:-1][left], np.full(len(previous), UNFINISHED), 0, _digests(previous))
        outcome, winner = _verdict(steps, over)
        self._writer.end(number[1:][over], outcome, winner, _digests(steps.after[over]))
        self._writer.decide(rows)

    def _made_in(self, steps: "_Slice", number: NDArray[np.uint64]) -> Rows:
        """The decisions made in these steps, by step and seat; what came of them is not yet told."""
        at = np.flatnonzero(steps.to_act)
        every = slice(None) if len(at) == steps.to_act.size else at  # spares copies
        game = every if self.players == 1 else at // 2
        states = steps.before.reshape(-1)[game].view(steps.state)
        rows: Rows = np.zeros(len(at), dtypes(self.players)["decision"])
        rows["game"], rows["digest"] = number.reshape(-1)[game], _digests(raw(states))
        rows["order"] = self._step + at // steps.to_act.shape[1]
        rows["frame_counter"] = states["frame_counter"]
        rows["player"] = at % self.players
        for seat in range(self.players):
            mine = np.flatnonzero(rows["player"] == seat) if self.players == 2 else slice(None)
            for name, fields in _FIELDS.items():
                column = [states[f"p{seat + 1}_{field}"][mine] for field in fields]
                rows[name][mine] = column[0] if len(column) == 1 else np.stack(column, axis=-1)
        rows["legal"] = np.packbits(steps.legal.reshape(-1, ACTIONS)[every], axis=-1, bitorder="little")
        rows["action"] = action = steps.action.reshape(-1)[every]
        details.forget(rows)
        said = (None if each is None else each.reshape(steps.to_act.size, *tail)[every] for each, tail in steps.said)
        details.fill(rows, slice(None), action, *said)
        return rows

    def _tell(self, steps: "_Slice", begun: NDArray[np.bool_], rows: Rows) -> Rows:
        """Fill in what came of decisions. Returns again, told now, those that earlier steps had left open.

        Of two players, one's decision may be over long before the other's: both are on record as soon as they are made.
        """
        heard = steps.told["tau"] > 0
        if not self._pending.any() and np.array_equal(heard, steps.to_act):  # all at once, as always for one player
            at = np.flatnonzero(heard)
            self._fill(rows, slice(None), raw(steps.told).reshape(-1)[at].view(steps.told.dtype))
            return rows[:0]
        step = np.arange(len(begun))[:, None]

        def latest(happened: NDArray[np.bool_], initial: NDArray[np.int64] | int = NEVER) -> NDArray[np.int64]:
            """i64[K + 1, S]: in which step it happened last, before each step and after all."""
            first = np.broadcast_to(np.asarray(initial), (1, happened.shape[1]))
            return np.maximum.accumulate(np.vstack([first, np.where(happened, step, NEVER)]))

        made = latest(steps.to_act, np.where(self._pending, EARLIER, NEVER))
        fresh = np.maximum(latest(np.repeat(begun, self.players, axis=1)), EARLIER)
        answered = latest(heard)
        index = np.cumsum(steps.to_act).reshape(steps.to_act.shape) - 1
        told = heard & (made[1:] >= fresh[1:]) & (made[1:] > answered[:-1])
        seat = np.broadcast_to(np.arange(told.shape[1]), told.shape)
        here = np.nonzero(told & (made[1:] >= 0))
        self._fill(rows, index[made[1:][here], seat[here]], raw(steps.told)[here].view(steps.told.dtype))
        before = np.nonzero(told & (made[1:] == EARLIER))
        late = raw(self._waiting)[before[1]].view(rows.dtype)
        self._fill(late, slice(None), raw(steps.told)[before].view(steps.told.dtype))
        open_now = (made[-1] >= fresh[-1]) & (made[-1] > answered[-1])
        new = np.flatnonzero(open_now & (made[-1] >= 0))
        raw(self._waiting)[new] = raw(rows)[index[made[-1][new], new]]
        self._pending = open_now
        return late

    def _fill(self, rows: Rows, where: Any, told: NDArray[np.void]) -> None:
        for name in ("tau", *(EVENTS if self.players == 2 else EVENTS[:-2])):
            rows[name][where] = told[name]


_FIELDS = {
    "bottle": ("bottle",),
    "speed_ups": ("speed_ups",),
    "capsule": ("pill_color_l", "pill_color_r"),
    "preview": ("next_color_l", "next_color_r"),
}


class _Slice:
    """Consecutive ones of `Steps`, as views."""

    def __init__(self, steps: Steps, first: int, until: int, players: int) -> None:
        part = slice(first, until)
        self.state = schema.engine_dtype(players)
        self.before, self.after = steps.before[part], steps.after[part]
        self.legal, self.to_act, self.action = steps.legal[part], steps.to_act[part], steps.action[part]
        self.told = steps.told[part].view(steps.events)
        self.ended, self.winner = steps.ended[part], steps.winner[part]
        self.players = players
        self.said = [
            (None if column is None else column[part], () if column is None else column.shape[1 + players :])
            for column in (steps.log_prob, steps.value)
        ]


def _differ(states: NDArray[np.void], others: NDArray[np.void]) -> NDArray[np.bool_]:
    """bool[K, N]: whether states, as bytes, differ. Word by word: most are equal, the few others are looked up."""
    words = states.dtype.itemsize // 8
    unequal = np.flatnonzero(states.view(np.uint64).reshape(-1) != others.view(np.uint64).reshape(-1))
    result = np.zeros(states.shape, np.bool_)
    result.reshape(-1)[unequal // words] = True
    return result


def _digests(states: NDArray[np.void]) -> NDArray[np.uint64]:
    """u64[M]: hashes of states [M] given as bytes."""
    hashes: NDArray[np.uint64] = dm.digests(states.view(np.uint8).reshape(len(states), states.dtype.itemsize))
    return hashes


def _verdict(steps: _Slice, over: Where) -> tuple[NDArray[np.uint8], NDArray[Any] | int]:
    """(outcomes, winners) of the games that are over at these (step, game)."""
    told = raw(steps.told).reshape(*steps.ended.shape, steps.players)[over].view(steps.told.dtype)
    cleared, top_out = told["cleared"].any(axis=1), told["top_out"].any(axis=1)
    outcome = np.where(cleared, CLEARED, np.where(top_out, TOP_OUT, TRUNCATED)).astype(np.uint8)
    return outcome, 0 if steps.players == 1 else steps.winner[over]
