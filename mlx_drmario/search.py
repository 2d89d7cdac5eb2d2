"""Search as a policy: what a player may know, given to `dm.Search` (docs/search.md)."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.ranges import Range, check_ranges, ranges
from mlx_drmario.spec import FALL, PLAY, RESOLVE, check_one_player, placement_words

Roots = dict[str, Any]
"""The arguments of `dm.Search.choose` that describe N players' situations, by name, each [N, ...]"""


@dataclass(frozen=True)
class Budget:
    """How far an online search looks; the arguments of `dm.Search.choose`, which explains them."""

    plies: Annotated[int, Range(1, 3)] = 1
    """1: this capsule; 2: and the preview; 3: and capsules after it"""
    first: Annotated[int, Range(1, 256)] = 256
    """moves of this capsule that are followed"""
    boards: Annotated[int, Range(1, 256)] = 40
    """boards after the preview that are followed; with a number of futures, all of them through the first quarter, half
    of them through the second, and so on"""
    screened: Annotated[int, Range(0, 256)] = 0
    """if more than `boards`: boards after the preview that are looked at with every capsule that may come third; those
    that are best in the mean are followed"""
    depth: Annotated[int, Range(1, 32)] = 1
    """capsules after the preview"""
    width: Annotated[int, Range(1, 16)] = 1
    """boards kept after each of them"""
    sequences: Annotated[int, Range(0, 4_096)] = 0
    """futures of those capsules; 0: as many as make the law of the first exact"""
    nodes: Annotated[float, Range(0, 10**15)] = 0
    """no further future is begun after so many boards; 0: no limit"""
    ms: Annotated[float, Range(0, 10**9)] = 0
    """no further future is begun after so many milliseconds; 0: no limit. Makes play depend on the machine's speed"""

    def __post_init__(self) -> None:
        check_ranges(self)


AnyBudget = TypeVar("AnyBudget", bound=Budget)

BUDGETS: dict[str, Budget] = {
    "1ply": Budget(plies=1),
    "2ply": Budget(plies=2, first=16),
    "3ply": Budget(plies=3, first=16),
    "sampled": Budget(plies=3, first=16, boards=16, depth=6, width=2, sequences=8),
    "deep": Budget(plies=3, first=32, boards=24, screened=192, depth=6, width=2, sequences=12),
}
"""Searches by name"""


READ: dict[int, tuple[str, ...]] = {
    1: ("plies",),
    2: ("plies", "first"),
    3: tuple(field.name for field in dataclasses.fields(Budget)),
}
"""The settings that matter, by the number of plies"""


def roots_of(view: dm.PublicView) -> Roots:
    """What the players of N one-player games know; nothing of the reserve beyond the preview.

    Raises ValueError for games of two players.
    """
    check_one_player(view, "a search")
    return {name: view.public[name].copy() for name in _PUBLIC}


_PUBLIC = (
    "bottle", "capsule", "preview", "frame_counter", "speed", "speed_ups", "level", "viruses_left", "capsules_thrown",
)  # fmt: skip


def chosen_rows(roots: Roots, rows: NDArray[Any]) -> Roots:
    """The situations of some rows (indices or mask)."""
    return {name: values[rows] for name, values in roots.items()}


