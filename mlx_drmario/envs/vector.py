"""What both vector environments share: seeding, autoreset, rewards, infos, pictures. One code path for any N."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Discrete
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mlx_drmario import render, rewards, seeds
from mlx_drmario.envs.arguments import (
    Mask,
    Reward,
    Wanted,
    autoreset_of,
    check_render_mode,
    checked_actions,
    reward_of,
    seeds_of,
    wanted_of,
)

EVENTS = ("tau", "viruses_cleared", "halves_cleared", "combos", "cascade", "cleared", "top_out")
"""event columns that a step reports in info"""
Columns = dict[str, NDArray[Any]]
"""named arrays with one row per game"""
Rows = slice | NDArray[np.int64]
ALL = slice(None)
AHEAD = 64
"""seeds that a game's generator draws at once, in a vector: one by one, drawing costs more than placing a capsule"""


@dataclass(frozen=True)
class Outcome:
    """What one step did to N games."""

    counts: Columns
    """what the reward terms pay for, see `rewards.weigh`"""
    terminated: Mask
    truncated: Mask
    events: Columns
    """reported in info as they are"""


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
        self,
        num_envs: int,
        level: int,
        speed: int,
        split: str,
        reward: Reward,
        autoreset_mode: AutoresetMode | str,
        render_mode: str | None,
    ) -> None:
        """Subclasses set single_observation_space and single_action_space before calling this."""
        check_render_mode(render_mode, self.metadata["render_modes"])
        seeds.check_split(split)
        self.num_envs = num_envs
        self.split = split
        self.reward = reward_of(reward)
        self.autoreset_mode = autoreset_of(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = render_mode
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.generators: list[np.random.Generator] = []
        self._generator_seeds = [-1] * num_envs
        self._ahead = np.zeros((num_envs, AHEAD if num_envs > 1 else 1), np.uint16)  # [N, AHEAD], drawn by each
        self._used = np.full(num_envs, self._ahead.shape[1])  # how many of those
        self._game_seeds = np.zeros(num_envs, np.uint16)
        self._levels, self._speeds = np.full(num_envs, level, np.uint8), np.full(num_envs, speed, np.uint8)
        self._started = False
        self._ended = np.zeros(num_envs, np.bool_)

    # What a subclass provides. Arrays are freshly made: callers keep what they get.

    def _restart(self, mask: Mask, game_seeds: NDArray[np.uint16]) -> None:
        """Begin new games where mask is set."""
        raise NotImplementedError

    def _play(self, actions: NDArray[np.int64], active: Mask) -> Outcome:
        """Step the active games; the others have ended and their rows must come out as zeros."""
        raise NotImplementedError

    def _over(self) -> Mask | np.bool_:
        """Games that have ended although no step could say so: it was interrupted, or an observer raised."""
        return np.False_

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
        2..65535) instead of drawing them from the split. options["level"] and options["speed"], as of the constructor
        or integers [N], hold for these games and for those that follow them. Nothing changes when anything is refused.

        Raises:
            ValueError, TypeError: a seed list, mask or game seed of the wrong length, type or range; an unknown option.
        """
        wanted = self.check_options(options)
        mask = wanted.mask
        self._seed(seed, mask)
        for own, given in ((self._levels, wanted.levels), (self._speeds, wanted.speeds)):
            if given is not None:
                own[mask] = given[mask]
        if wanted.game_seeds is None:
            self._draw(mask)
        else:
            self._begin(mask, wanted.game_seeds)
        self._started = True
        observation = self._observe()
        return observation, _with_masks(self._situation(observation), mask)

    def step(self, actions: NDArray[np.int64]) -> tuple[Columns, NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Step every game once: observations, rewards f64[N], terminated, truncated, infos.

        Raises:
            ResetNeeded: before the first reset, or, in DISABLED mode, while an ended game has not been reset.
            ValueError, TypeError: actions of the wrong shape, type or range.
        """
        actions = checked_actions(actions, self.num_envs, int(self.single_action_space.n))
        waiting = self._ended | self._over()
        if not self._started or (self.autoreset_mode == AutoresetMode.DISABLED and waiting.any()):
            raise ResetNeeded(f"call reset before step: {_ended(np.flatnonzero(waiting))}")
        outcome = self._play(actions, ~waiting)
        self._ended = waiting | (ended := outcome.terminated | outcome.truncated)
        terms = rewards.weigh(self.reward, outcome.counts)
        total = terms.pop("total").astype(np.float64)
        info = _with_masks({**outcome.events, "reward_terms": terms}, ~waiting)
        if self.autoreset_mode == AutoresetMode.SAME_STEP and ended.any():
            self._finish(info, ended)
        if waiting.any():
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
        return {**self._status(observation), "game_seed": own(self._game_seeds)}

    # Seeding and autoreset.

    def _seed(self, seed: int | Sequence[int | None] | None, mask: Mask) -> None:
        """Replace the generators of the masked games that got a seed; make all of them when there are none yet."""
        each = seeds_of(seed, self.num_envs)
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
        final = {name: column for name, column in info.items() if not name.startswith("_")}
        final["reward_terms"] = {k: v for k, v in final["reward_terms"].items() if not k.startswith("_")}
        final |= self._situation({name: _spread(last[name], rows, self.num_envs) for name in self.repeated})
        info |= {"final_obs": _one_by_one(last, rows, self.num_envs), "_final_obs": ended.copy()}
        info |= {"final_info": _with_masks(final, ended), "_final_info": ended.copy()}
        self._draw(ended)

    def check_options(self, options: dict[str, Any] | None) -> Wanted:
        """What options of `reset` mean; raises what `reset` raises."""
        return wanted_of(options, self.num_envs, self._started)


def own(column: NDArray[Any]) -> NDArray[Any]:
    """A copy for info. Integers are of 64 bits, as those of single games in a SyncVectorEnv: one virus less than
    before would be a large number in the engine's own."""
    return column.astype(np.int64) if column.dtype.kind == "u" else column.copy()


def _ended(games: NDArray[np.int64]) -> str:
    """Why there can be no step: these games, or none at all."""
    if len(games) == 0:
        return "no game has begun"
    return f"game {games[0]} has ended" if len(games) == 1 else f"games {games.tolist()} have ended"


def _one_by_one(columns: Columns, rows: NDArray[np.int64], num_envs: int) -> NDArray[np.object_]:
    """The columns of some games as an observation of each, None for the others."""
    each = np.full(num_envs, None, dtype=object)
    for at, index in enumerate(rows.tolist()):
        each[index] = {name: column[at] for name, column in columns.items()}
    return each


def _spread(column: NDArray[Any], rows: NDArray[np.int64], num_envs: int) -> NDArray[Any]:
    """The column of some games as one of all games, [num_envs, ...], 0 for the others."""
    spread = np.zeros((num_envs, *column.shape[1:]), column.dtype)
    spread[rows] = column
    return spread


def _with_masks(columns: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    """Gymnasium's vector info: next to every column `name` a mask `_name` of the rows that mean something, one array
    for all of them."""
    mask = mask.copy()
    info: dict[str, Any] = {}
    for name, column in columns.items():
        info[name] = _with_masks(column, mask) if isinstance(column, dict) else column
        info[f"_{name}"] = mask
    return info
