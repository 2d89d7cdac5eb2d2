"""What both vector environments share: seeding, autoreset, rewards, infos, pictures. One code path for any N."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Discrete
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mlx_drmario import render, rewards, seeds
from mlx_drmario.rewards import RewardConfig
from mlx_drmario.spec import LONGEST, whole

EVENTS = ("tau", "viruses_cleared", "halves_cleared", "combos", "cascade", "cleared", "top_out")
"""event columns that a step reports in info"""
Columns = dict[str, NDArray[Any]]
"""named arrays with one row per game"""
Mask = NDArray[np.bool_]
MAX_SEED = 2**63 - 1
Rows = slice | NDArray[np.int64]
ALL = slice(None)
AHEAD = 64
"""seeds that a game's generator draws at once, in a vector: one by one, drawing costs more than placing a capsule"""
Reward = RewardConfig | Mapping[str, float] | str | Path | None
"""a config, its names and numbers, a JSON file of them, or None for the default"""


@dataclass(frozen=True)
class Outcome:
    """What one step did to N games."""

    counts: Columns
    """what the reward terms pay for, see `rewards.weigh`"""
    terminated: Mask
    truncated: Mask
    events: Columns
    """reported in info as they are"""


def told(events: Any) -> Columns:
    """Copies of the event columns that info reports; events as `rewards.Events`."""
    return {name: getattr(events, name).copy() for name in EVENTS}


def only(mask: Mask, columns: Columns) -> Columns:
    """The columns with zeros where mask is not set."""
    return columns if mask.all() else {name: column * mask for name, column in columns.items()}