class Parts:
    """Cuts rows into parts that native code is called with one by one, for Ctrl-C is seen only between two calls."""

    SECONDS = 0.1
    """that a call of one part takes, by and large"""

    def __init__(self, threads: int) -> None:
        self.least = self.size = 2 * threads

    def __call__(self, rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        """The parts, whose size follows the time that each takes until the next is asked for."""
        begin = 0
        while begin < len(rows):
            part = rows[begin : begin + self.size]
            begin += len(part)
            start = time.perf_counter()
            yield part
            seconds = time.perf_counter() - start
            if seconds > 2 * self.SECONDS:
                self.size = max(self.least, self.size // 2)
            elif seconds < self.SECONDS / 2 and len(part) == self.size:
                self.size *= 2


def decided(actions: NDArray[np.int32]) -> NDArray[np.int32]:
    """What `dm.Search.choose` chose for every situation; RuntimeError when it was stopped before that."""
    if (actions < 0).any():
        raise RuntimeError(f"search was stopped before it had chosen for {(actions < 0).sum()} of {len(actions)} games")
    return actions


def check_budget(budget: object, kind: type[Budget], maker: str) -> None:
    """TypeError for what is no budget of this kind."""
    if not isinstance(budget, kind):
        raise TypeError(f"budget is {budget!r}; it must be a {kind.__name__}, as {maker} makes of a name")


class SearchPolicy:
    """Plays by search; every game the same whatever else is in its batch, unless the budget is in milliseconds."""

    def __init__(self, budget: Budget, search: dm.Search | None = None) -> None:
        """Raises TypeError for a budget that is none, such as the name of one (`parse` gives that)."""
        check_budget(budget, Budget, "search.parse")
        self.budget = budget
        self.search = search or dm.Search()
        self._parts = Parts(self.search.threads)

    def act(self, view: dm.PublicView) -> NDArray[np.int32]:
        """See `evaluate.Policy.act`; ended games get action 0. RuntimeError when the search was stopped."""
        roots, options = roots_of(view), dataclasses.asdict(self.budget)
        actions = np.zeros(view.num_envs, np.int32)
        for part in self._parts(np.flatnonzero(~view.ended)):
            actions[part] = decided(self.search.choose(**chosen_rows(roots, part), **options)[0])
        return actions


def parse(text: str) -> Budget:
    """The budget that `text` names: "2ply", or with changes "sampled,ms=10,boards=8".

    Raises:
        ValueError: an unknown name or setting, one that has no effect, or a value that is not a number in its range.
    """
    name, *changes = text.split(",")
    if name not in BUDGETS:
        raise ValueError(f"no search {name!r}; choose one of {', '.join(BUDGETS)}")
    budget = changed(BUDGETS[name], changes)
    for change in changes:
        setting = change.partition("=")[0]
        if setting not in READ[budget.plies]:
            read = " and ".join(READ[budget.plies])
            raise ValueError(f"{change} has no effect: a search with plies={budget.plies} reads {read}")
    return budget


def changed(budget: AnyBudget, changes: list[str]) -> AnyBudget:
    """A budget with changes, each "NAME=NUMBER"; ValueError as of `parse`."""
    kind: Any = type(budget)
    kinds = ranges(kind)
    values: dict[str, Any] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or key not in kinds:
            raise ValueError(f"no setting {change!r}; give NAME=NUMBER with a name of {', '.join(kinds)}")
        if key in values:
            raise ValueError(f"{key} is given twice")
        try:
            values[key] = int(value) if kinds[key][1] else float(value)
        except ValueError:
            what = "a whole number" if kinds[key][1] else "a number"
            raise ValueError(f"{key} must be {what}, got {value!r}") from None
    made = dataclasses.replace(budget, **values)
    if 0 < made.screened <= made.boards:
        raise ValueError(f"screened={made.screened} has no effect: it must be 0 or more than boards={made.boards}")
    return made


@dataclass(frozen=True)
class Step:
    """One capsule of a line."""

    colors: str
    """first and second colour: Y, R or B each"""
    placement: str
    """where the halves lie, as `spec.placement_words`"""
    frames: int
    """tau: from its first controllable frame to the next capsule's, or to the end"""
    viruses_cleared: int
    viruses_left: int
    clock: int
    """frames so far"""


def _listed(actions: Sequence[int] | NDArray[Any]) -> list[int]:
    """The placements of a line as plain numbers; ValueError for what is no row of whole ones."""
    given = np.asarray(actions)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        what = f"{given.dtype} of shape {list(given.shape)}"
        raise ValueError(f"actions must be a list or an array [N] of whole numbers, got {what}")
    return [int(action) for action in given]


def replay_line(games: dm.Decisions, actions: Sequence[int] | NDArray[Any]) -> Iterator[Step]:
    """Play the actions in one parked game, which is moved; a Step after each.

    Raises:
        ValueError: not whole numbers, an action that is not legal there, or one after the game's end.
    """
    for n, action in enumerate(_listed(actions)):
        if games.ended[0]:
            raise ValueError(f"actions has {len(actions)} entries, and the game is over after {n}")
        state = games.state[0]
        capsule = int(state["p1_pill_color_l"]), int(state["p1_pill_color_r"])
        games.step(np.array([action], np.int32))
        yield Step(
            colors="YRB"[capsule[0]] + "YRB"[capsule[1]],
            placement=placement_words(action, capsule),
            frames=int(games.tau[0]),
            viruses_cleared=int(games.viruses_cleared[0]),
            viruses_left=int(games.viruses_left[0]),
            clock=int(games.frames[0]),
        )


def script_of(state: np.void, action: int, player: int = 0) -> NDArray[np.uint8]:
    """`dm.script` from a state: the buttons held in each frame, u8[T], that lock the player's capsule at `action`.

    state: a row of `Decisions.state` or `Batch.state` with a capsule that can be moved from the next frame on. Raises
    ValueError if the placement cannot be reached.
    """
    name = f"p{player + 1}_".__add__
    colors = np.array([state[name("pill_color_l")], state[name("pill_color_r")]], np.uint8)
    setting, ups = int(state[name("speed_setting")]), int(state[name("speed_ups")])
    return dm.script(state[name("bottle")], colors, int(state["frame_counter"]), setting, ups, action)


def verify_line(
    level: int, speed: int, seed: int, frame_counter: int, actions: Sequence[int] | NDArray[Any]
) -> int | None:
    """Frames to clear of a line, played frame by frame from reset by the buttons of its placements; None: not cleared.

    Knows nothing of the decision loop: every frame is the engine's.

    Raises:
        ValueError: not whole numbers, a placement that cannot be reached when its capsule comes, or one after the
            level is cleared.
    """
    batch = dm.Batch(num_envs=1, threads=1)
    batch.reset(level, speed, seed, frame_counter)
    nothing = np.zeros((1, 1), np.uint8)
    frames = 0
    for n, action in enumerate(_listed(actions)):
        while batch.state["p1_next_action"][0] != FALL:
            if batch.state["p1_virus_left_bcd"][0] == 0:
                raise ValueError(f"actions has {len(actions)} entries, and the level is cleared after {n}")
            if batch.state["mode"][0] != PLAY:
                return None
            batch.step(nothing)
            frames += frames > 0
        state = batch.state[0]
        buttons = script_of(state, action)
        batch.run(buttons[:, None, None])
        frames += len(buttons)
    while batch.state["p1_virus_left_bcd"][0] and batch.state["p1_next_action"][0] == RESOLVE:
        batch.step(nothing)
        frames += 1
    return frames if batch.state["p1_virus_left_bcd"][0] == 0 else None
