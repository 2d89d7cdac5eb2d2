"""Playing recorded games again, by clocks and frame by frame, and naming the first thing that differs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.traces import frames
from mlx_drmario.traces.games import Games
from mlx_drmario.traces.schema import CLEARED, OUTCOMES, TOP_OUT, UNFINISHED

GROUP = 256
"""episodes that are played side by side"""
EVENTS = ("tau", "viruses_cleared", "halves_cleared", "combos", "cascade")
VIEW = ("digest", "bottle", "capsule", "preview", "frame_counter", "speed_ups", "legal")
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
    buttons once. Digests are compared only when the recording engine counts like this one (`Games.same_engine`); all
    other columns always are.
    """
    found: list[Difference] = []
    placed = np.flatnonzero(games.episode["buttons"] == 0)
    if games.players == 1:
        for group in _groups(games, placed):
            found += by_clock(games, group)
    wrong = {difference.episode for difference in found}
    others = (by_frame(games, e) for e in range(len(games)) if e not in wrong)
    return sorted([*found, *(difference for difference in others if difference is not None)])


def _groups(games: Games, episodes: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Episodes of similar length together: a batch goes on until its longest game is over."""
    ordered = episodes[np.argsort(games.episode["decisions"][episodes], kind="stable")]
    for first in range(0, len(ordered), GROUP):
        yield ordered[first : first + GROUP]


def by_clock(games: Games, episodes: NDArray[np.int64]) -> list[Difference]:
    """The first difference of each of these one-player episodes when `Decisions` plays them."""
    first = games.episode["first_decision"][episodes].astype(np.int64)
    count = games.episode["decisions"][episodes].astype(np.int64)
    try:
        play = dm.Decisions(num_envs=len(episodes))
        play.set_state(games.start[episodes])
    except ValueError as error:
        return [Difference(int(episodes[0]), 0, f"its start cannot be played: {error}")]
    names = tuple(name for name in VIEW if games.same_engine or name != "digest")
    found: dict[int, Difference] = {}
    for step in range(int(count.max(initial=0))):
        active = np.flatnonzero(step < count)
        rows = first[active] + step
        _compare(games, episodes, active, rows, step, _view(play), names, found)
        action = play.sample_legal(0)  # for those that are over; they are not looked at any more
        chosen = games.decision["action"][rows]
        illegal = ~play.legal[active, np.maximum(chosen, 0)] | (chosen < 0)
        for n in active[illegal]:
            e, taken = int(episodes[n]), games.decision["action"][first[n] + step]
            found.setdefault(e, Difference(e, step, f"action {taken} cannot be reached"))
        action[active[~illegal]] = chosen[~illegal]
        play.step(action)
        _compare(games, episodes, active, rows, step, {name: getattr(play, name) for name in EVENTS}, EVENTS, found)
        last = active[count[active] == step + 1]
        for n in last:
            e = int(episodes[n])
            outcome = CLEARED if play.cleared[n] else TOP_OUT if play.top_out[n] else UNFINISHED
            difference = _end(games, e, outcome, int(play.digest()[n]), int(play.frames[n]))
            if difference:
                found.setdefault(e, difference)
    return list(found.values())


def _view(play: dm.Decisions) -> dict[str, NDArray[Any]]:
    """What rows record of the moment before a decision."""
    state = play.state
    return {
        "digest": play.digest(),
        "bottle": state["p1_bottle"],
        "capsule": np.stack([state["p1_pill_color_l"], state["p1_pill_color_r"]], axis=-1),
        "preview": np.stack([state["p1_next_color_l"], state["p1_next_color_r"]], axis=-1),
        "frame_counter": state["frame_counter"],
        "speed_ups": state["p1_speed_ups"],
        "legal": np.packbits(play.legal, axis=1, bitorder="little"),
    }


def _compare(
    games: Games,
    episodes: NDArray[np.int64],
    active: NDArray[np.int64],
    rows: NDArray[np.int64],
    step: int,
    seen: dict[str, NDArray[Any]],
    names: tuple[str, ...],
    found: dict[int, Difference],
) -> None:
    for name in names:
        ours, recorded = seen[name][active], games.decision[name][rows]
        for i in np.flatnonzero(_rows_differ(ours, recorded)):
            e = int(episodes[active[i]])
            text = f"{name} is {_show(ours[i])} in the replay, {_show(recorded[i])} in the file"
            found.setdefault(e, Difference(e, step, text))


def _rows_differ(ours: NDArray[Any], recorded: NDArray[Any]) -> NDArray[np.bool_]:
    """bool[N]: whether two columns [N, ...] differ."""
    return (ours != recorded).reshape(len(ours), math.prod(ours.shape[1:])).any(axis=1)


def _show(value: Any) -> str:
    if np.ndim(value) == 0:
        return f"{int(value):016x}" if np.asarray(value).dtype == np.uint64 else str(value)
    return bytes(np.asarray(value, np.uint8)).hex()


def _end(games: Games, e: int, outcome: int, digest: int, length: int) -> Difference | None:
    """Compare the end of an episode. outcome UNFINISHED: the game goes on."""
    table, last = games.episode, int(games.episode["decisions"][e])
    recorded = int(table["outcome"][e])
    if (recorded in (CLEARED, TOP_OUT) or outcome) and recorded != outcome:
        return Difference(e, last, f"the game is {OUTCOMES[outcome]} in the replay, {OUTCOMES[recorded]} in the file")
    if length != int(table["frames"][e]):
        return Difference(e, last, f"frames is {length} in the replay, {table['frames'][e]} in the file")
    wanted = int(table["end_digest"][e])
    if wanted and games.same_engine and digest != wanted:
        return Difference(e, last, f"end_digest is {digest:016x} in the replay, {wanted:016x} in the file")
    return None


def by_frame(games: Games, e: int) -> Difference | None:
    """The first difference of an episode when it is played frame by frame, None when there is none."""
    rows = games.decisions_of(e)
    placed = games.episode["buttons"][e] == 0
    try:
        buttons = buttons_of(games, e)
        played = frames.play(games.start[e : e + 1], buttons)
    except ValueError as error:
        return Difference(e, 0, str(error))
    recorded = {name: games.decision[name][rows] for name in (*VIEW, *EVENTS, "player", "action")}
    ours = played.decision
    count = len(recorded["action"])
    if placed:
        ours["digest"] = _clock_digests(games, e, played.states)
    names = [name for name in recorded if name != "digest" or games.same_engine]
    common = min(count, len(ours))
    differs = {name: _rows_differ(ours[name][:common], recorded[name][:common]) for name in names}
    row = min((int(rows[0]) for rows in map(np.flatnonzero, differs.values()) if len(rows)), default=None)
    if row is not None:
        name = next(name for name in names if differs[name][row])
        text = f"{name} is {_show(ours[name][row])} frame by frame, {_show(recorded[name][row])} in the file"
        return Difference(e, row, text)
    if len(ours) < count and not (games.players == 2 and played.outcome):
        return Difference(e, len(ours), f"{len(ours)} decisions frame by frame, {count} in the file")
    if not placed:
        return _end(games, e, played.outcome, played.end_digest, played.frames)
    recorded_outcome = int(games.episode["outcome"][e])
    if recorded_outcome in (CLEARED, TOP_OUT) and played.outcome != recorded_outcome:
        return Difference(
            e, count, f"{OUTCOMES[played.outcome]} frame by frame, {OUTCOMES[recorded_outcome]} in the file"
        )
    return None


def buttons_of(games: Games, e: int) -> NDArray[np.uint8]:
    """u8[T, P]: what to hold in every frame from the first state of an episode on; T ends with the episode.

    Episodes of placements: the planner's script of each, then nothing until the next capsule. ValueError for a
    placement that cannot be reached.
    """
    if games.episode["buttons"][e]:
        return games.buttons_of(e)
    rows = games.decisions_of(e)
    table = {name: column[rows] for name, column in games.decision.items()}
    length = max((int(table["tau"][table["player"] == seat].sum()) for seat in range(games.players)), default=0)
    buttons = np.zeros((length, games.players), np.uint8)
    speed = np.atleast_1d(games.episode["speed"][e])
    at = [0] * games.players
    for i, seat in enumerate(table["player"].tolist()):
        script = dm.script(
            table["bottle"][i],
            table["capsule"][i],
            int(table["frame_counter"][i]),
            int(speed[seat]),
            int(table["speed_ups"][i]),
            int(table["action"][i]),
        )
        end = min(at[seat] + len(script), length)
        buttons[at[seat] : end, seat] = script[: end - at[seat]]
        at[seat] += int(table["tau"][i])
    return buttons


def _clock_digests(games: Games, e: int, states: NDArray[np.void]) -> NDArray[np.uint64]:
    """Digests of states with the fields of `SCRATCH` as `Decisions` leaves them."""
    states = states.copy()
    for player in range(games.players):
        for name in SCRATCH:
            states[f"p{player + 1}_{name}"] = games.start[f"p{player + 1}_{name}"][e]
    return frames.digests(states, games.players)
