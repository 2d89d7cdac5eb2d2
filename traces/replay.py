"""Playing recorded games again, by clocks and frame by frame, and naming the first thing that differs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.spec import ACTIONS, FALL, HANDOVER
from mlx_drmario.traces import frames
from mlx_drmario.traces.games import Games
from mlx_drmario.traces.identify import derived
from mlx_drmario.traces.schema import CLEARED, EVENTS, OUTCOMES, TOP_OUT, UNFINISHED

GROUP = 256
"""episodes that are played side by side"""
VIEW = ("player", "digest", "bottle", "capsule", "preview", "frame_counter", "speed_ups", "legal")
SCRATCH = ("hor_velocity",)
"""the field in which play by clocks and by frames may differ: docs/decisions.md"""


@dataclass(frozen=True, order=True)
class Difference:
    """Where a replay and the recording part."""

    episode: int
    row: int
    """decision of the episode, counted from 0; its number of decisions: the end"""
    text: str

    def __str__(self) -> str:
        return f"episode {self.episode}, decision {self.row}: {self.text}"


def verify(games: Games) -> list[Difference]:
    """Play every episode again and compare every row; the first difference of each episode that has one, in order.

    Episodes of placements are played twice, by `Decisions` and with the planner's buttons frame by frame; episodes of
    buttons once. Of episodes whose rows replay, what their table says of them is compared last. What depends on how an
    engine hashes or keeps its states (digests, custom, and with it frame_counter) is compared only when the recording
    engine counts like this one (`Games.same_engine`); all other columns always are.
    """
    found: list[Difference] = []
    placed = np.flatnonzero(games.episode["buttons"] == 0)
    for group in _groups(games, placed):
        found += by_clock(games, group)
    wrong = {difference.episode for difference in found}
    others = (by_frame(games, e) for e in range(len(games)) if e not in wrong)
    found += [difference for difference in others if difference is not None]
    wrong = {difference.episode for difference in found}
    return sorted([*found, *_mistold(games, np.array([e for e in range(len(games)) if e not in wrong], np.int64))])


def _mistold(games: Games, episodes: NDArray[np.int64]) -> Iterator[Difference]:
    """The first column of each of these episodes in which the table does not say what its start and rows do."""
    if not len(episodes):
        return
    part = games.take(episodes)
    told = derived(part)
    if not games.same_engine:
        del told["custom"], told["frame_counter"]
    differs = {name: _rows_differ(value, part.episode[name]) for name, value in told.items()}
    for i, e in enumerate(episodes.tolist()):
        name = next((name for name in told if differs[name][i]), None)
        if name is not None:
            text = f"{name} is {told[name][i]} in the replay, {part.episode[name][i]} in the file"
            yield Difference(e, int(games.episode["decisions"][e]), text)


def _groups(games: Games, episodes: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Episodes of similar length together: a batch goes on until its longest game is over."""
    ordered = episodes[np.argsort(games.episode["decisions"][episodes], kind="stable")]
    for first in range(0, len(ordered), GROUP):
        yield ordered[first : first + GROUP]


def by_clock(games: Games, episodes: NDArray[np.int64]) -> list[Difference]:
    """The first difference of each of these episodes when `Decisions` plays them."""
    try:
        play = dm.Decisions(num_envs=len(episodes), players=games.players)
        play.set_state(games.start[episodes])
    except ValueError as error:
        return [Difference(int(episodes[0]), 0, f"its start cannot be played: {error}")]
    run = _Run(games, episodes, play)
    while run.step():
        pass
    return list(run.found.values())


