"""What travels between the app and the process that plays or trains.

Plain frozen values that pickle: numbers, text and numpy arrays. Nothing here imports MLX or Textual. The app sends a
`Job`, then `Command`s; the worker answers with `Report`s. A `Picture` is sent only when the app has asked for one by
`More`, and shows the games of that moment: whatever happened in between is never sent, so the app's speed has no say
in the worker's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlx_drmario.rewards import RewardConfig
from mlx_drmario.rl.config import REWARD
from mlx_drmario.tui.position import Position

if TYPE_CHECKING:  # the app starts sooner without them
    from mlx_drmario.evaluate import Policy
    from mlx_drmario.rl.clone.config import CloneRunConfig
    from mlx_drmario.rl.ppo.config import PPORunConfig

    Trainable = PPORunConfig | CloneRunConfig
    """Settings of the runs that the app can train."""

PolicyLoader = Callable[[], tuple["Policy", str]]
"""Makes a policy and names the plane set it reads; pickled by name, so a function of a module or a partial of one."""

FASTEST = float("inf")
PACES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, FASTEST)
"""speeds of play, as a multiple of the console's"""
SESSION_FILE = "session.json"
"""In a run directory while it trains under an app: the process, and the socket at which another app can attach."""
MAX_GAMES = 256
"""games on the wall; of a larger rollout the first ones are shown"""


# --- reports ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Boards:
    """All games at one moment; one row per game."""

    cells: NDArray[np.uint8]
    """u8[N, 128]: bottles with the falling capsules drawn in"""
    level: NDArray[np.uint8]
    viruses: NDArray[np.uint8]
    """u8[N]: viruses left"""
    outcome: NDArray[np.uint8]
    """u8[N]: PLAYING, CLEARED or TOP_OUT of `position`"""

    @property
    def count(self) -> int:
        return len(self.cells)


@dataclass(frozen=True)
class Candidate:
    """A placement that was considered."""

    action: int
    frames: int
    """frames_to_lock"""
    probability: float | None
    """by the policy; None for a policy that gives none"""
    viruses: int
    """viruses it clears"""
    runs: int
    """runs it clears"""


@dataclass(frozen=True)
class Choice:
    """A decision as the policy saw it."""

    action: int
    candidates: tuple[Candidate, ...]
    """the most probable placements, best first, at most `TOP`; the chosen one is among them"""
    legal: int
    """number of legal placements"""
    entropy: float | None = None
    """of the policy over them, in nats"""
    value: float | None = None
    """what the policy's value head expects of the rest of the game"""
    quantiles: tuple[float, ...] | None = None
    """of the return, from low to high, where an evaluator predicts them"""
    reward: dict[str, float] = field(default_factory=dict)
    """what this decision earns, by term; "total" is the sum"""


TOP = 8
"""candidates that are shown"""


@dataclass(frozen=True)
class Picture:
    """What the screen shows next."""

    boards: Boards
    game: int
    """the game in focus"""
    position: Position
    choice: Choice | None
    earned: dict[str, float]
    """reward of the game in focus since its start, by term"""
    paused: bool
    pace: float
    learning: bool = False
    """nothing is played now: a run learns from what it has played, for longer than a moment"""


@dataclass(frozen=True)
class Rates:
    """How fast it goes, measured over the last seconds."""

    games: int
    frames: float
    """video frames of all games per second"""
    decisions: float
    """decisions of all games per second"""
    speedup: float | None = None
    """decisions per second of playing, over those of one game alone, measured on this machine"""
    environment: float = 0.0
    """share of the time in the engine and planner, 0 to 1; the three sum to at most 1"""
    policy: float = 0.0
    update: float = 0.0


@dataclass(frozen=True)
class Progress:
    """A training iteration ended."""

    decisions: int
    frames: int
    games: int
    seconds: float
    progress: float
    """0 to 1 of the budget"""
    stage: str
    metrics: dict[str, float]


CURVES = (
    *("episode/return", "episode/clear_rate", "episode/frames_to_clear"),
    *("loss/policy", "loss/judgement", "loss/value", "loss/entropy"),
    *("stats/agreement", "stats/approx_kl", "stats/grad_norm", "perf/dps_decisions_total"),
)
"""metrics that are drawn"""


