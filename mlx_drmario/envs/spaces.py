"""The parts of the observation spaces that both environments share."""

import numpy as np
from gymnasium import spaces

from mlx_drmario.spec import COLS, ROWS, SCALAR_MAX


def observation_boxes(plane_names: tuple[str, ...], scalar_names: tuple[str, ...]) -> dict[str, spaces.Box]:
    """planes u8[C, 16, 8] of 0 and 1, scalars f32[S] from 0 to `SCALAR_MAX`."""
    return {
        "planes": spaces.Box(0, 1, (len(plane_names), ROWS, COLS), np.uint8),
        "scalars": spaces.Box(0.0, SCALAR_MAX, (len(scalar_names),), np.float32),
    }
