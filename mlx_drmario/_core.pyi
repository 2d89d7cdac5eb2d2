"""The compiled core: engine and planner."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy
import numpy.typing
from numpy.typing import NDArray

class Batch:
    """
    N games stepped together, one video frame at a time, exactly as the console plays them.
    Calls from several threads take turns; the views are live: copy what you keep. Can be pickled.
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
        One frame. buttons: integers 0..255 [N, P], bits A 80 B 40 SELECT 20 START 10 UP 8 DOWN 4 LEFT 2 RIGHT 1.
        """

    def run(self, buttons: object, record: Sequence[str] = ()) -> dict[str, object]:
        """
        Plays T frames of buttons [T, N, P]; returns {field: u8[T, N, ...]} of the recorded state fields.
        """

    def observe(self, planes: str = "extended") -> tuple[NDArray[numpy.uint8], NDArray[numpy.float32]]:
        """
        (planes u8[N, C, 16, 8], scalars f32[N, S]) of player 1 in the current frame; planes of legal placements are 0.
        """

    @property
    def state(self) -> numpy.typing.NDArray[numpy.void]:
        """
        Read-only structured view [N] of the games, field names of the golden recordings.
        """

    @property
    def events(self) -> numpy.typing.NDArray[numpy.void]:
        """
        Read-only structured view [N, P]: what happened in the last step or run (event_names(), docs/decisions.md);
        all zero after reset, load and set_state.
        """

    @property
    def bottles(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """Read-only view u8[N, P, 16, 8] of the bottles."""

    def set_state(self, state: object, reserve: object | None = None) -> None:
        """
        Loads games from a structured array [N] with field names of `state` (missing fields are 0) and a reserve
        u8[N, 128] (None: the state's own). Raises ValueError for other fields and values the engine could not run
        on.
        """

    def save(self) -> bytes:
        """A snapshot of all games, for load()."""

    def load(self, blob: object) -> None:
        """
        Restores a snapshot (any buffer) of a batch with the same N and P; ValueError if it does not fit or is damaged.
        """

    def digest(self) -> NDArray[numpy.uint64]:
        """u64[N]: a hash of each game's `state` and reserve."""

    def __getstate__(self) -> tuple[object, ...]: ...
    def __setstate__(self, arg: tuple[int, int, int, bytes], /) -> None: ...
    @property
    def num_envs(self) -> int: ...
    @property
    def players(self) -> int: ...
    @property
    def threads(self) -> int: ...

def plane_names(planes: str) -> tuple[str, ...]:
    """Names of the planes of a set ('bitplane' or 'extended'), in order"""

def digests(
    states: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
) -> NDArray[numpy.uint64]:
    """
    u64[N]: hashes as Batch.digest, of the bytes of states u8[N, itemsize of Batch.state]. ValueError for rows of
    another length. The array must not be written to meanwhile. Take bytes of the state itself,
    `np.array(batch.state.view(np.uint8))`: a copy of a structured array has anything between its fields.
    """

def scalar_names() -> tuple[str, ...]:
    """Names of the scalars, in order"""

def event_names() -> tuple[str, ...]:
    """Names of the event columns, in order"""

class FirstBlock:
    """
    The first block of the axial encoder (nets/encoder.py) on 0/1 planes u8[B, C, 16, 8], and its gradient.

    Plane c of a decision is planes[source[c]], source i32[B, C], C at most 32. cells f32[B, 16, 8, K] =
    relu(mix f32[K, K] (to, from) x + bias f32[K]), where x = relu(convolutions along whole columns and rows +
    position f32[16, 8, K] + shift f32[B, K]); squeezed f32[B, 1024] = relu(squeeze f32[8, K] of every cell +
    squeezing_bias f32[8]), or f32[B, 0] for weights of no rows. column f32[31, C, K] and row f32[15, C, K] hold
    weights by offset: where to, less where from, plus 15 or 7. ValueError for other shapes or values. Nobody may
    write to the arrays meanwhile.
    """

    def __init__(
        self,
        planes: Annotated[
            NDArray[numpy.uint8], dict(shape=(None, None, 16, 8), order="C", device="cpu", writable=False)
        ],
        source: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
        column: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        row: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        position: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        shift: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        mix: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        bias: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        squeeze: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        squeezing_bias: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
    ) -> None: ...
    @property
    def cells(self) -> NDArray[numpy.float32]:
        """f32[B, 16, 8, K]."""

    @property
    def squeezed(self) -> NDArray[numpy.float32]:
        """f32[B, 1024 or 0]."""

    def gradient(
        self,
        of_cells: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        of_squeezed: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
    ) -> tuple[
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
    ]:
        """
        The gradients of column, row, position, shift, mix, bias, squeeze and squeezing_bias, for those of cells
        and squeezed.
        """

class Scored:
    """
    What a head says of M placements that scores the cells f32[B, 16, 8, K] they fill, and its gradient.

    A placement's score is its first half's cell times halves[b, orientation], plus its second half's (0 above the
    bottle) times halves[b, 4 + orientation] of f32[B, 8, K], plus orientation f32[4] at its own, plus facts
    f32[M, F] times gain f32[F]. Rows of decision i32[M] ascend; those of decision B are padding. action i32[M].
    ValueError for other shapes or values. Nobody may write to the arrays meanwhile.
    """

    def __init__(
        self,
        cells: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        decision: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        action: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        facts: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        halves: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        orientation: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        gain: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
    ) -> None: ...
    @property
    def log_probs(self) -> NDArray[numpy.float32]:
        """
        f32[M]: log-softmax of the scores over the rows of each decision, 0 for padding.
        """

    def gradient(
        self, of_log_probs: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)]
    ) -> tuple[NDArray[numpy.float32], NDArray[numpy.float32], NDArray[numpy.float32], NDArray[numpy.float32]]:
        """
        The gradients of cells, halves, orientation and gain, for that of log_probs.
        """

