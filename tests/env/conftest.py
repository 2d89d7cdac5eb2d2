from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from mlx_drmario.envs import FrameEnv, FrameVectorEnv, PlacementEnv, PlacementVectorEnv

# Short games, so that the tests meet many ends of games.
FRAME = {"level": 20, "frame_skip": 8, "max_frames": 400}
PLACEMENT = {"level": 12, "max_decisions": 12}


class Family:
    """One of the two environments with settings for tests, and a way to choose acceptable actions."""

    def __init__(self, id: str, vector: type, single: type, settings: dict):
        self.id = id
        self.vector: Callable = partial(vector, **settings)
        self.single: Callable = partial(single, **settings)
        self.settings = settings

    def actions(self, observation, rng):
        """Random actions, legal where the environment says what is; only for a vector's observation."""
        if "legal" not in observation:
            return rng.integers(0, 16, len(observation["planes"]))
        choices = [np.flatnonzero(row) for row in observation["legal"]]
        return np.array([rng.choice(row) if row.size else 0 for row in choices])


@pytest.fixture(params=["placement", "frame"])
def family(request):
    if request.param == "placement":
        return Family("DrMarioPlacement-v0", PlacementVectorEnv, PlacementEnv, PLACEMENT)
    return Family("DrMario-v0", FrameVectorEnv, FrameEnv, FRAME)
