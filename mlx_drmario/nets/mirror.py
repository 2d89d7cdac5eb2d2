"""The mirror image of a situation: left and right exchanged.

Not an exact symmetry of the game, as colours are (symmetry.py): the ways to a place differ, because a capsule beside a
wall turns to the left. But what a placement leaves, and so what it is worth, is the same but for a few frames.

A capsule of two equal colours has one name for each of its places (docs/planner.md): the first half is the left one, or
the upper one. So has its image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.spec import CELLS, COLS

LEFT = 2
FACING = np.array([2, 1, 0, 3])
"""The mirror image of every orientation: the second half right of the first becomes left of it."""

PAIRS = (("legal_right", "legal_left"), ("link_right", "link_left"))
"""Planes that are each other's image."""
STILL = ("falling_", "preview_")
"""Planes of capsules that appear as they do, whatever the bottle."""


def equal_colors(scalars: np.ndarray, layout: ObservationLayout) -> NDArray[np.bool_]:
    """bool[B]: whether both halves of the capsule have one colour; scalars f32[B, S]."""
    first, second = (scalars[:, start : start + 3].argmax(axis=1) for start in layout.scalar_colors[:2])
    return first == second


def mirrored_planes(planes: np.ndarray, equal: NDArray[np.bool_], layout: ObservationLayout) -> np.ndarray:
    """The mirror image of planes u8[B, C, 16, 8]; equal bool[B]: capsules of two equal colours."""
    names = layout.plane_names
    source = np.arange(len(names))
    for right, left in (map(names.index, pair) for pair in PAIRS if pair[0] in names):
        source[[right, left]] = left, right
    image = planes[:, source, :, ::-1].copy()
    still = [index for index, name in enumerate(names) if name.startswith(STILL)]
    image[:, still] = planes[:, still]
    if PAIRS[0][0] in names:
        right, left = map(names.index, PAIRS[0])
        image[equal, right, :, :-1] = image[equal, left, :, 1:]
        image[equal, right, :, -1] = image[equal, left] = 0
    return image


def mirrored_actions(action: NDArray[np.integer], equal: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The mirror images of placements i32[M] of capsules whose two colours are equal, bool[M], or not."""
    orientation, cell = action // CELLS, action % CELLS
    facing, place = FACING[orientation], cell - 2 * (cell % COLS) + COLS - 1
    renamed = equal & (facing == LEFT)
    return (np.where(renamed, 0, facing) * CELLS + place - renamed).astype(np.int32)