def limited(name: str, most: int, steps: int | None, each: int = 1) -> int:
    """The limit `most`, 0 for none, or that of so many steps if it is less; a step counts as `each`."""
    most = whole(name, most, 0, LONGEST)
    if steps is None:
        return most
    steps = each * whole("max_episode_steps", steps, 1, LONGEST // each)
    return min(most, steps) if most else steps


class Looking:
    """Has live views of an engine's arrays, which a copy takes anew: it looks at the games of its own."""

    live: tuple[str, ...]
    """attributes that are such views, made by `_look`"""

    def _look(self) -> None:
        """Take the views, once: each is a new array, for whoever asks."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in self.live}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._look()


class GameVectorEnv(Looking, VectorEnv[Columns, NDArray[np.int64], NDArray[Any]]):
    """N independent games with one autoreset rule.

    Game seeds are drawn from `split` by one generator per game; reset(seed=s) seeds game i with s + i, so that a vector
    of N games equals N single environments seeded one by one.

    In NEXT_STEP mode (the default) the step after a game has ended ignores its action and returns the first observation
    of its next game, with reward 0 and the masks `_...` of the events False. In SAME_STEP mode the ending step itself
    returns that observation; the last one of the ended game is in info["final_obs"], its info in info["final_info"],
    while the event columns of info still describe the step just made. In DISABLED mode ended games wait for
    reset(options={"reset_mask": bool[N]}).
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's declaration)
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 60,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    single_action_space: Discrete
    repeated: tuple[str, ...] = ()
    """columns of the observation that info repeats"""

    def __init__(
        self, num_envs: int, split: str, reward: Reward, autoreset_mode: AutoresetMode | str, render_mode: str | None
    ) -> None:
        """Subclasses set single_observation_space and single_action_space before calling this."""
        if render_mode not in (None, *self.metadata["render_modes"]):
            modes = ", ".join(map(repr, self.metadata["render_modes"]))
            raise ValueError(f"render_mode is {render_mode!r}; it must be None or one of {modes}")
        seeds.check_split(split)
        self.num_envs = num_envs
        self.split = split
        self.reward = _reward_config(reward)
        self.autoreset_mode = _autoreset(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = render_mode
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.generators: list[np.random.Generator] = []
        self._generator_seeds = [-1] * num_envs
        self._ahead = np.zeros((num_envs, AHEAD if num_envs > 1 else 1), np.uint16)  # [N, AHEAD], drawn by each
        self._used = np.full(num_envs, self._ahead.shape[1])  # how many of those
        self._game_seeds = np.zeros(num_envs, np.uint16)
        self._started = False
        self._ended = np.zeros(num_envs, np.bool_)

    # What a subclass provides. Arrays are freshly made: callers keep what they get.

    def _restart(self, mask: Mask, game_seeds: NDArray[np.uint16]) -> None:
        """Begin new games where mask is set."""
        raise NotImplementedError

    def _play(self, actions: NDArray[np.int64], active: Mask) -> Outcome:
        """Step the active games; the others have ended and their rows must come out as zeros."""
        raise NotImplementedError

    def _observe(self, rows: Rows = ALL) -> Columns:
        """The current observations of some games, by their numbers."""
        raise NotImplementedError

    def _status(self, observation: Columns) -> Columns:
        """The part of info that belongs to the current observation, some of whose arrays it may share."""
        raise NotImplementedError

    def _scene(self, index: int) -> render.Scene:
        """What a picture of one game shows."""
        raise NotImplementedError

    # Gymnasium's interface.

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Columns, dict[str, Any]]:
        """Start new games: all, or those in options["reset_mask"].

        options["game_seed"], an integer or one per game, chooses the games (states of the console's random generator,
        2..65535) instead of drawing them from the split. Nothing changes when anything is refused.

        Raises:
            ValueError, TypeError: a seed list, mask or game seed of the wrong length, type or range; an unknown option.
        """
        mask, given = self.check_options(options)
        self._seed(seed, mask)
        if given is None:
            self._draw(mask)
        else:
            self._begin(mask, given)
        self._started = True
        observation = self._observe()
        return observation, _with_masks(self._situation(observation), mask)

    def step(self, actions: NDArray[np.int64]) -> tuple[Columns, NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Step every game once: observations, rewards f64[N], terminated, truncated, infos.

        Raises:
            ResetNeeded: before the first reset, or, in DISABLED mode, while an ended game has not been reset.
            ValueError, TypeError: actions of the wrong shape, type or range.
        """
        actions = _checked_actions(actions, self.num_envs, int(self.single_action_space.n))
        waiting = self._ended
        if not self._started or (self.autoreset_mode == AutoresetMode.DISABLED and waiting.any()):
            raise ResetNeeded(
                f"call reset before step: games {np.flatnonzero(waiting).tolist() or 'all'} are not running"
            )
        outcome = self._play(actions, ~waiting)
        self._ended = outcome.terminated | outcome.truncated
        terms = rewards.weigh(self.reward, outcome.counts)
        total = terms.pop("total").astype(np.float64)
        info = _with_masks({**outcome.events, "reward_terms": terms}, ~waiting)
        if self.autoreset_mode == AutoresetMode.SAME_STEP and self._ended.any():
            self._finish(info, self._ended)
        elif waiting.any():
            self._draw(waiting)
        observation = self._observe()
        info |= _with_masks(self._situation(observation), np.ones(self.num_envs, np.bool_))
        return observation, total, outcome.terminated, outcome.truncated, info

    def render(self) -> tuple[Any, ...] | None:
        """One picture per game: text for "ansi", u8[height, width, 3] for "rgb_array"."""
        if self.render_mode is None:
            return None
        draw = render.text if self.render_mode == "ansi" else render.rgb
        return tuple(draw(self._scene(index)) for index in range(self.num_envs))

    def _situation(self, observation: Columns) -> Columns:
        """What info says of the current observation."""
        return {**self._status(observation), "game_seed": self._game_seeds.copy()}

    # Seeding and autoreset.

    def _seed(self, seed: int | Sequence[int | None] | None, mask: Mask) -> None:
        """Replace the generators of the masked games that got a seed; make all of them when there are none yet."""
        each = _seeds(seed, self.num_envs)
        self._make_generators()
        for index in np.flatnonzero(mask).tolist():
            if each[index] is not None:
                self.generators[index], self._generator_seeds[index] = seeding.np_random(each[index])
                self._used[index] = self._ahead.shape[1]

    def _make_generators(self) -> None:
        if not self.generators:
            for index in range(self.num_envs):
                generator, self._generator_seeds[index] = seeding.np_random()
                self.generators.append(generator)

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generator of every game, as Gymnasium's SyncVectorEnv has them."""
        self._make_generators()
        return tuple(self.generators)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """What every generator was last seeded with."""
        self._make_generators()
        return tuple(self._generator_seeds)

    def _draw(self, mask: Mask) -> None:
        """Begin games drawn from the split where mask is set."""
        wanted, length = np.flatnonzero(mask), self._ahead.shape[1]
        for index in wanted[self._used[wanted] == length].tolist():
            self._ahead[index], self._used[index] = seeds.sample(self.split, self.generators[index], length), 0
        drawn = self._game_seeds.copy()
        drawn[wanted] = self._ahead[wanted, self._used[wanted]]
        self._used[wanted] += 1
        self._begin(mask, drawn)

    def _begin(self, mask: Mask, game_seeds: NDArray[np.uint16]) -> None:
        self._restart(mask, game_seeds)
        self._game_seeds = np.where(mask, game_seeds, self._game_seeds)
        self._ended = self._ended & ~mask

    def _finish(self, info: dict[str, Any], ended: Mask) -> None:
        """SAME_STEP: put the last observation and info of ended games into `info` and begin their next games."""
        rows = np.flatnonzero(ended)
        last = self._observe(rows)
        final_obs = np.full(self.num_envs, None, dtype=object)
        for at, index in enumerate(rows.tolist()):
            final_obs[index] = {name: column[at] for name, column in last.items()}
        final = {name: column for name, column in info.items() if not name.startswith("_")}
        final["reward_terms"] = {k: v for k, v in final["reward_terms"].items() if not k.startswith("_")}
        final |= self._situation({name: _spread(last[name], rows, self.num_envs) for name in self.repeated})
        info |= {"final_obs": final_obs, "_final_obs": ended.copy()}
        info |= {"final_info": _with_masks(final, ended), "_final_info": ended.copy()}
        self._draw(ended)

    # Checking what comes from outside.

    def check_options(self, options: dict[str, Any] | None) -> tuple[Mask, NDArray[np.uint16] | None]:
        """The mask and the game seeds (None: to be drawn) that options of `reset` mean; raises what `reset` raises."""
        if not isinstance(options, Mapping | None):
            raise TypeError(f"options is {options!r}; it must be a dictionary or None")
        options = dict(options or {})
        mask = _reset_mask(options.pop("reset_mask", None), self.num_envs, self._started)
        chosen = options.pop("game_seed", None)
        if options:
            raise ValueError(f"unknown reset option {next(iter(options))!r}; known are 'reset_mask' and 'game_seed'")
        return mask, None if chosen is None else _game_seeds(chosen, self.num_envs)


def _spread(column: NDArray[Any], rows: NDArray[np.int64], num_envs: int) -> NDArray[Any]:
    """The column of some games as one of all games, [num_envs, ...], 0 for the others."""
    spread = np.zeros((num_envs, *column.shape[1:]), column.dtype)
    spread[rows] = column
    return spread


def _reset_mask(mask: Any, num_envs: int, started: bool) -> Mask:
    if mask is None:
        return np.ones(num_envs, np.bool_)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (num_envs,):
        raise ValueError(f"reset_mask is {mask!r}; it must be a bool array of shape ({num_envs},)")
    if not started and not mask.all():
        raise ResetNeeded("the first reset must start all games; leave reset_mask out")
    return mask


def _checked_actions(actions: Any, num_envs: int, choices: int) -> NDArray[np.int64]:
    actions = np.asarray(actions)
    if actions.shape != (num_envs,) or actions.dtype.kind not in "iu":
        raise ValueError(f"actions are {actions.dtype}{actions.shape}; they must be integers of shape ({num_envs},)")
    if actions.min() < 0 or actions.max() >= choices:
        wrong = np.flatnonzero((actions < 0) | (actions >= choices))
        raise ValueError(f"action {actions[wrong[0]]} of game {wrong[0]} must lie in 0..{choices - 1}")
    return actions.astype(np.int64)


def _autoreset(mode: AutoresetMode | str) -> AutoresetMode:
    """By its name or its value, as Gymnasium has it."""
    for each in AutoresetMode:
        if mode in (each, each.name, each.value):
            return each
    raise ValueError(f"autoreset_mode is {mode!r}; it must be {', '.join(each.name for each in AutoresetMode)}")


def _reward_config(reward: Reward) -> RewardConfig:
    if reward is None:
        return RewardConfig()
    if isinstance(reward, RewardConfig):
        return reward
    if not isinstance(reward, Mapping | str | Path):
        raise TypeError(f"reward is {reward!r}; it must be a RewardConfig, a mapping of terms, a JSON file or None")
    return RewardConfig.from_mapping(reward) if isinstance(reward, Mapping) else RewardConfig.from_json(reward)


def _seeds(seed: Any, num_envs: int) -> list[int | None]:
    """One for each game; None leaves a game's generator as it is."""
    if seed is None:
        return [None] * num_envs
    if not isinstance(seed, Sequence | np.ndarray) or np.ndim(seed) == 0:
        first = whole("seed", seed, 0, MAX_SEED)
        return [first + i for i in range(num_envs)]
    if len(seed) != num_envs:
        raise ValueError(f"seed has {len(seed)} entries; give one integer or one entry for each of {num_envs} games")
    return [None if each is None else whole("seed", each, 0, MAX_SEED) for each in seed]


def _game_seeds(chosen: Any, num_envs: int) -> NDArray[np.uint16]:
    values = np.asarray(chosen)
    if values.shape not in ((), (num_envs,)) or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"game_seed is {chosen!r}; give one integer or one for each of {num_envs} games")
    if values.min() < 2 or values.max() > 0xFFFF:
        raise ValueError(f"game_seed is {chosen!r}; it must lie in 2..65535")
    return np.broadcast_to(values, num_envs).astype(np.uint16)


def _with_masks(columns: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    """Gymnasium's vector info: next to every column `name` a mask `_name` of the rows that mean something, one array
    for all of them."""
    mask = mask.copy()
    info: dict[str, Any] = {}
    for name, column in columns.items():
        info[name] = _with_masks(column, mask) if isinstance(column, dict) else column
        info[f"_{name}"] = mask
    return info