class Judged:
    """
    What the features head says of M placements (nets/features.py), and its gradient.

    cells f32[B, 16, 8, K] are what the halves read; shift f32[B, H] is added to every placement of
    a decision; facts f32[M, F] and orientation f32[4, H] are its own. With x = relu(shift +
    orientation + told f32[H, F] facts + halves f32[2 H, K] (H for the first half's cell, H for the
    second's), 0 above the bottle), its score is score f32[H] (x + relu(mix f32[H, H] x + bias
    f32[H])). Rows of decision B are padding. ValueError for other shapes or values. Nobody may
    write to the arrays meanwhile.
    """

    def __init__(
        self,
        cells: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        shift: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        decision: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        action: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        facts: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        halves: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        told: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        orientation: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        mix: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        bias: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        score: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
    ) -> None: ...
    @property
    def log_probs(self) -> NDArray[numpy.float32]:
        """
        f32[M]: log-softmax of the scores over the rows of each decision, 0 for padding.
        """

    def gradient(
        self, of_log_probs: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)]
    ) -> tuple[
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
        NDArray[numpy.float32],
    ]:
        """
        The gradients of cells, shift, halves, told, orientation, mix, bias and score, for that of log_probs.
        """

class PublicView:
    """
    What the players of N games may know, live: policies, environments and search get this and
    nothing else. Arrays as in Decisions; the capsules after the preview are not here.
    """

    def afterstates(self) -> Afterstates:
        """As Decisions.afterstates."""

    def sample_legal(self, seed: object | None) -> NDArray[numpy.int32]:
        """As Decisions.sample_legal."""

    @property
    def planes(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N, C, 16, 8] of 0 and 1, in the order of plane_names"""

    @property
    def scalars(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """f32[N, S], in the order of scalar_names"""

    @property
    def legal(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N, 512]: True = legal; all False where no decision is due"""

    @property
    def frames_to_lock(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """
        u16[N, 512]: frames until the fastest script locks there, 65535 = unreachable
        """

    @property
    def public(self) -> numpy.typing.NDArray[numpy.void]:
        """
        Structured view [N]: bottle, capsule, preview, counters, the opponent's bottle; docs/decisions.md
        """

    @property
    def plane_names(self) -> tuple[str, ...]: ...
    @property
    def scalar_names(self) -> tuple[str, ...]: ...
    @property
    def plane_set(self) -> str: ...
    @property
    def num_envs(self) -> int: ...
    @property
    def players(self) -> int: ...
    @property
    def tau(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """[N], told by the last step: frames of play, the last one included"""

    @property
    def capsules(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: capsules locked"""

    @property
    def viruses_cleared(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: viruses cleared"""

    @property
    def viruses_by_color(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: the same by colour: yellow, red, blue"""

    @property
    def halves_cleared(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: capsule halves cleared"""

    @property
    def combos(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: runs cleared"""

    @property
    def runs_after_first(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """
        [N], told by the last step: runs beyond the first of a lock (or of a delivery of garbage)
        """

    @property
    def cascade(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: match passes that cleared something"""

    @property
    def passes_after_first(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """
        [N], told by the last step: clearing passes beyond the first of a lock (or of a delivery)
        """

    @property
    def attack_sent(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """
        [N], told by the last step: halves added to the attack on the opponent, who gets at most 4 of them
        """

    @property
    def garbage_received(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """
        [N], told by the last step: halves of the opponent's attack that fell into this bottle
        """

    @property
    def cleared(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """
        [N], told by the last step: the round ended with no virus of this player left
        """

    @property
    def top_out(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """
        [N], told by the last step: the round ended with this player's new capsule blocked
        """

    @property
    def won(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """
        [N], told by the last step: the round ended: cleared alone, or the other topped out alone
        """

    @property
    def to_act(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N]: a decision is due"""

    @property
    def viruses_left(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N]"""

    @property
    def decisions(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """u32[N]: made in this game"""

    @property
    def frames(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """u32[N]: sum of tau in this game"""

    @property
    def truncated(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N]: the game reached max_decisions in the last step"""

    @property
    def ended(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N]: the game is over until reset"""

    @property
    def winner(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N]: 0 nobody (yet, or a lost one-player game), 1, 2, 3 draw"""

class Afterstates:
    """
    Every legal placement of every seat whose decision is due, resolved as if nothing else
    happened meanwhile; M rows sorted by (env, player, action).
    """

    @property
    def env(self) -> Annotated[NDArray[numpy.int32], dict(writable=False)]:
        """i32[M]: which game"""

    @property
    def player(self) -> Annotated[NDArray[numpy.int32], dict(writable=False)]:
        """i32[M]: which seat, 0 in one-player games"""

    @property
    def action(self) -> Annotated[NDArray[numpy.int32], dict(writable=False)]:
        """i32[M]"""

    @property
    def bottle(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """
        u8[M, 128]: the settled bottle, before the next capsule; of a cleared game with its last runs still there,
        marked 0xB0, and nothing fallen into their place
        """

    @property
    def tau(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """frames of play, the last one included"""

    @property
    def capsules(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """capsules locked"""

    @property
    def viruses_cleared(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """viruses cleared"""

    @property
    def viruses_by_color(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """the same by colour: yellow, red, blue"""

    @property
    def halves_cleared(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """capsule halves cleared"""

    @property
    def combos(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """runs cleared"""

    @property
    def runs_after_first(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """runs beyond the first of a lock (or of a delivery of garbage)"""

    @property
    def cascade(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """match passes that cleared something"""

    @property
    def passes_after_first(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """clearing passes beyond the first of a lock (or of a delivery)"""

    @property
    def attack_sent(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """halves added to the attack on the opponent, who gets at most 4 of them"""

    @property
    def garbage_received(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """halves of the opponent's attack that fell into this bottle"""

    @property
    def cleared(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """the round ended with no virus of this player left"""

    @property
    def top_out(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """the round ended with this player's new capsule blocked"""

    @property
    def won(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """the round ended: cleared alone, or the other topped out alone"""

class Decisions:
    """
    N games moved from spawn to spawn. One player: arrays [N, ...]; two: a row per seat, [N, 2, ...].
    The arrays are read-only views of buffers that calls rewrite in place: copy what you keep, or see `copy`.
    Calls from several threads take turns. Event columns tell of the decision that ended in the last step, once;
    they are 0 for a seat whose decision goes on, for an ended game, and after reset, load and set_state. Can be
    pickled.
    """

    def __init__(
        self,
        num_envs: int,
        planes: str = "bitplane",
        threads: int = 0,
        max_decisions: int = 0,
        players: int = 1,
        copy: bool = False,
    ) -> None:
        """
        planes: 'bitplane' or 'extended'; threads 0: one per core; max_decisions 0: games are never truncated;
        copy: planes, scalars, legal and frames_to_lock stay as they are for as long as anybody holds them; see take().
        """

    def reset(
        self, level: object, speed: object, seed: object, frame_counter: object = 0, mask: object | None = None
    ) -> None:
        """
        Starts new games where mask (bool[N], None = all) is set and advances them to their first decision.
        Scalars or integer arrays [N]: level 0..24, speed 0 LOW, 1 MED, 2 HI (both also [N, 2]), seed 2..65535,
        frame_counter: its value in the first sample of play. The event columns of all games are 0 after it.
        Raises ValueError or TypeError naming the argument; nothing has changed then.
        """

    def step(self, action: object | None, mask: object | None = None) -> None:
        """
        One decision, integers [N] or [N, 2], of every seat whose decision is due (other entries are ignored), in
        the games where mask (bool[N], None = all) is set; the others wait, and their event columns are 0.
        Raises ValueError naming the first illegal action; nothing has moved then.
        """

    def sample_legal(self, seed: object | None) -> NDArray[numpy.int32]:
        """
        i32[N]: a uniformly drawn legal action of every seat whose decision is due (0 for the others). A hash of
        the seed (u64), the game's digest and the seat, so a game is played the same whatever else is in the batch.
        """

    def afterstates(self) -> Afterstates:
        """Resolves every legal placement without moving the games."""

    def perft(self, depth: int) -> tuple[NDArray[numpy.uint64], NDArray[numpy.uint64]]:
        """
        (nodes u64[N], frames u64[N]): placement sequences of exactly `depth` (1..8) decisions from every running
        one-player game, and the sum of their last placements' frames_to_lock.
        """

    def take(self) -> dict[str, numpy.typing.NDArray[Any]]:
        """
        planes, scalars, legal and frames_to_lock by name, of games that were made with copy=True (ValueError of
        others), to be kept and, but for frames_to_lock, to be written to. What is written changes no game; until
        the games change it shows in the other arrays of this observation as well.
        """

    @property
    def view(self) -> PublicView:
        """The public view of the games."""

    def set_state(self, state: object, reserve: object | None = None) -> None:
        """
        Loads games from a structured array [N] (fields of `state`; missing ones are 0) and a reserve u8[N, 128];
        counters start at 0. ValueError unless every player is before the first controllable frame of a capsule (in
        two-player games at least one; the other may still settle).
        """

    def set_bottles(self, bottle: object, mask: object | None = None) -> None:
        """
        Replaces the bottles, bytes [N, 128] or [N, 16, 8] (two players: [N, 2, ...]), of the games where mask
        (bool[N], None = all) is set. The viruses in a bottle, 1..99, become the player's; reserve, capsule, clocks,
        counters and the columns of the last step stay, and so do the other games. ValueError for an ended game,
        for a player who is not before a decision, and for bottles that set_state would refuse, also where the
        capsule waits (row 0, columns 3 and 4); nothing has changed then.
        """

    @property
    def state(self) -> numpy.typing.NDArray[numpy.void]:
        """
        Read-only structured view [N] of the full state, the coming capsules included, as Batch.state.
        """

    @property
    def events(self) -> numpy.typing.NDArray[numpy.void]:
        """
        Read-only structured view [N] of all event columns together, as Batch.events.
        """

    def save(self) -> bytes:
        """A snapshot of all games and counters, for load()."""

    def load(self, blob: object) -> None:
        """
        Restores a snapshot (any buffer) of equal N and P; the event columns are 0 after it. ValueError if it does
        not fit, is damaged, or holds a game that could not go on.
        """

    def digest(self) -> NDArray[numpy.uint64]:
        """
        u64[N]: a hash of each game's `state` and reserve; what a falling capsule of two players is to do is not in it
        """

    def __getstate__(self) -> tuple[object, ...]: ...
    def __setstate__(self, arg: tuple[int, str, int, int, int, bool, bytes], /) -> None: ...
    @property
    def planes(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N, C, 16, 8] of 0 and 1, in the order of plane_names"""

    @property
    def scalars(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """f32[N, S], in the order of scalar_names"""

    @property
    def legal(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N, 512]: True = legal; all False where no decision is due"""

    @property
    def frames_to_lock(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """
        u16[N, 512]: frames until the fastest script locks there, 65535 = unreachable
        """

    @property
    def public(self) -> numpy.typing.NDArray[numpy.void]:
        """
        Structured view [N]: bottle, capsule, preview, counters, the opponent's bottle; docs/decisions.md
        """

    @property
    def plane_names(self) -> tuple[str, ...]: ...
    @property
    def scalar_names(self) -> tuple[str, ...]: ...
    @property
    def plane_set(self) -> str: ...
    @property
    def num_envs(self) -> int: ...
    @property
    def players(self) -> int: ...
    @property
    def tau(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """[N], told by the last step: frames of play, the last one included"""

    @property
    def capsules(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: capsules locked"""

    @property
    def viruses_cleared(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: viruses cleared"""

    @property
    def viruses_by_color(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: the same by colour: yellow, red, blue"""

    @property
    def halves_cleared(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: capsule halves cleared"""

    @property
    def combos(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: runs cleared"""

    @property
    def runs_after_first(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """
        [N], told by the last step: runs beyond the first of a lock (or of a delivery of garbage)
        """

    @property
    def cascade(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """[N], told by the last step: match passes that cleared something"""

    @property
    def passes_after_first(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """
        [N], told by the last step: clearing passes beyond the first of a lock (or of a delivery)
        """

    @property
    def attack_sent(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """
        [N], told by the last step: halves added to the attack on the opponent, who gets at most 4 of them
        """

    @property
    def garbage_received(self) -> Annotated[NDArray[numpy.uint16], dict(writable=False)]:
        """
        [N], told by the last step: halves of the opponent's attack that fell into this bottle
        """

    @property
    def cleared(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """
        [N], told by the last step: the round ended with no virus of this player left
        """

    @property
    def top_out(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """
        [N], told by the last step: the round ended with this player's new capsule blocked
        """

    @property
    def won(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """
        [N], told by the last step: the round ended: cleared alone, or the other topped out alone
        """

    @property
    def to_act(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N]: a decision is due"""

    @property
    def viruses_left(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N]"""

    @property
    def decisions(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """u32[N]: made in this game"""

    @property
    def frames(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """u32[N]: sum of tau in this game"""

    @property
    def truncated(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N]: the game reached max_decisions in the last step"""

    @property
    def ended(self) -> Annotated[NDArray[numpy.bool_], dict(writable=False)]:
        """bool[N]: the game is over until reset"""

    @property
    def winner(self) -> Annotated[NDArray[numpy.uint8], dict(writable=False)]:
        """u8[N]: 0 nobody (yet, or a lost one-player game), 1, 2, 3 draw"""

    @property
    def threads(self) -> int: ...

def reach(
    bottle: object, colors: object, frame_counter: object, speed: object, speed_ups: object
) -> NDArray[numpy.uint16]:
    """
    u16[N, 512]: for every placement the least number of frames until the capsule locks there (1 = in the first
    controllable frame), 65535 = unreachable. bottle: bytes [N, 128] or [N, 16, 8]; colors: 0..2 [N, 2];
    frame_counter (in the last sample before the first controllable frame), speed and speed_ups: scalars or [N].
    Nothing is held before. All arguments are integers of any width.
    """

def script(
    bottle: object, colors: object, frame_counter: int, speed: int, speed_ups: int, action: int
) -> NDArray[numpy.uint8]:
    """
    u8[T]: the buttons held in each frame that lock the capsule at `action`, T = its frames_to_lock.
    bottle [128] or [16, 8], colors [2]. ValueError if it cannot be reached.
    """

def canonical(action: int) -> int:
    """
    The name under which an equal-coloured capsule's placement appears in the mask.
    """

class Search:
    """
    Placements by search (docs/search.md). One call at a time; stop() and the counters may be
    used from another thread meanwhile.
    """

    def __init__(self, weights: object | None = None, threads: int = 0, *, value: object | None = None) -> None:
        """
        weights: i32[F] in quarters of a frame, in the order of feature_names(); None: the tuned ones, of which
        plies = 1 and 2 have their own.
        threads 0: one per core. Results do not depend on them, budgets in milliseconds apart.
        value: what judges boards instead, a function of bottles u8[n, 128] at rest that gives their frames to go
        f32[n], such as a network. It is asked once per board expanded, by the calling thread, which is the only
        one, of what its placements leave, ends apart (a loss costs 60,000 frames). It must not use a Search with
        such a value. What it raises, the call raises.
        """

    def __reduce__(self) -> tuple[object, ...]:
        """As it was made: pickled with a value, if that can be."""

    def choose(
        self,
        bottle: object,
        capsule: object,
        preview: object,
        frame_counter: object,
        speed: object,
        speed_ups: object,
        level: object,
        viruses_left: object,
        capsules_thrown: object,
        *,
        plies: int = 1,
        first: int = 256,
        boards: int = 40,
        screened: int = 0,
        depth: int = 1,
        width: int = 1,
        sequences: int = 0,
        nodes: float = 0.0,
        ms: float = 0.0,
        futures: object | None = None,
    ) -> tuple[NDArray[numpy.int32], NDArray[numpy.float32], NDArray[numpy.uint32]]:
        """
        (action i32[N], frames to go f32[N], boards expanded u32[N]) of N players who see bottle u8[N, 128],
        capsule and preview [N, 2] and the counters [N], all as in PublicView.public. plies 1: this capsule; 2: and
        the preview, after the `first` best moves; 3: and `depth` capsules more after the `boards` best boards, by a
        beam of `width` over `sequences` futures (0: as many as make the law of the first exact; otherwise only the
        better half of the boards is followed after each quarter of them). With `screened` above `boards`, so many
        are looked at with every capsule that may come third, and the best of them in the mean are followed.
        No further future is begun after `nodes` boards or `ms` milliseconds (0: no limit). A stopped call gives
        action -1 where nothing was chosen.
        futures u8[N, sequences, depth]: 3 * first colour + second of the capsules after the preview in each future,
        for who knows more of them than their law; None: the law.
        level is checked, but not read: what a board is worth does not depend on it.
        ValueError for a bottle that is not at rest.
        """

    def judge(
        self,
        bottle: object,
        capsule: object,
        preview: object,
        frame_counter: object,
        speed: object,
        speed_ups: object,
        level: object,
        viruses_left: object,
        capsules_thrown: object,
        *,
        plies: int = 1,
        first: int = 256,
        boards: int = 40,
        screened: int = 0,
        depth: int = 1,
        width: int = 1,
        sequences: int = 0,
        nodes: float = 0.0,
        ms: float = 0.0,
        futures: object | None = None,
    ) -> tuple[NDArray[numpy.int32], NDArray[numpy.float32]]:
        """
        (action i32[N], frames to go f32[N, 512]): what choose() would choose, and of every placement what it
        found; inf for placements that it did not follow. One that was dropped on the way is worth the best one and
        how far it fell behind while it was followed. Arguments as of choose().
        """

    def play(
        self,
        level: object,
        speed: object,
        seed: object,
        frame_counter: object = 0,
        max_capsules: int = 1000,
        *,
        plies: int = 1,
        first: int = 256,
        boards: int = 40,
        screened: int = 0,
        depth: int = 1,
        width: int = 1,
        sequences: int = 0,
        nodes: float = 0.0,
        ms: float = 0.0,
    ) -> tuple[NDArray[numpy.uint8], NDArray[numpy.uint32], NDArray[numpy.uint32], NDArray[numpy.uint32]]:
        """
        (cleared u8[N], frames u32[N], capsules u32[N], viruses left u32[N]) of whole games, one per seed, played
        as by choose(). A stopped call leaves its games where they are, those not begun at 0 capsules.
        """

    def stop(self) -> None:
        """
        Ends the call under way early; without one, the next that is not refused.
        Ctrl-C is seen when a call returns: for long ones, call in a thread and stop() when the main one is told.
        """

    @property
    def done(self) -> int:
        """games finished by the call"""

    @property
    def nodes(self) -> int:
        """boards expanded by the call"""

    @property
    def capsules(self) -> int:
        """capsules into the known game begun last"""

    @property
    def threads(self) -> int: ...
    def solve(self, games: Decisions, width: int = 1000, alpha: float = 1.0, max_capsules: int = 1000) -> list[Line]:
        """
        The best Line from each game of a Decisions on, by a beam of `width` boards per capsule, ranked by
        frames + alpha * value. It reads the reserve: every capsule to come is known.
        """

    def plan(
        self,
        bottle: object,
        capsule: object,
        preview: object,
        frame_counter: object,
        speed: object,
        speed_ups: object,
        level: object,
        viruses_left: object,
        capsules_thrown: object,
        *,
        to_come: object,
        width: int = 1000,
        alpha: float = 1.0,
        max_capsules: int = 1000,
    ) -> list[Line]:
        """
        The same from what N players see, as in choose(), and what they believe will come: to_come u8[N, 128],
        3 * first colour + second of the capsules after the preview, which begin anew after the last.
        """

class Line:
    """The best line that a known-seed search found."""

    @property
    def cleared(self) -> bool: ...
    @property
    def frames(self) -> int:
        """frames to clear; of the line if it does not clear"""

    @property
    def actions(self) -> NDArray[numpy.int32]:
        """i32[T]: a placement per capsule"""

    @property
    def nodes(self) -> int:
        """boards expanded"""

    @property
    def children(self) -> int:
        """boards evaluated"""

def features(bottle: object) -> NDArray[numpy.int32]:
    """i32[N, F]: the value function's features of bottles u8[N, 128]"""

def next_capsules(capsule: object, preview: object, capsules_thrown: int) -> NDArray[numpy.int32]:
    """
    i32[M]: numbers (3 * first colour + second) of the capsules that may come after the preview, each as often as
    it is likely on average over the places of the reserve (docs/search.md); capsule and preview [2],
    capsules_thrown: the game's counter, 2 at its first decision.
    """

def feature_names() -> tuple[str, ...]:
    """Names of the features, in order"""

def preview_features(bottle: object, preview: object) -> NDArray[numpy.int32]:
    """
    i32[N, P]: what bottles u8[N, 128] offer the capsules preview [N, 2] that come next (docs/search.md).
    """

def preview_feature_names() -> tuple[str, ...]:
    """Names of the preview features, in order"""

class LogBlock:
    """Consecutive steps of a `StepLog`; the arrays are views of it."""

    @property
    def first_step(self) -> int:
        """number of its first step"""

    @property
    def end_step(self) -> int:
        """number of the step after its last"""

    @property
    def fills_file(self) -> bool:
        """whether a new file begins after it"""

    @property
    def states(self) -> numpy.typing.NDArray[numpy.void]:
        """
        Structured [G], as Batch.state: first states of the games that begin; they are numbered on.
        """

    @property
    def rows(self) -> numpy.typing.NDArray[numpy.void]:
        """
        Structured [M], dtype decision_row_dtype(), can be written to: decisions by step and seat.
        """

    @property
    def seats(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """u32[M] of the rows: game * players + player"""

    @property
    def late(self) -> numpy.typing.NDArray[numpy.void]:
        """
        Structured [L], as Decisions.events: what came of the last decisions of earlier blocks.
        """

    @property
    def late_seats(self) -> Annotated[NDArray[numpy.uint32], dict(writable=False)]:
        """u32[L]: whose they were"""

    @property
    def ends(self) -> numpy.typing.NDArray[numpy.void]:
        """
        Structured [E]: game, digest of its last state, outcome and winner as in traces.
        """

def decision_row_dtype() -> numpy.dtype[numpy.void]:
    """
    Of LogBlock.rows: columns of a trace's decisions, beside the numbers of game and step.
    """

def compressed_chunk(rows: numpy.typing.NDArray[numpy.uint8], width: int = 1) -> bytes | None:
    """
    The bytes u8[N, B] of a chunk's rows as HDF5's filters shuffle (elements of width bytes; 1: none) and lzf
    store them, None when that would not be shorter.
    """

class StepLog:
    """
    Rows of the decisions of a batch of games, made while these are played, in blocks.
    A game begins wherever somebody else moved or changed it since the last logged step.
    """

    def __init__(self, games: Decisions, block_rows: int, block_seconds: float, file_rows: int) -> None:
        """
        A block is full after block_rows decisions, or after a step when its first is block_seconds old; a file
        is after file_rows decisions.
        """

    def before(self, action: object) -> None:
        """
        The games are about to make these decisions, as `Decisions.step` takes them, -1 in those that wait by its
        mask; until `after` nothing else may move them.
        """

    def after(self) -> bool:
        """
        They have made them: whether a block became full. Without `before`, or with other moves since then than one
        of every game that does not wait, nothing is logged.
        """

    def seal(self) -> bool:
        """End a block if anything is in it; whether it was."""

    def take(self) -> LogBlock | None:
        """
        The oldest full block, None when there is none; any thread may take it.
        """

    @property
    def ready(self) -> int:
        """number of full blocks"""

    @property
    def step(self) -> int:
        """number of the next step"""
