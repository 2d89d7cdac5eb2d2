"""Gymnasium environments. Importing this package registers `DrMarioPlacement-v0` and `DrMario-v0`.

    import gymnasium as gym
    import mlx_drmario.envs

    env = gym.make("DrMarioPlacement-v0", level=0, speed="hi")
    envs = gym.make_vec("DrMarioPlacement-v0", num_envs=64, vectorization_mode="vector_entry_point")

Everything about spaces, rewards, autoreset and illegal actions: docs/environments.md.
"""

import gymnasium as gym

from mlx_drmario.envs.frame import FrameEnv, FrameVectorEnv
from mlx_drmario.envs.placement import PlacementEnv, PlacementVectorEnv

__all__ = ["FrameEnv", "FrameVectorEnv", "PlacementEnv", "PlacementVectorEnv", "register"]


def register() -> None:
    """Make both ids known to Gymnasium; calling it again changes nothing."""
    for id, module, name in (("DrMarioPlacement-v0", "placement", "Placement"), ("DrMario-v0", "frame", "Frame")):
        if id not in gym.registry:
            entry_point = f"{__name__}.{module}:{name}"
            gym.register(id, f"{entry_point}Env", vector_entry_point=f"{entry_point}VectorEnv")


register()
