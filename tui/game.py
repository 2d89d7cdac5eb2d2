"""One game as somebody plays it: frame by frame on the real engine, with the clock of every table and record."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import mlx_drmario as dm
from mlx_drmario.spec import FALL, RESOLVE
from mlx_drmario.tui.position import PLAYING, Position, outcome_of

if TYPE_CHECKING:
    from mlx_drmario.traces.capture import FrameCapture


class LiveGame:
    """A game of one player, or of two against each other. `frames` counts from the first frame in which the first
    capsule of a player can be moved."""

    def __init__(self, level: int, speed: int, seed: int, players: int = 1, capture: Path | None = None) -> None:
        """level 0..24; speed 0 LOW, 1 MED, 2 HI; seed: state of the console's random generator; capture: a directory
        that keeps the game as a trace, which is complete after `close`."""
        self.seed, self.players = seed, players
        self.frames, self.capsules = [0] * players, [0] * players
        self._batch = dm.Batch(num_envs=1, players=players, threads=1)
        self._batch.reset(level, speed, seed)
        self._states = self._batch.state  # a live view of one row
        self._recorder = None if capture is None else _recorder(capture, self._batch)

    def number(self, name: str, seat: int = 1) -> int:
        """A field of player `seat` (1 or 2)."""
        return int(self._states[0][f"p{seat}_{name}"])

    def outcome(self, seat: int = 1) -> int:
        """PLAYING, CLEARED or TOP_OUT."""
        return outcome_of(self.number("virus_left_bcd", seat), self.number("fail_flag", seat))

    @property
    def over(self) -> bool:
        """Whether somebody has cleared or lost."""
        return any(self.outcome(seat) != PLAYING for seat in self.seats)

    @property
    def seats(self) -> range:
        return range(1, self.players + 1)

    def falling(self, seat: int = 1) -> bool:
        """Whether the buttons of the next frame move this player's capsule."""
        return self.number("next_action", seat) == FALL

    def step(self, *buttons: int) -> None:
        """Play one frame with these buttons held, one controller byte per player; nothing once the game is over.

        Raises OSError when the frame, which is played all the same, cannot be recorded: the recording ends, and its
        journal stays.
        """
        if self.over:
            return
        falling = [self.falling(seat) for seat in self.seats]
        held = np.array([[buttons]], np.uint8)
        try:
            (self._recorder or self._batch).run(held)
        except OSError:
            self._recorder = None
            raise
        finally:
            for index, seat in enumerate(self.seats):
                self.frames[index] += self.frames[index] > 0 or falling[index]
                self.capsules[index] += falling[index] and self.number("next_action", seat) == RESOLVE

    def close(self) -> None:
        """Complete the recording, if there is one. Raises OSError when that cannot be, once; its journal stays."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()

    def position(self, seat: int = 1) -> Position:
        """What it looks like now to this player."""
        counters = {"frames": self.frames[seat - 1], "decisions": self.capsules[seat - 1], "seed": self.seed}
        return Position.of(self._states[0], seat, **counters)


def _recorder(directory: Path, batch: dm.Batch) -> "FrameCapture":
    from mlx_drmario.traces.capture import FrameCapture  # h5py is only loaded by who asks for it

    return FrameCapture.in_directory(directory, batch, "human" if batch.players == 1 else ("human", "human"))
