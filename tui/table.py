"""Games that a policy plays frame by frame on the real engine: what the screen shows is the engine's own state."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.render import drawn
from mlx_drmario.rewards import TERMS, RewardConfig
from mlx_drmario.search import script_of
from mlx_drmario.spec import FALL, RESOLVE, from_bcd
from mlx_drmario.tui.choices import Adviser
from mlx_drmario.tui.position import CLEARED, PLAYING, TOP_OUT, Position
from mlx_drmario.tui.protocol import Boards, Choice, Line

REST = 90
"""frames for which a finished game stays as it ended"""
_LONGEST = 1_024
"""frames of the longest script: a capsule falls at least a row in 70 frames"""


@dataclass
class Record:
    """The decisions of one game so far."""

    states: list[NDArray[np.void]] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    earned: dict[str, float] = field(default_factory=lambda: dict.fromkeys((*TERMS, "total"), 0.0))


class Table:
    """N games of one player. `frames` counts from the first frame in which a game's first capsule can be moved."""

    def __init__(
        self, adviser: Adviser, reward: RewardConfig, level: int, speed: int, seeds: Iterator[int], count: int
    ) -> None:
        """level 0..24; speed 0 LOW, 1 MED, 2 HI; seeds: of the games, endless."""
        self._adviser, self._reward, self._seeds = adviser, reward, seeds
        self.level, self.speed, self.count = level, speed, count
        self.finished = self.cleared = 0
        self.decisions_made = self.frames_played = 0
        self._batch = dm.Batch(num_envs=count, threads=1)
        self._states = self._batch.state  # a live view
        self._buttons = np.zeros((count, _LONGEST), np.uint8)
        self._at, self._length = np.zeros((2, count), np.int64)
        self._last = np.zeros(count, self._states.dtype)  # a finished game as it ended: the engine goes on
        self.seed = np.zeros(count, np.uint16)
        self.frames, self.decisions, self._rest = np.zeros((3, count), np.int64)
        self.outcome = np.zeros(count, np.uint8)
        self.records = [Record() for _ in range(count)]
        self.start(np.ones(count, np.bool_))

    def start(self, mask: NDArray[np.bool_]) -> None:
        """Begin the next games in the places of mask, bool[N]."""
        for n in np.flatnonzero(mask):
            self.seed[n] = next(self._seeds)
            self.records[n] = Record()
        seeds = np.where(mask, self.seed, 0x8988)
        self._batch.reset(self.level, self.speed, seeds, mask=mask)
        for column in (self.frames, self.decisions, self._rest, self.outcome, self._at, self._length):
            column[mask] = 0

    def step(self) -> None:
        """Play one frame of every game; a finished one rests, then the next begins in its place."""
        playing = self.outcome == PLAYING
        falling = (self._states["p1_next_action"] == FALL) & playing
        waiting = falling & (self._at >= self._length)
        if waiting.any():
            self._choose(np.flatnonzero(waiting))
        held = self._at < self._length
        buttons = np.where(held, self._buttons[np.arange(self.count), np.minimum(self._at, _LONGEST - 1)], 0)
        self._batch.step(buttons.astype(np.uint8)[:, None])
        self._at += held
        counted = ((self.frames > 0) | falling) & playing
        self.frames += counted
        self.frames_played += int(counted.sum())
        locked = falling & (self._states["p1_next_action"] == RESOLVE)
        self.decisions += locked
        self.decisions_made += int(locked.sum())
        self._account(playing)

    def _account(self, playing: NDArray[np.bool_]) -> None:
        """Notice the games that ended in this frame, and replace those that have rested."""
        cleared = playing & (self._states["p1_virus_left_bcd"] == 0)
        lost = playing & ~cleared & (self._states["p1_fail_flag"] != 0)
        self.outcome[cleared], self.outcome[lost] = CLEARED, TOP_OUT
        over = cleared | lost
        if over.any():
            self._last[over] = self._states[over]
            self.finished += int(over.sum())
            self.cleared += int(cleared.sum())
        self._rest += ~playing
        if (rested := self._rest > REST).any():
            self.start(rested)

    def _choose(self, rows: NDArray[np.intp]) -> None:
        """Ask the policy about these games; their scripts are held from this frame on."""
        states, numbers = self._states[rows], rows.tolist()
        for n, state, choice in zip(numbers, states, self._adviser.choose(states, numbers), strict=True):
            script = script_of(state, choice.action)
            self._buttons[n, : len(script)] = script
            self._at[n], self._length[n] = 0, len(script)
            record = self.records[n]
            record.states.append(state.copy())
            record.choices.append(choice)
            record.frames.append(int(self.frames[n]))
            for name, value in choice.reward.items():
                record.earned[name] += value

    @property
    def rows(self) -> NDArray[np.void]:
        """[N]: the games as they are, finished ones as they ended."""
        rows = self._states.copy()
        over = self.outcome != PLAYING
        rows[over] = self._last[over]
        return rows

    def boards(self) -> Boards:
        """All games as they look now."""
        rows = self.rows
        return Boards(drawn(rows), rows["p1_level"].copy(), from_bcd(rows["p1_virus_left_bcd"]), self.outcome.copy())

    def position(self, n: int) -> Position:
        """Game n as it is now."""
        counters = {"frames": int(self.frames[n]), "decisions": int(self.decisions[n]), "seed": int(self.seed[n])}
        return Position.of(self.rows[n], **counters)

    def choice(self, n: int) -> Choice | None:
        """The last decision of game n."""
        return self.records[n].choices[-1] if self.records[n].choices else None

    def line(self, n: int) -> Line | None:
        """Game n from its first decision on; None before that."""
        record = self.records[n]
        if not record.states:
            return None
        return Line(
            states=np.array(record.states, self._states.dtype),
            choices=tuple(record.choices),
            frames=np.array(record.frames, np.uint32),
            name=f"game {n + 1}",
            seed=int(self.seed[n]),
        )
