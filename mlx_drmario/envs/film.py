"""The pictures between two decisions: the engine plays again, frame by frame, what the decision loop skipped."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlx_drmario import Batch, render
from mlx_drmario.search import script_of


class Move(NamedTuple):
    """One decision of a one-player game, or, without frames, how a game begins."""

    state: NDArray[np.void]
    """[1]: a row of `Decisions.state`, before the decision"""
    action: int
    tau: int
    """frames from here to the next decision or the end of the game"""
    frames: int
    """of the game, before them"""
    capsules: int
    """decided about, this one included"""


class Film:
    """The moves of one game since its pictures were last asked for."""

    def __init__(self) -> None:
        self.moves: list[Move] = []

    def pictures(self) -> list[NDArray[np.uint8]]:
        """u8[height, width, 3] of every frame since the last call."""
        moves, self.moves = self.moves, []
        return [render.rgb(scene) for move in moves for scene in _scenes(move)]


def _scenes(move: Move) -> Iterator[render.Scene]:
    if move.tau == 0:
        yield render.scene(move.state[0], frames=move.frames, capsules=move.capsules)
        return
    for frame, state in enumerate(_played(move), start=1):
        yield render.scene(state, frames=move.frames + frame, capsules=move.capsules)


def _played(move: Move) -> Iterator[Any]:
    """The state after each frame."""
    batch = Batch(num_envs=1, threads=1)
    batch.set_state(move.state)
    state = move.state[0]
    buttons = script_of(state, move.action)
    for frame in range(move.tau):
        batch.step(np.array([[buttons[frame] if frame < len(buttons) else 0]], np.uint8))
        yield batch.state[0]
