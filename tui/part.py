"""What is kept of the games of one shard, for pictures and for time travel."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario import rewards
from mlx_drmario.render import drawn
from mlx_drmario.rewards import RewardConfig
from mlx_drmario.spec import from_bcd
from mlx_drmario.traces.journal import raw
from mlx_drmario.tui.choices import describe
from mlx_drmario.tui.position import CLEARED, PLAYING, TOP_OUT, Position
from mlx_drmario.tui.protocol import MAX_GAMES, Boards, Choice, Line

_REMEMBERED = 256
"""decisions that time travel can go back"""
PAID = (*rewards.TERMS, "total")
RESTING = 10
"""pictures for which a game that ended is shown as it ended, though the next one is played in its place: half a second
"""


class Explainer:
    """Says what a placement was chosen from; any thread may ask."""

    def __init__(self, reward: RewardConfig) -> None:
        self._reward = reward
        self._own = threading.local()  # a scratch game for each thread

    def explain(self, states: NDArray[np.void], action: NDArray[np.int32], log_probs: Any, value: Any) -> Choice:
        """One decision of a parked game: states [1], action [1], log_probs [1, 512] or None, value [1] or None."""
        if not hasattr(self._own, "games"):
            self._own.games = dm.Decisions(num_envs=1, threads=1)
        self._own.games.set_state(states)
        return describe(self._own.games, action, log_probs, value, self._reward)[0]


@dataclass
class Moment:
    """The games before a decision."""

    states: NDArray[np.void]
    decisions: NDArray[np.uint32]
    frames: NDArray[np.uint32]
    action: NDArray[np.int32]


@dataclass
class Part:
    """Touched by whoever holds `lock`: the shard's own thread, or one that makes a picture; `past` is read without."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    games: dm.Decisions | None = None
    log_probs: NDArray[np.float32] | None = None
    value: NDArray[np.float32] | None = None
    past: deque[Moment] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    live: Moment | None = None
    """views of the games that are shown: taking them costs as much as copying"""
    over: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None
    """the same: cleared, topped out"""
    earned: NDArray[np.float32] = field(default_factory=lambda: np.zeros((len(PAID), 0), np.float32))
    """[PAID, N]: in this game"""
    stepping: float = 0.0
    """seconds in the engine in this iteration"""
    since: float = 0.0
    boards: Boards | None = None
    ends: NDArray[np.void] | None = None
    """[N]: the last game that ended in each place, as it ended"""
    outcome: NDArray[np.uint8] | None = None
    """u8[N]: how it ended"""
    resting: NDArray[np.uint8] | None = None
    """u8[N]: pictures for which it is still to be shown"""
    looked: Moment | None = None
    """the moment that `boards` shows"""

    @property
    def size(self) -> int:
        return 0 if self.games is None else self.games.num_envs

    def begin(self, games: dm.Decisions) -> None:
        """Other games from now on."""
        self.games = games
        self.past.clear()
        keep = min(games.num_envs, MAX_GAMES)
        states, made, frames = games.state[:keep], games.decisions[:keep], games.frames[:keep]
        self.live = Moment(states, made, frames, np.zeros(keep, np.int32))
        self.over = games.cleared[:keep], games.top_out[:keep]
        self.ends = copied(states)
        self.outcome, self.resting = np.zeros((2, keep), np.uint8)
        self.earned = np.zeros((len(PAID), games.num_envs), np.float32)

    def remember(self, action: NDArray[Any], log_prob: NDArray[Any] | None, value: NDArray[Any] | None) -> None:
        """The games are about to take these actions."""
        games, live = self.games, self.live
        assert games is not None and live is not None
        self.earned[:, games.decisions == 0] = 0
        self.log_probs = log_prob if log_prob is not None and log_prob.ndim == 2 else None
        self.value = value
        made, frames, taken = live.decisions.copy(), live.frames.copy(), action[: len(live.states)].copy()
        self.past.append(Moment(copied(live.states), made, frames, taken))

    def earn(self, terms: Mapping[str, NDArray[Any]]) -> None:
        """What the step pays, f32[N] by name."""
        for total, name in zip(self.earned, PAID, strict=True):
            total += terms[name]

    def note_ends(self) -> None:
        """The games have taken a step; those that ended are not yet replaced."""
        assert self.live is not None and self.over is not None
        assert self.ends is not None and self.outcome is not None and self.resting is not None
        cleared, top_out = self.over
        rows = np.flatnonzero(cleared | top_out)
        if rows.size:
            raw(self.ends)[rows] = raw(self.live.states)[rows]
            self.outcome[rows] = np.where(cleared[rows], CLEARED, TOP_OUT)
            self.resting[rows] = RESTING

    def look(self) -> Boards:
        """The games as they are, and those that have just ended as they ended."""
        moment = self.past[-1]
        assert self.ends is not None and self.outcome is not None and self.resting is not None
        if moment is not self.looked:  # in a pause nothing changes
            self.looked, shown = moment, self.resting > 0
            states = copied(moment.states)
            raw(states)[shown] = raw(self.ends)[shown]
            outcome = np.where(shown, self.outcome, PLAYING).astype(np.uint8)
            viruses = from_bcd(states["p1_virus_left_bcd"])
            self.boards = Boards(drawn(states), states["p1_level"].copy(), viruses, outcome)
            self.resting -= shown
        assert self.boards is not None
        return self.boards

    def focus(self, n: int, explainer: Explainer) -> tuple[Position, Choice, dict[str, float]]:
        """Game n: how it stands, what is about to be done, what it has earned."""
        assert self.games is not None
        moment, at = self.past[-1], slice(n, n + 1)
        counters = {"frames": int(moment.frames[n]), "decisions": int(moment.decisions[n])}
        log_probs = None if self.log_probs is None else self.log_probs[at]
        value = None if self.value is None else self.value[at]
        choice = explainer.explain(moment.states[at], moment.action[at], log_probs, value)
        earned = dict(zip(PAID, self.earned[:, n].tolist(), strict=True))
        return Position.of(moment.states[n], **counters), choice, earned

    def line(self, n: int, name: str, explainer: Explainer) -> Line | None:
        """Game n from its first decision on, as far as it is remembered; None before that."""
        at, moments = slice(n, n + 1), list[Moment]()
        for moment in reversed(list(self.past)):
            if moments and moment.decisions[n] >= moments[-1].decisions[n]:
                break  # the game before
            moments.append(moment)
        moments.reverse()
        if not moments:
            return None
        return Line(
            states=np.array([moment.states[n] for moment in moments], moments[0].states.dtype),
            choices=tuple(explainer.explain(m.states[at], m.action[at], None, None) for m in moments),
            frames=np.array([moment.frames[n] for moment in moments], np.uint32),
            name=name,
            first=int(moments[0].decisions[n]),
        )


def copied(states: NDArray[np.void]) -> NDArray[np.void]:
    """A copy of records that is made as fast as one of bytes."""
    return raw(states).copy().view(states.dtype)
