"""A single environment is a vector of one game without its axis."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from mlx_drmario.envs.arguments import MAX_SEED
from mlx_drmario.envs.vector import Columns, GameVectorEnv
from mlx_drmario.spec import whole

OF_VECTORS = {"num_envs": 1, "threads": 1, "autoreset_mode": AutoresetMode.DISABLED}
"""arguments that make a vector one of a single game"""


def of_one_game(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a vector for a single game; TypeError where they have one that only a vector has."""
    for name in OF_VECTORS:
        if name in options:
            hint = "; make_vec takes it in vector_kwargs" if name == "autoreset_mode" else ""
            raise TypeError(f"{name} is {options[name]!r}; a single game has none{hint}")
    return {**OF_VECTORS, **options}


class GameEnv(gym.Env[Columns, np.int64]):
    """One game. reset(seed=s) seeds the generator that draws game seeds; options["game_seed"] names a game."""

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's declaration)
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 60,
    }

    def __init__(self, games: GameVectorEnv) -> None:
        """games: a vector of one game with autoreset disabled."""
        self.games = games
        self.render_mode = games.render_mode
        self.metadata = {**self.metadata, "render_fps": games.metadata["render_fps"]}
        self.observation_space = games.single_observation_space
        self.action_space = games.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Columns, dict[str, Any]]:
        """Start a new game. Raises ValueError or TypeError for a seed or options that do not fit.

        Nothing changes when anything is refused.
        """
        self.games.check_options(options)  # before the seed takes effect
        seed = None if seed is None else whole("seed", seed, 0, MAX_SEED)
        super().reset(seed=seed)
        self.games.generators = [self.np_random]
        observation, info = self.games.reset(options=options)
        return _row(observation), _row(info)

    def step(self, action: np.int64 | int) -> tuple[Columns, float, bool, bool, dict[str, Any]]:
        """One step. Raises ValueError or TypeError for an action out of range, ResetNeeded after the end of a game."""
        if np.ndim(action) != 0:
            raise ValueError(
                f"action is {action!r}; it must be one integer in 0..{self.games.single_action_space.n - 1}"
            )
        observation, reward, terminated, truncated, info = self.games.step(np.array([action]))
        return _row(observation), float(reward[0]), bool(terminated[0]), bool(truncated[0]), _row(info)

    def render(self) -> Any:
        """A string for "ansi", u8[height, width, 3] for "rgb_array" (a list of them for "rgb_array_list"), or None."""
        pictures = self.games.render()
        return None if pictures is None else pictures[0]


def _row(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Row 0 of every column; single values as Python numbers; the masks of a vector info left out."""
    row: dict[str, Any] = {}
    for name, column in columns.items():
        if name.startswith("_"):
            continue
        if isinstance(column, Mapping):
            row[name] = _row(column)
        else:
            row[name] = column[0] if column.ndim > 1 else column[0].item()
    return row
