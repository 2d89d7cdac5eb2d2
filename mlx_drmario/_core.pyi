"""The compiled core: engine and planner."""

from collections.abc import Sequence
from typing import Annotated

import numpy
import numpy.typing
from numpy.typing import NDArray

class Batch:
    """
    N games stepped together, one video frame at a time, exactly as the console plays them.
    """

    def __init__(self, num_envs: int, players: int = 1, threads: int = 0) -> None:
        """
        num_envs games of 1 or 2 players on `threads` threads (0: one per core). Thread count never changes a result.
        """

    def reset(
        self,
        level: object,
        speed: object,
        seed: object,
        frame_counter: object = 0,
        start: str = "play",
        mask: object | None = None,
    ) -> None:
        """
        Starts new games where mask (bool[N], None = all) is set. Scalars or integer arrays [N]; level 0..24 and
        speed 0 LOW, 1 MED, 2 HI also [N, 2] for two players; seed: the RNG word just before the reserve is made.
        start='play': the first sample of play; 'init': the sample before the level set-up, from which the intro
        is played frame by frame. frame_counter is the counter's value in that sample.
        Raises ValueError or TypeError naming the argument; the batch is then unchanged.
        """

    def step(self, buttons: object) -> None:
        """
        One frame. buttons: u8[N, P], bits A 80 B 40 SELECT 20 START 10 UP 8 DOWN 4 LEFT 2 RIGHT 1.
        """

    def run(self, buttons: object, record: Sequence[str] = ()) -> dict[str, object]:
        """
        Plays T frames of buttons u8[T, N, P]; returns {field: u8[T, N, ...]} of the recorded state fields.
        """

    @property
    def state(self) -> numpy.typing.NDArray[numpy.void]:
        """
        Read-only structured view [N] of the games, field names of the golden recordings.
        """

    def set_state(self, state: object, reserve: object | None = None) -> None:
        """
        Loads games from a structured array [N] with field names of `state` (missing fields are 0) and a reserve
        u8[N, 128] (None: the state's own). Raises ValueError for values the engine could not run on.
        """

    @property
    def bottles(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """Read-only view u8[N, P, 16, 8] of the bottles."""

    def save(self) -> bytes:
        """A snapshot of all games, for load()."""

    def load(self, blob: object) -> None:
        """
        Restores a snapshot of a batch with the same N and P; ValueError if it does not fit.
        """

    def observe(self, planes: str = "extended") -> tuple[NDArray[numpy.uint8], NDArray[numpy.float32]]:
        """
        (planes u8[N, C, 16, 8], scalars f32[N, S]) of player 1 in the current frame; planes of legal placements are 0.
        """

    def digest(self) -> NDArray[numpy.uint64]:
        """u64[N]: a hash of each game's full state."""

    @property
    def num_envs(self) -> int: ...
    @property
    def players(self) -> int: ...
    @property
    def threads(self) -> int: ...

def plane_names(planes: str) -> tuple[str, ...]:
    """Names of the planes of a set ('bitplane' or 'extended'), in order"""

def scalar_names() -> tuple[str, ...]:
    """Names of the scalars, in order"""

class Decisions:
    """
    N one-player games moved from spawn to spawn. The arrays are read-only views of buffers that
    reset, step and load rewrite in place: copy what you keep.
    """

    def __init__(self, num_envs: int, planes: str = "bitplane", threads: int = 0, max_decisions: int = 0) -> None:
        """
        planes: 'bitplane' or 'extended'; threads 0: one per core; max_decisions 0: games are never truncated.
        """

    def reset(
        self, level: object, speed: object, seed: object, frame_counter: object = 0, mask: object | None = None
    ) -> None:
        """
        Starts new games where mask (bool[N], None = all) is set and parks them before their first controllable
        frame. Scalars or integer arrays [N]: level 0..24, speed 0 LOW, 1 MED, 2 HI, seed 2..65535,
        frame_counter: its value in the first sample of play. Raises ValueError or TypeError naming the argument.
        """

    def step(self, action: object) -> None:
        """
        One decision, i32[N], for every game that has not ended (the others' entries are ignored).
        Raises ValueError naming the first illegal action; nothing has moved then.
        """

    def sample_legal(self, seed: int) -> NDArray[numpy.int32]:
        """
        i32[N]: a uniformly drawn legal action of every running game (0 for the others). A hash of the seed (u64) and
        the game's digest, so a game is played the same whatever else is in the batch.
        """

    def afterstates(self) -> Afterstates:
        """
        Resolves every legal placement of every running game without moving the games.
        """

    def perft(self, depth: int) -> tuple[NDArray[numpy.uint64], NDArray[numpy.uint64]]:
        """
        (nodes u64[N], frames u64[N]): placement sequences of exactly `depth` (1..8) decisions from every running
        game, and the sum of their last placements' frames_to_lock.
        """

    def set_state(self, state: object, reserve: object | None = None) -> None:
        """
        Loads parked games from a structured array [N] (fields of `state`; missing ones are 0) and a reserve
        u8[N, 128]; counters start at 0. ValueError if a game is not before its first controllable frame.
        """

    def set_bottles(self, bottle: object, mask: object | None = None) -> None:
        """
        Replaces the bottles, u8[N, 128], of the running games where mask (bool[N], None = all) is set. The viruses
        in a bottle, 1..99, become the game's; reserve, capsule, clocks, counters and the columns of the last step
        stay, and so do the other games (their rows are not read). ValueError for an ended game and for bottles that
        set_state would refuse, also where the capsule waits (row 0, columns 3 and 4); nothing has changed then.
        """

    @property
    def state(self) -> numpy.typing.NDArray[numpy.void]:
        """Read-only structured view [N], as Batch.state"""

    def save(self) -> bytes:
        """A snapshot of all games and counters, for load()."""

    def load(self, blob: object) -> None:
        """Restores a snapshot of equal N; the event columns stay as they are."""

    def digest(self) -> NDArray[numpy.uint64]:
        """u64[N]: a hash of each game's full state"""

    @property
    def num_envs(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def planes(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N, C, 16, 8] of 0 and 1, in the order of plane_names"""

    @property
    def scalars(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """f32[N, S], in the order of scalar_names"""

    @property
    def legal(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N, 512]: True = legal; all False for an ended game"""

    @property
    def frames_to_lock(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """
        u16[N, 512]: frames until the fastest script locks there, 65535 = unreachable
        """

    @property
    def plane_names(self) -> tuple[str, ...]: ...
    @property
    def scalar_names(self) -> tuple[str, ...]: ...
    @property
    def plane_set(self) -> str: ...
    @property
    def tau(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """
        u32[N]: frames from this decision's first controllable frame to the next one's; at the end of a game up
        to and including the frame of the last virus or of the blocked spawn. 0 for games that did not move.
        """

    @property
    def viruses_cleared(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N], by the last step"""

    @property
    def halves_cleared(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N], by the last step"""

    @property
    def combos(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N]: runs cleared by the last step"""

    @property
    def cascade(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N]: match passes that cleared something"""

    @property
    def cleared(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N]: the last step took the last virus"""

    @property
    def top_out(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N]: the last step ended in a blocked spawn"""

    @property
    def truncated(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N]: the last step reached max_decisions"""

    @property
    def ended(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N]: the game is over until reset"""

    @property
    def viruses_left(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N]"""

    @property
    def decisions(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """u32[N]: decisions made in this game"""

    @property
    def frames(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """u32[N]: sum of tau in this game"""

class Afterstates:
    """
    Every legal placement of every running game, resolved; M rows sorted by (env, action).
    """

    @property
    def env(self) -> Annotated[NDArray[numpy.int32], dict(writable=False)]:
        """i32[M]: which game"""

    @property
    def action(self) -> Annotated[NDArray[numpy.int32], dict(writable=False)]:
        """i32[M]"""

    @property
    def bottle(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[M, 128]: the settled bottle, before the next capsule"""

    @property
    def viruses_cleared(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[M]"""

    @property
    def halves_cleared(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[M]"""

    @property
    def combos(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[M]: runs cleared"""

    @property
    def cascade(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[M]: match passes that cleared something"""

    @property
    def tau(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """u32[M]: frames until the next decision or the end"""

    @property
    def cleared(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[M]: last virus gone"""

    @property
    def top_out(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[M]: the next capsule is blocked"""

def reach(
    bottle: object, colors: object, frame_counter: object, speed: object, speed_ups: object
) -> NDArray[numpy.uint16]:
    """
    u16[N, 512]: for every placement the least number of frames until the capsule locks there (1 = in the first
    controllable frame), 65535 = unreachable. bottle u8[N, 128], colors u8[N, 2], frame_counter (in the last sample
    before the first controllable frame), speed and speed_ups: integers [N]. Nothing is held before.
    """

def script(
    bottle: object, colors: object, frame_counter: int, speed: int, speed_ups: int, action: int
) -> NDArray[numpy.uint8]:
    """
    u8[T]: the buttons held in each frame that lock the capsule at `action`, T = its frames_to_lock.
    ValueError if it cannot be reached.
    """

def canonical(action: int) -> int:
    """
    The name under which an equal-coloured capsule's placement appears in the mask.
    """

class Versus:
    """
    N two-player rounds; each side decides at its own spawns while the other may still be falling
    (docs/decisions.md). The arrays are read-only views that reset, step and load rewrite.
    """

    def __init__(self, num_envs: int, planes: str = "bitplane", threads: int = 0) -> None: ...
    def reset(
        self, level: object, speed: object, seed: object, frame_counter: object = 0, mask: object | None = None
    ) -> None:
        """
        Starts new rounds where mask is set; level and speed: scalars, [N] or [N, 2]. Both sides then wait.
        """

    def step(self, action: object) -> None:
        """
        i32[N, 2]: decisions of the sides with to_act (other entries are ignored); every round then runs until a
        side waits again or it ends. ValueError naming the first illegal action; nothing has moved then.
        """

    @property
    def planes(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """
        u8[N, 2, C, 16, 8] of each side's own bottle; a capsule that is falling shows at its spawn
        """

    @property
    def state(self) -> numpy.typing.NDArray[numpy.void]:
        """Structured copy [N], fields as Batch.state with two players"""

    def set_state(self, state: object, reserve: object | None = None) -> None:
        """
        Loads rounds in which both sides are before their first controllable frame, from a structured array [N].
        """

    def save(self) -> bytes:
        """A snapshot of all rounds, for load()."""

    def load(self, blob: object) -> None:
        """Restores a snapshot of equal N."""

    @property
    def num_envs(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def to_act(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N, 2]: whose decision is due"""

    @property
    def legal(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N, 2, 512]; all False unless to_act"""

    @property
    def frames_to_lock(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """u16[N, 2, 512]; 65535 = unreachable"""

    @property
    def scalars(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """f32[N, 2, S] of each side"""

    @property
    def tau(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """
        u32[N, 2]: frames since the side's last decision; complete when to_act, or when the round ended
        """

    @property
    def viruses_cleared(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N, 2], since its last decision"""

    @property
    def halves_cleared(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N, 2]"""

    @property
    def combos(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N, 2]: runs cleared, also by garbage"""

    @property
    def cascade(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N, 2]: match passes that cleared something"""

    @property
    def attack_sent(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N, 2]: size of the attacks it made"""

    @property
    def garbage_received(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N, 2]: halves it received"""

    @property
    def viruses_left(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N, 2]"""

    @property
    def winner(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N]: 0 nobody yet, 1 or 2 that player, 3 draw"""

    @property
    def ended(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N]: the round is over until reset"""
