"""The potential of a situation: the frames to go that an evaluator expects, with a minus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlx_drmario.rl.evaluator.forecast import Evaluator, mean

LOST = 20_000.0
"""Frames that a lost game counts for: about what the longest cleared ones take."""


class FramesToGo:
    """Phi(s) = -weight * E[frames to go] / 1000, a `rollout.Potential`."""

    def __init__(self, run: Path, weight: float, gamma: float) -> None:
        """Raises what `Evaluator.load` raises; `gamma` is the discount per frame of who learns."""
        self.evaluator, self.weight, self.gamma = Evaluator.load(run), weight, gamma

    def __call__(self, planes: NDArray[np.uint8], scalars: NDArray[np.float32]) -> NDArray[np.float32]:
        """f32[B] of planes u8[B, C, 16, 8] and scalars f32[B, S]."""
        if not len(planes):
            return np.zeros(0, np.float32)
        said = self.evaluator.states(planes, scalars)
        frames = said.clear * mean(said.frames) + (1 - said.clear) * LOST
        return (-self.weight / 1_000 * frames).astype(np.float32)
