"""What the environments are given from outside: checked, and named in one sentence where it cannot be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mlx_drmario.observer import Observer
from mlx_drmario.rewards import RewardConfig
from mlx_drmario.spec import LONGEST, MAX_LEVEL, speed_number, whole

Mask = NDArray[np.bool_]
MAX_SEED = 2**63 - 1
Reward = RewardConfig | Mapping[str, float] | str | Path | None
"""a config, its names and numbers, a JSON file of them, or None for the default"""


@dataclass(frozen=True)
class Wanted:
    """What options of `reset` ask for."""

    mask: Mask
    game_seeds: NDArray[np.uint16] | None
    """None: to be drawn"""
    levels: NDArray[np.uint8] | None
    speeds: NDArray[np.uint8] | None
    """None: as they are"""


def check_render_mode(mode: str | None, known: Sequence[str]) -> None:
    """ValueError for a mode that is none of the known ones."""
    if mode not in (None, *known):
        raise ValueError(f"render_mode is {mode!r}; it must be None or one of {', '.join(map(repr, known))}")


def wanted_of(options: dict[str, Any] | None, num_envs: int, started: bool) -> Wanted:
    """Raises ValueError or TypeError for options that do not fit, ResetNeeded for a first reset of some games."""
    if not isinstance(options, Mapping | None):
        raise TypeError(f"options is {options!r}; it must be a dictionary or None")
    options = dict(options or {})
    mask = _reset_mask(options.pop("reset_mask", None), num_envs, started)
    seeds, level, speed = (options.pop(name, None) for name in ("game_seed", "level", "speed"))
    if options:
        known = "'reset_mask', 'game_seed', 'level' and 'speed'"
        raise ValueError(f"unknown reset option {next(iter(options))!r}; known are {known}")
    return Wanted(
        mask,
        _each("game_seed", seeds, num_envs, 2, 0xFFFF, np.uint16),
        _each("level", level, num_envs, 0, MAX_LEVEL, np.uint8),
        _each("speed", speed_number(speed) if isinstance(speed, str) else speed, num_envs, 0, 2, np.uint8),
    )


def _reset_mask(mask: Any, num_envs: int, started: bool) -> Mask:
    if mask is None:
        return np.ones(num_envs, np.bool_)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (num_envs,):
        raise ValueError(f"reset_mask is {mask!r}; it must be a NumPy array of bool of shape ({num_envs},)")
    if not started and not mask.all():
        raise ResetNeeded("the first reset must start all games; leave reset_mask out")
    return mask


def checked_actions(actions: Any, num_envs: int, choices: int) -> NDArray[np.int64]:
    """i64[num_envs] in 0..choices - 1; ValueError otherwise."""
    actions = np.asarray(actions)
    if actions.shape != (num_envs,) or actions.dtype.kind not in "iu":
        of = f"{actions.tolist()!r:.60}, {actions.dtype}{list(actions.shape)}"
        raise ValueError(f"actions are {of}; they must be integers of shape ({num_envs},)")
    if actions.min() < 0 or actions.max() >= choices:
        wrong = np.flatnonzero((actions < 0) | (actions >= choices))
        raise ValueError(f"action {actions[wrong[0]]} of game {wrong[0]} must lie in 0..{choices - 1}")
    return actions.astype(np.int64)


def autoreset_of(mode: AutoresetMode | str) -> AutoresetMode:
    """By its name or its value, as Gymnasium has it."""
    for each in AutoresetMode:
        if mode in (each, each.name, each.value):
            return each
    raise ValueError(f"autoreset_mode is {mode!r}; it must be {', '.join(each.name for each in AutoresetMode)}")


def observer_of(observer: Observer | None) -> Observer:
    """One that does nothing for None; TypeError for something else."""
    if not isinstance(observer, Observer | None):
        raise TypeError(f"observer is {observer!r}; it must be an Observer or None")
    return Observer() if observer is None else observer


def reward_of(reward: Reward) -> RewardConfig:
    """What a reward may be given as; TypeError for something else, ValueError for what `RewardConfig` refuses."""
    if reward is None:
        return RewardConfig()
    if isinstance(reward, RewardConfig):
        return reward
    if not isinstance(reward, Mapping | str | Path):
        raise TypeError(f"reward is {reward!r}; it must be a RewardConfig, a mapping of terms, a JSON file or None")
    if isinstance(reward, Mapping):
        return RewardConfig.from_mapping(reward)
    try:
        return RewardConfig.from_json(reward)
    except FileNotFoundError:
        raise FileNotFoundError(f"reward is {str(reward)!r}, a JSON file that does not exist") from None


def seeds_of(seed: Any, num_envs: int) -> list[int | None]:
    """One for each game; None leaves a game's generator as it is."""
    if seed is None:
        return [None] * num_envs
    if not isinstance(seed, Sequence | np.ndarray) or np.ndim(seed) == 0:
        first = whole("seed", seed, 0, MAX_SEED)
        return [first + i for i in range(num_envs)]
    if len(seed) != num_envs:
        raise ValueError(f"seed has {len(seed)} entries; give one integer or one entry for each of {num_envs} games")
    return [None if each is None else whole("seed", each, 0, MAX_SEED) for each in seed]


def _each(name: str, given: Any, num_envs: int, least: int, most: int, dtype: type[np.integer]) -> Any:
    """One integer in least..most for every game, [num_envs]; None for None."""
    if given is None:
        return None
    values = np.asarray(given)
    if values.shape not in ((), (num_envs,)) or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"{name} is {given!r}; give one integer or one for each of {num_envs} games")
    if values.min() < least or values.max() > most:
        raise ValueError(f"{name} is {given!r}; it must lie in {least}..{most}")
    return np.broadcast_to(values, num_envs).astype(dtype)


def limited(name: str, most: int, steps: int | None, each: int = 1) -> int:
    """The limit `most`, 0 for none, or that of so many steps if it is less; a step counts as `each`."""
    most = whole(name, most, 0, LONGEST)
    if steps is None:
        return most
    steps = each * whole("max_episode_steps", steps, 1, LONGEST // each)
    return min(most, steps) if most else steps