class _Run:
    """Episodes side by side: rows are taken in the order of the file as decisions become due."""

    def __init__(self, games: Games, episodes: NDArray[np.int64], play: dm.Decisions) -> None:
        self.games, self.episodes, self.play = games, episodes, play
        self.first = games.episode["first_decision"][episodes].astype(np.int64)
        self.count = games.episode["decisions"][episodes].astype(np.int64)
        self.next = np.zeros(len(episodes), np.int64)
        self.open = np.full(len(episodes) * games.players, -1)
        """row of each seat whose decision goes on, -1 for none"""
        self.over = np.zeros(len(episodes), np.bool_)
        self.names = tuple(name for name in VIEW if games.same_engine or name != "digest")
        self.found: dict[int, Difference] = {}

    def step(self) -> bool:
        """One step of all games; False when no row is left."""
        games, play, players = self.games, self.play, self.games.players
        due = play.to_act.reshape(-1, players)
        rank = np.cumsum(due, axis=1) - 1
        wanted = self.next[:, None] + rank
        seat = np.flatnonzero((due & (wanted < self.count[:, None]) & ~self.over[:, None]).reshape(-1))
        if not len(seat):
            return False
        owner = seat // players
        rows = self.first[owner] + wanted.reshape(-1)[seat]
        self.compare(seat, rows, _view(play), self.names)
        action = play.sample_legal(0).reshape(-1)  # for games that are over; they are not looked at any more
        chosen = games.decision["action"][rows]
        illegal = (chosen < 0) | ~play.legal.reshape(-1, ACTIONS)[seat, np.maximum(chosen, 0)]
        for i in np.flatnonzero(illegal):
            self.differ(int(owner[i]), int(rows[i]), f"action {chosen[i]} cannot be reached")
        action[seat[~illegal]] = chosen[~illegal]
        np.add.at(self.next, owner, 1)
        self.open[seat] = rows
        play.step(action.reshape(play.tau.shape))
        self.hear()
        return True

    def hear(self) -> None:
        """Compare the decisions that are over, and the ends of games."""
        games, play, players = self.games, self.play, self.games.players
        seat = np.flatnonzero((play.tau.reshape(-1) > 0) & (self.open >= 0))
        rows = self.open[seat]
        self.open[seat] = -1
        told = games.decision["tau"][rows] > 0  # the recording may have ended before
        seen: dict[str, NDArray[Any]] = {"tau": play.tau.reshape(-1)}
        for name in EVENTS:
            column: NDArray[Any] = getattr(play, name)
            seen[name] = column.reshape(-1, *column.shape[players:])
        self.compare(seat[told], rows[told], seen, ("tau", *EVENTS))
        over = np.flatnonzero(((self.next == self.count) | play.ended) & ~self.over)
        self.over[over] = True
        digest, ended = play.digest(), play.ended & ~play.truncated
        for n in over.tolist():
            cleared, top_out = bool(np.any(play.cleared[n])), bool(np.any(play.top_out[n]))
            outcome = (CLEARED if cleared else TOP_OUT if top_out else UNFINISHED) if ended[n] else UNFINISHED
            winner = int(play.winner[n]) if players == 2 else 0
            frames = int(np.max(play.frames[n])) if ended[n] or players == 1 else None
            difference = _end(games, int(self.episodes[n]), outcome, winner, int(digest[n]), frames)
            if difference:
                self.found.setdefault(difference.episode, difference)

    def compare(
        self, seat: NDArray[np.int64], rows: NDArray[np.int64], seen: dict[str, NDArray[Any]], names: tuple[str, ...]
    ) -> None:
        """Compare what seats show with rows of the file."""
        for name in names:
            ours, recorded = seen[name][seat], self.games.decision[name][rows]
            for i in np.flatnonzero(_rows_differ(ours, recorded)):
                text = f"{name} is {_show(ours[i])} in the replay, {_show(recorded[i])} in the file"
                self.differ(int(seat[i]) // self.games.players, int(rows[i]), text)

    def differ(self, n: int, row: int, text: str) -> None:
        e = int(self.episodes[n])
        self.found.setdefault(e, Difference(e, row - int(self.first[n]), text))


def _view(play: dm.Decisions) -> dict[str, NDArray[Any]]:
    """What rows record of the moment before a decision, for every seat."""
    players, public = play.players, play.public.reshape(-1)
    seen: dict[str, NDArray[Any]] = {
        "player": np.arange(len(public)) % players,
        "digest": np.repeat(play.digest(), players),
        "legal": np.packbits(play.legal.reshape(-1, ACTIONS), axis=1, bitorder="little"),
    }
    return seen | {name: public[name] for name in ("bottle", "capsule", "preview", "frame_counter", "speed_ups")}


def _rows_differ(ours: NDArray[Any], recorded: NDArray[Any]) -> NDArray[np.bool_]:
    """bool[N]: whether two columns [N, ...] differ."""
    return (ours != recorded).reshape(len(ours), math.prod(ours.shape[1:])).any(axis=1)


def _show(value: Any) -> str:
    if np.ndim(value) == 0:
        return f"{int(value):016x}" if np.asarray(value).dtype == np.uint64 else str(value)
    return bytes(np.asarray(value, np.uint8)).hex()


def _end(games: Games, e: int, outcome: int, winner: int, digest: int, length: int | None) -> Difference | None:
    """Compare the end of an episode. outcome UNFINISHED: the game goes on; length None: not known."""
    table, last = games.episode, int(games.episode["decisions"][e])
    recorded = int(table["outcome"][e])
    if (recorded in (CLEARED, TOP_OUT) or outcome) and recorded != outcome:
        return Difference(e, last, f"the game is {OUTCOMES[outcome]} in the replay, {OUTCOMES[recorded]} in the file")
    if winner != int(table["winner"][e]):
        return Difference(e, last, f"winner is {winner} in the replay, {table['winner'][e]} in the file")
    if length is not None and length != int(table["frames"][e]):
        return Difference(e, last, f"frames is {length} in the replay, {table['frames'][e]} in the file")
    wanted = int(table["end_digest"][e])
    if wanted and games.same_engine and digest != wanted:
        return Difference(e, last, f"end_digest is {digest:016x} in the replay, {wanted:016x} in the file")
    return None


def by_frame(games: Games, e: int) -> Difference | None:
    """The first difference of an episode when it is played frame by frame, None when there is none."""
    placed = games.episode["buttons"][e] == 0
    try:
        played = frames.play(games.start[e : e + 1], buttons_of(games, e))
    except ValueError as error:
        return Difference(e, 0, str(error))
    ours = played.decision
    names = [name for name in ("action", *VIEW, "tau", *EVENTS) if name != "digest" or games.same_engine]
    if placed and games.same_engine:
        ours["digest"] = _clock_digests(games, e, played.states, ours["player"])
    rows = np.arange(games.rows)[games.decisions_of(e)]
    for seat in range(games.players):
        difference = _seat_difference(games, e, rows[games.decision["player"][rows] == seat], ours, seat, names)
        if difference:
            return difference
    if not placed:
        return _end(games, e, played.outcome, played.winner, played.end_digest, played.frames)
    recorded = int(games.episode["outcome"][e])
    if recorded in (CLEARED, TOP_OUT) and played.outcome != recorded:
        return Difference(e, len(rows), f"{OUTCOMES[played.outcome]} frame by frame, {OUTCOMES[recorded]} in the file")
    return None


def _seat_difference(
    games: Games, e: int, rows: NDArray[np.int64], ours: NDArray[np.void], seat: int, names: list[str]
) -> Difference | None:
    """The first difference between a seat's rows of an episode and the decisions found in its frames."""
    ours = ours[ours["player"] == seat]
    common, first = min(len(rows), len(ours)), int(games.episode["first_decision"][e])
    differs = {name: _rows_differ(ours[name][:common], games.decision[name][rows[:common]]) for name in names}
    at = min((int(wrong[0]) for wrong in map(np.flatnonzero, differs.values()) if len(wrong)), default=None)
    if at is not None:
        name = next(name for name in names if differs[name][at])
        recorded = games.decision[name][rows[at]]
        text = f"{name} is {_show(ours[name][at])} frame by frame, {_show(recorded)} in the file"
        return Difference(e, int(rows[at]) - first, text)
    # Of two players one may have a capsule in the air when the round, or its recording, ends.
    if len(ours) < len(rows) - (games.players == 2):
        return Difference(
            e, int(rows[common]) - first, f"{len(ours)} decisions frame by frame, {len(rows)} in the file"
        )
    return None


def buttons_of(games: Games, e: int) -> NDArray[np.uint8]:
    """u8[T, P]: what to hold in every frame from the first state of an episode on; T ends with the episode.

    Episodes of placements: the planner's script of each, then nothing until the next capsule. ValueError for a
    placement that cannot be reached.
    """
    if games.episode["buttons"][e]:
        return games.buttons_of(e)
    held = [_held(games, e, seat) for seat in range(games.players)]
    begin = [_frames_to_control(games.start[e : e + 1], held, seat) for seat in range(games.players)]
    length = max(first + frames for first, (_, frames) in zip(begin, held, strict=True))
    buttons = np.zeros((length, games.players), np.uint8)
    for seat, (first, (pressed, _)) in enumerate(zip(begin, held, strict=True)):
        pressed = pressed[: length - first]
        buttons[first : first + len(pressed), seat] = pressed
    return buttons


def _held(games: Games, e: int, seat: int) -> tuple[NDArray[np.uint8], int]:
    """What a seat holds from its first decision on, and the frames that its decisions took; one that goes on when the
    recording ends took none, and is held as long as it would take."""
    rows = np.arange(games.rows)[games.decisions_of(e)]
    rows = rows[games.decision["player"][rows] == seat]
    speed = int(np.atleast_1d(games.episode["speed"][e])[seat])
    parts: list[NDArray[np.uint8]] = []
    for row in rows.tolist():
        bottle, capsule = (games.decision[name][row] for name in ("bottle", "capsule"))
        counter, ups, action = (int(games.decision[name][row]) for name in ("frame_counter", "speed_ups", "action"))
        script = dm.script(bottle, capsule, counter, speed, ups, action)
        tau = int(games.decision["tau"][row]) or len(script)
        parts.append(np.concatenate([script[:tau], np.zeros(max(0, tau - len(script)), np.uint8)]))
    return np.concatenate([np.empty(0, np.uint8), *parts]), int(games.decision["tau"][rows].sum())


def _frames_to_control(start: NDArray[np.void], held: list[tuple[NDArray[np.uint8], int]], seat: int) -> int:
    """Frames from a state [1] to the first capsule that a seat controls; of two players one may be settling there,
    while the other one holds what it does."""
    name = f"p{seat + 1}_next_action"
    if start[name][0] == FALL:
        return 0
    batch = dm.Batch(num_envs=1, players=2, threads=1)
    batch.set_state(start)
    of_other, _ = held[1 - seat]
    buttons = np.zeros((len(of_other), 1, 2), np.uint8)
    buttons[:, 0, 1 - seat] = of_other
    played: Any = batch.run(buttons, record=(name,))
    falls = np.flatnonzero(played[name][:, 0] == FALL)
    return int(falls[0]) + 1 if len(falls) else len(buttons)


def _clock_digests(games: Games, e: int, states: NDArray[np.void], player: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Digests of the states before decisions, found frame by frame, with what a clock need not know as it has it."""
    states = states.copy()
    if games.players == 2:
        clocks, due, at = _clock_states(games, e)
        for seat in range(2):
            mine = np.flatnonzero(player == seat)[: len(at[seat])]
            theirs = at[seat][: len(mine)]
            taken = states[mine]
            for other in range(2):
                _forget(taken, clocks[theirs], due[theirs, other], f"p{other + 1}_")
            states[mine] = taken
    else:
        for name in SCRATCH:
            states[f"p1_{name}"] = games.start[f"p1_{name}"][e]
    return frames.digests(states, games.players)


def _clock_states(games: Games, e: int) -> tuple[NDArray[np.void], NDArray[np.bool_], list[NDArray[np.int64]]]:
    """States [K] of a round in every step of `Decisions`, bool[K, 2] who is due in them, and of each seat the steps."""
    run = _Run(games, np.array([e]), dm.Decisions(num_envs=1, players=2, threads=1))
    run.play.set_state(games.start[e : e + 1])
    states, due = [], []
    while True:
        state, acts = run.play.state.copy(), run.play.to_act.copy()
        if not run.step():
            break
        states.append(state)
        due.append(acts)
    shown = np.concatenate([np.empty((0, 2), np.bool_), *due])
    return np.concatenate([games.start[:0], *states]), shown, [np.flatnonzero(shown[:, seat]) for seat in range(2)]


def _forget(ours: NDArray[np.void], clock: NDArray[np.void], due: NDArray[np.bool_], seat: str) -> None:
    """Take over a player's fields that a clock need not know (docs/decisions.md, two players), in states [M]."""
    falling = (ours[f"{seat}next_action"] == FALL) | (clock[f"{seat}next_action"] == FALL)
    left_over = (ours[f"{seat}next_action"] != HANDOVER) & (ours[f"{seat}fail_flag"] == 0)
    for names, where in (
        (SCRATCH, np.ones_like(due)),
        (("held", "pressed"), ~due),
        (("pill_x", "pill_rotation"), ~due & (falling | left_over)),
        (("pill_y", "speed_counter", "speed_index", "chain_len"), ~due & falling),
    ):
        for name in names:
            ours[f"{seat}{name}"] = np.where(where, clock[f"{seat}{name}"], ours[f"{seat}{name}"])