@dataclass(frozen=True)
class History:
    """What a run learned before the app came: (decisions, `CURVES`) of its iterations."""

    points: tuple[tuple[float, dict[str, float]], ...]


@dataclass(frozen=True)
class Tally:
    """How the games that ended went, since the start."""

    finished: int
    cleared: int


@dataclass(frozen=True)
class Note:
    """A line for the event log."""

    text: str
    kind: str = "info"
    """info, good, warning or error"""


@dataclass(frozen=True)
class Line:
    """A game from its first decision on, as far as it is known: what time travel goes through."""

    states: NDArray[np.void]
    """[T], rows of `Decisions.state` (the console's full state, so that a branch can be played on)"""
    choices: tuple[Choice | None, ...]
    """T choices; the last is None while it has not been made"""
    frames: NDArray[np.uint32]
    """u32[T]: frames played before each decision"""
    name: str
    seed: int | None = None
    first: int = 0
    """decisions made before the first one of the line"""
    request: int = 0
    """number of the `Playout` that this answers; 0 for the line of a game"""


@dataclass(frozen=True)
class Ready:
    """The worker runs."""

    name: str
    games: int


@dataclass(frozen=True)
class Ended:
    """The job is done; the worker ends."""

    text: str


@dataclass(frozen=True)
class TakenOver:
    """Another app has attached: this one is told nothing more."""


Report = Picture | Rates | Progress | History | Tally | Note | Line | Ready | Ended | TakenOver


# --- commands --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class More:
    """Send the next picture."""


@dataclass(frozen=True)
class Pause:
    on: bool


@dataclass(frozen=True)
class Step:
    """Go on by a little while paused."""

    unit: str
    """frame or decision"""


@dataclass(frozen=True)
class Pace:
    pace: float


@dataclass(frozen=True)
class Look:
    """Put this game into focus."""

    game: int


@dataclass(frozen=True)
class Games:
    """Play this many games from now on."""

    count: int


@dataclass(frozen=True)
class Level:
    """Play this level from now on."""

    level: int


@dataclass(frozen=True)
class Restart:
    """Start all games anew."""


@dataclass(frozen=True)
class TakeLine:
    """Send the line of a game."""

    game: int


@dataclass(frozen=True)
class Playout:
    """Place `action` in `state`, then let the policy play on; the answer is a `Line` with this `request`."""

    request: int
    state: NDArray[np.void]
    """[1]"""
    action: int
    decisions: int
    frames: int = 0
    """frames played before"""
    first: int = 0
    """decisions made before"""


@dataclass(frozen=True)
class Checkpoint:
    """Write a checkpoint now."""


@dataclass(frozen=True)
class Evaluate:
    """Play validation games now."""


@dataclass(frozen=True)
class Detach:
    """Go on when the app leaves."""


@dataclass(frozen=True)
class Stop:
    """Save what there is to save and end."""


Command = (
    More | Pause | Step | Pace | Look | Games | Level | Restart | TakeLine | Playout | Checkpoint | Evaluate | Detach
    | Stop
)  # fmt: skip


# --- jobs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WatchJob:
    """Let a policy play, without learning."""

    load_policy: PolicyLoader
    name: str
    level: int
    speed: int
    seeds: tuple[int, ...]
    """of the games, one after the other, then from the first again"""
    games: int = 1
    pace: float = 1.0
    paused: bool = False
    reward: RewardConfig = REWARD

    def __post_init__(self) -> None:
        if self.pace not in PACES:
            raise ValueError(f"pace is {self.pace}; it must be one of {', '.join(f'{pace:g}' for pace in PACES)}")
        if not 1 <= self.games <= MAX_GAMES:
            raise ValueError(f"games is {self.games}; it must lie in 1..{MAX_GAMES}")


@dataclass(frozen=True)
class TrainJob:
    """Train into a run directory."""

    config: Trainable
    run: Path
    resume: bool = False
    detach: bool = False
    """go on when the app ends"""
    capture: Path | None = None
    """keep every game in trace files in this directory"""


Job = WatchJob | TrainJob
