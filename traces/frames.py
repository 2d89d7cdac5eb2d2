"""Games given as buttons, frame by frame: the decisions that lie in them, and what became of them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.spec import (
    CELLS,
    FALL,
    LEFT_HALF,
    PLAY,
    RESOLVE,
    UNREACHABLE,
)
from mlx_drmario.traces import details, schema
from mlx_drmario.traces.schema import CLEARED, DECISION, EVENTS, NO_ACTION, TOP_OUT, UNFINISHED

Track = dict[str, NDArray[Any]]
"""field -> its value after 0 .. T frames, [T + 1, ...]"""
SEAT_FIELDS = (
    *("bottle", "next_action", "pill_color_l", "pill_color_r", "next_color_l", "next_color_r", "speed_ups"),
    *("speed_setting", "virus_left_bcd", "fail_flag"),
)


@dataclass(frozen=True)
class Played:
    """What a game of T frames was."""

    decision: NDArray[np.void]
    """rows in the order of their first controllable frames, `schema.row_dtype(DECISION)`"""
    states: NDArray[np.void]
    """of the games before these decisions, `Batch.state`"""
    outcome: int
    winner: int
    frames: int
    """from the first controllable frame, counted as 1, to the end"""
    end: int
    """frames played when the game was over, T if it was not"""
    end_digest: int
    """of the state after all T frames"""


def play(start: NDArray[np.void], buttons: NDArray[np.uint8]) -> Played:
    """Play buttons u8[T, P] from a state [1] and say what happened. ValueError for a state that cannot be."""
    players = buttons.shape[1]
    batch = dm.Batch(num_envs=1, players=players, threads=1)
    batch.set_state(start)
    names = [f"p{seat + 1}_{name}" for seat in range(players) for name in SEAT_FIELDS]
    first = batch.save()
    rows = batch.run(buttons[:, None, :].copy(), record=("mode", "mode_step", "frame_counter", *names))
    end_digest = int(batch.digest()[0])
    track: Track = {}
    for name, values in rows.items():
        track[name] = np.concatenate([np.asarray(start[name]), np.asarray(values)[:, 0]])  # index t: after t frames
    in_play = track["mode"] == PLAY
    over = (~in_play & np.logical_or.accumulate(in_play)) | (in_play & (track["mode_step"] != 0))
    ended = bool(over.any())
    end = int(np.argmax(over)) if ended else len(buttons)
    seats = [_Seat(track, seat, end, ended) for seat in range(players)]
    outcome, winner = _verdict(seats, end) if ended else (UNFINISHED, 0)
    times, tables = zip(*(seat.decisions() for seat in seats), strict=True)
    order = np.lexsort((np.concatenate([table["player"] for table in tables]), np.concatenate(times)))
    table, time = np.concatenate(tables)[order], np.concatenate(times)[order]
    batch.load(first)
    states = _tell_events(batch, buttons, time, table)
    table["digest"] = digests(states, players)
    begin = int(time[0]) if len(time) else end
    return Played(table, states, outcome, winner, end - begin, end, end_digest)


def _tell_events(
    batch: dm.Batch, buttons: NDArray[np.uint8], begin: NDArray[np.int64], table: NDArray[np.void]
) -> NDArray[np.void]:
    """Fill in the event columns of decisions that begin after so many frames, and return the states before them.

    The game is played again in stretches between all beginnings and ends, whose events the engine tells.
    """
    until = begin + table["tau"]
    stops = np.unique(np.concatenate([begin, until]))
    live, played = batch.state, 0
    states = np.empty(len(stops), live.dtype)
    told = np.zeros((len(stops) + 1, batch.players), batch.events.dtype)  # row k: of the stretch before stop k
    for k, stop in enumerate(stops.tolist()):
        if stop > played:
            batch.run(buttons[played:stop, None, :].copy())
            told[k], played = batch.events[0], stop
        states[k] = live[0]
    first, last = np.searchsorted(stops, begin), np.searchsorted(stops, until)
    for name in EVENTS:
        total = np.cumsum(told[name], axis=0, dtype=np.int64)
        table[name] = total[last, table["player"]] - total[first, table["player"]]
    return states[first]


def digests(states: NDArray[np.void], players: int) -> NDArray[np.uint64]:
    """u64[N]: hashes of states [N]."""
    if not len(states):
        return np.empty(0, np.uint64)
    batch = dm.Batch(num_envs=len(states), players=players, threads=1)
    batch.set_state(states)
    return batch.digest()


def _verdict(seats: list["_Seat"], end: int) -> tuple[int, int]:
    good = [bool(seat["virus_left_bcd"][end] == 0) for seat in seats]
    bad = [bool(seat["fail_flag"][end]) for seat in seats]
    outcome = CLEARED if any(good) else TOP_OUT if any(bad) else UNFINISHED
    if len(seats) == 1 or outcome == UNFINISHED:
        return outcome, 0
    wins = [good[i] or (not good[1 - i] and bad[1 - i] and not bad[i]) for i in (0, 1)]
    return outcome, 3 if wins[0] == wins[1] else 1 if wins[0] else 2


class _Seat:
    """One player's part of a recorded game that ended (or whose recording ended) after `end` frames."""

    def __init__(self, track: Track, seat: int, end: int, over: bool) -> None:
        self.seat, self.end, self.over = seat, end, over
        self.track = track

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.track[f"p{self.seat + 1}_{name}"]

    def decisions(self) -> tuple[NDArray[np.int64], NDArray[np.void]]:
        """(frames played before each, rows without digests) of every capsule that locked and settled."""
        spans = self._spans()
        begin, lock, until = np.array(spans, np.int64).reshape(-1, 3).T
        table = np.zeros(len(begin), schema.row_dtype(DECISION, 1))
        table["player"], table["tau"] = self.seat, until - begin
        table["bottle"], table["speed_ups"] = self["bottle"][begin], self["speed_ups"][begin]
        table["frame_counter"] = self.track["frame_counter"][begin]
        for i, half in enumerate("lr"):
            table["capsule"][:, i] = self[f"pill_color_{half}"][begin]
            table["preview"][:, i] = self[f"next_color_{half}"][begin]
        for i, t in enumerate(lock.tolist()):
            table["action"][i] = placement(self["bottle"][t - 1], self["bottle"][t], table["capsule"][i])
        details.forget(table)
        self._legal(table, begin)
        return begin, table

    def _spans(self) -> list[tuple[int, int, int]]:
        """(frames before control, at the lock, at the next control or the end) of every capsule that settled."""
        falling = (self["next_action"] == FALL) & (self.track["mode"] == PLAY)
        falling[self.end + (not self.over) :] = False
        begins = np.flatnonzero(falling & ~np.concatenate([[False], falling[:-1]])).tolist()
        spans = []
        for begin, until in pairwise([*begins, self.end] if self.over else begins):
            locks = np.flatnonzero(self["next_action"][begin : until + 1] == RESOLVE)
            if len(locks):
                spans.append((begin, begin + int(locks[0]), until))
            elif (self["bottle"][until] != self["bottle"][begin]).any():  # locked in the frame that ended the round
                spans.append((begin, until, until))
        return spans

    def _legal(self, table: NDArray[np.void], begin: NDArray[np.int64]) -> None:
        if not len(table):
            return
        speed = self["speed_setting"][begin]
        bottle, capsule = (np.ascontiguousarray(table[name]) for name in ("bottle", "capsule"))
        legal = dm.reach(bottle, capsule, table["frame_counter"], speed, table["speed_ups"]) != UNREACHABLE
        named = np.flatnonzero(table["action"] >= 0)
        # A button held since before control can lock what the planner, who holds none, does not reach.
        legal[named, table["action"][named]] = True
        table["legal"] = np.packbits(legal, axis=1, bitorder="little")


def placement(before: NDArray[np.uint8], after: NDArray[np.uint8], colors: NDArray[np.uint8]) -> int:
    """The action of a capsule that locked between two samples; -1 for the one without a name (schema.NO_ACTION)."""
    cells = np.flatnonzero(before != after)
    first, second = int(colors[0]), int(colors[1])
    if len(cells) == 1:  # upright in the top row, upper half lost
        cell, color = int(cells[0]), int(after[cells[0]] & 0x0F)
        return NO_ACTION if color != first else 3 * CELLS + cell
    a, b = int(cells[0]), int(cells[1])
    lying = (after[a] & 0xF0) == LEFT_HALF
    if int(after[a] & 0x0F) == first and int(after[b] & 0x0F) == second:
        return a if lying else CELLS + a
    return 2 * CELLS + b if lying else 3 * CELLS + b
