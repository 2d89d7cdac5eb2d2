"""`DrMarioPlacement-v0`: one step is one capsule, from the frame it can be moved to the frame the next one can."""

from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mlx_drmario import Decisions
from mlx_drmario import render as drawing
from mlx_drmario.envs.arguments import Mask, Reward, limited, observer_of
from mlx_drmario.envs.film import Film, Move
from mlx_drmario.envs.single import GameEnv, of_one_game
from mlx_drmario.envs.spaces import observation_boxes
from mlx_drmario.envs.vector import ALL, EVENTS, Columns, GameVectorEnv, Outcome, Rows, own
from mlx_drmario.observer import Observer
from mlx_drmario.rewards import counts
from mlx_drmario.spec import ACTIONS, UNREACHABLE, check_level, speed_number

OBSERVED = ("planes", "scalars", "legal", "frames_to_lock")
"""what an observation is made of, by the names of `Decisions`"""


class PlacementVectorEnv(GameVectorEnv):
    """N games, 512 placements, the exact planner between them.

    An illegal action (legal[action] is 0) forfeits the game: the game ends in that step without a frame being played,
    reported as terminated with info["forfeit"], and pays the top_out reward. With illegal="raise" it is a ValueError
    and no game moves.

    A step is one capsule, so "rgb_array" shows a picture a capsule, about two a second of the game;
    "rgb_array_list" all frames of the game being played since the last `render`, sixty a second.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's declaration)
        **GameVectorEnv.metadata,
        "render_modes": ["ansi", "rgb_array", "rgb_array_list"],
        "render_fps": 2,
    }
    repeated = ("legal", "frames_to_lock")
    live = ("_counted", "_due", "_told")

    def __init__(
        self,
        num_envs: int = 1,
        *,
        level: int = 0,
        speed: int | str = "hi",
        split: str = "training",
        reward: Reward = None,
        planes: str = "bitplane",
        max_decisions: int = 1_000,
        illegal: Literal["forfeit", "raise"] = "forfeit",
        threads: int = 0,
        copy: bool = True,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        observer: Observer | None = None,
        render_mode: str | None = None,
    ) -> None:
        """
        Args:
            level: 0..24; speed: "low", "med", "hi" or 0, 1, 2.
            split: where game seeds are drawn from: "training", "validation" or "test".
            reward: a `RewardConfig`, a mapping or JSON file of its terms, or None for the default.
            planes: "bitplane" (12 planes) or "extended" (16).
            max_decisions: a game still running after so many is truncated; 0 never.
            illegal: what an illegal action does, see above.
            max_episode_steps: of `gymnasium.make_vec`; here the same as max_decisions, and the smaller one counts.
            threads: for the engine, 0 = one per core; never changes a result.
            copy: as of `gymnasium.vector.SyncVectorEnv`. False returns observations and masks, read-only, that the next
                step or reset overwrites: less memory is written to for whoever keeps none of them. With True, too,
                frames_to_lock is read-only: the engine reads it.
            observer: sees every step, as `traces.capture.Capture` does, which records all games.
        """
        if illegal not in ("forfeit", "raise"):
            raise ValueError(f"illegal is {illegal!r}; it must be 'forfeit' or 'raise'")
        self._illegal = illegal
        level, speed = check_level(level), speed_number(speed)
        limit = limited("max_decisions", max_decisions, max_episode_steps)
        self._d = Decisions(num_envs, planes, threads, limit, copy=copy)
        self._copy, self._observer = copy, observer_of(observer)
        self.single_action_space = spaces.Discrete(ACTIONS)
        self.single_observation_space = spaces.Dict(
            {
                **observation_boxes(self._d.plane_names, self._d.scalar_names),
                "legal": spaces.MultiBinary(ACTIONS),
                "frames_to_lock": spaces.Box(0, UNREACHABLE, (ACTIONS,), np.uint16),
            }
        )
        self._look()
        self._films = [Film() for _ in range(num_envs)] if render_mode == "rgb_array_list" else []
        super().__init__(num_envs, level, speed, split, reward, autoreset_mode, render_mode)
        if self._films:
            self.metadata["render_fps"] = 60

    def _look(self) -> None:
        d = self._d
        self._counted: Columns = {"viruses_left": d.viruses_left, "decisions": d.decisions, "frames": d.frames}
        self._due = counts(d)
        self._told: Columns = {name: getattr(d, name) for name in EVENTS}

    def render(self) -> tuple[Any, ...] | None:
        """One picture per game, or, for "rgb_array_list", the list of them since the last call (empty after none)."""
        return tuple(film.pictures() for film in self._films) if self._films else super().render()

    def action_masks(self) -> Mask:
        """The legal placements of every game, bool[N, 512] (the name that MaskablePPO of SB3-contrib asks for)."""
        return self._d.to_act[:, None] & (self._d.frames_to_lock != UNREACHABLE)  # whatever a caller wrote to `legal`

    def _restart(self, mask: Mask, game_seeds: NDArray[np.uint16]) -> None:
        self._d.reset(self._levels, self._speeds, game_seeds, mask=mask)
        for n in np.flatnonzero(mask).tolist() if self._films else ():
            self._films[n].moves = [Move(self._d.state[n : n + 1].copy(), action=0, tau=0, frames=0, capsules=0)]

    def _play(self, actions: NDArray[np.int64], active: Mask) -> Outcome:
        d = self._d
        forfeit = active & (d.frames_to_lock[np.arange(self.num_envs), actions] == UNREACHABLE)
        if self._illegal == "raise" and forfeit.any():
            game = int(np.flatnonzero(forfeit)[0])
            raise ValueError(f"action {actions[game]} of game {game} is not legal; choose where legal is 1")
        played = active & ~forfeit
        before = d.state.copy() if self._films else None
        made = np.where(played, actions, -1).astype(np.int32)
        self._observer.before_step(d, made, None, None)
        d.step(made, mask=played)
        self._observer.after_step(d)
        if before is not None:
            self._shoot(before, actions, played)
        lost = self._told["top_out"] | forfeit  # an illegal action loses the game
        terminated = self._told["cleared"] | lost
        events = {name: own(column) for name, column in self._told.items()}
        return Outcome({**self._due, "top_out": lost}, terminated, d.truncated.copy(), {**events, "forfeit": forfeit})

    def _shoot(self, before: NDArray[np.void], actions: NDArray[np.int64], played: Mask) -> None:
        """Remember the moves just made, from the states before them."""
        d = self._d
        for n in np.flatnonzero(played).tolist():
            tau, frames, capsules = int(d.tau[n]), int(d.frames[n]), int(d.decisions[n])
            move = Move(before[n : n + 1], int(actions[n]), tau, frames - tau, capsules)
            self._films[n].moves.append(move)

    def _over(self) -> Mask:
        return self._d.ended

    def _observe(self, rows: Rows = ALL) -> Columns:
        seen = self._d.take() if self._copy and rows is ALL else {name: getattr(self._d, name) for name in OBSERVED}
        seen["legal"] = seen["legal"].view(np.int8)
        return seen if rows is ALL else {name: column[rows] for name, column in seen.items()}

    def _status(self, observation: Columns) -> Columns:
        return {
            "legal": observation["legal"].view(np.bool_),
            "action_mask": observation["legal"],  # the name and the type that Gymnasium's own games use
            "frames_to_lock": observation["frames_to_lock"],
            **{name: own(column) for name, column in self._counted.items()},
        }

    def _scene(self, index: int) -> drawing.Scene:
        d = self._d
        return drawing.scene(d.state[index], frames=int(d.frames[index]), capsules=int(d.decisions[index]))


class PlacementEnv(GameEnv):
    """One game of `PlacementVectorEnv`; the same keyword arguments but num_envs, threads and autoreset_mode."""

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's declaration)
        **GameEnv.metadata,
        "render_modes": PlacementVectorEnv.metadata["render_modes"],
        "render_fps": PlacementVectorEnv.metadata["render_fps"],
    }

    def __init__(self, *, render_mode: str | None = None, **options: Any) -> None:
        super().__init__(PlacementVectorEnv(render_mode=render_mode, **of_one_game(options)))

    def action_masks(self) -> Mask:
        """The legal placements, bool[512] (the name that MaskablePPO of SB3-contrib asks for)."""
        assert isinstance(self.games, PlacementVectorEnv)
        return self.games.action_masks()[0]
