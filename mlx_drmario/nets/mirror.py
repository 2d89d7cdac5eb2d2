"""The mirror image of a situation: left and right exchanged.

Not an exact symmetry of the game, as colours are (symmetry.py): the ways to a place differ, because a capsule beside a
wall turns to the left. But what a placement leaves, and so what it is worth, is the same but for a few frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.spec import CELLS, COLS

FACING = np.array([2, 1, 0, 3])
"""The mirror image of every orientation: the second half right of the first becomes left of it."""


def mirrored_planes(planes: np.ndarray, layout: ObservationLayout) -> np.ndarray:
    """The mirror image of planes u8[B, C, 16, 8]."""
    source = np.arange(layout.num_planes)
    right, left = (layout.plane_names.index(name) for name in ("legal_right", "legal_left"))
    source[[right, left]] = left, right
    return planes[:, source, :, ::-1]


def mirrored_actions(action: NDArray[np.integer]) -> NDArray[np.int32]:
    """The mirror images of placements, any shape."""
    orientation, cell = action // CELLS, action % CELLS
    return (FACING[orientation] * CELLS + cell - 2 * (cell % COLS) + COLS - 1).astype(np.int32)
