"""`DrMarioPlacement-v0`: one step is one capsule, from the frame it can be moved to the frame the next one can."""

from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mlx_drmario import Decisions, render
from mlx_drmario.envs.single import GameEnv
from mlx_drmario.envs.spaces import observation_boxes
from mlx_drmario.envs.vector import Columns, GameVectorEnv, Mask, Outcome, Reward, told
from mlx_drmario.rewards import counts
from mlx_drmario.spec import ACTIONS, UNREACHABLE, check_level, speed_number


class PlacementVectorEnv(GameVectorEnv):
    """N games, 512 placements, the exact planner between them.

    An illegal action (legal[action] is 0) forfeits the game: the game ends in that step without a frame being played,
    reported as terminated with info["forfeit"], and pays the top_out reward. With illegal="raise" it is a ValueError
    and no game moves.
    """

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
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
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
            threads: for the engine, 0 = one per core; never changes a result.
        """
        if illegal not in ("forfeit", "raise"):
            raise ValueError(f"illegal is {illegal!r}; it must be 'forfeit' or 'raise'")
        self._level, self._speed, self._illegal = check_level(level), speed_number(speed), illegal
        self._d = Decisions(num_envs=num_envs, planes=planes, threads=threads, max_decisions=max_decisions)
        self.single_action_space = spaces.Discrete(ACTIONS)
        self.single_observation_space = spaces.Dict(
            {
                **observation_boxes(self._d.plane_names, self._d.scalar_names),
                "legal": spaces.MultiBinary(ACTIONS),
                "frames_to_lock": spaces.Box(0, UNREACHABLE, (ACTIONS,), np.uint16),
            }
        )
        self._forfeit = np.zeros(num_envs, np.bool_)
        self._held: Columns = {}
        super().__init__(num_envs, split, reward, autoreset_mode, render_mode)

    def action_masks(self) -> Mask:
        """The legal placements of every game, bool[N, 512] (the name that MaskablePPO of SB3-contrib asks for)."""
        return self._d.legal.copy()

    def _restart(self, mask: Mask, game_seeds: NDArray[np.uint16]) -> None:
        self._d.reset(self._level, self._speed, game_seeds, mask=mask)
        self._forfeit = self._forfeit & ~mask

    def _play(self, actions: NDArray[np.int64], active: Mask) -> Outcome:
        d = self._d
        forfeit = active & ~d.legal[np.arange(self.num_envs), actions]
        if self._illegal == "raise" and forfeit.any():
            game = int(np.flatnonzero(forfeit)[0])
            raise ValueError(f"action {actions[game]} of game {game} is not legal; choose where legal is 1")
        self._forfeit = np.zeros_like(forfeit)
        if forfeit.any():
            self._held = self._observe() | self._status() | {"state": d.state.copy()}
        played = active & ~forfeit
        # The engine steps every game it thinks is running. One that is not to be played takes any legal placement; what
        # becomes of it is hidden here and restarted before it could matter.
        d.step(np.where(played, actions, d.legal.argmax(axis=1)).astype(np.int32))
        self._forfeit = forfeit
        due = {name: np.where(played, column, 0) for name, column in counts(d).items()}
        due["top_out"] = due["top_out"] | forfeit  # an illegal action loses the game
        events = {name: np.where(played, column, 0) for name, column in told(d).items()}
        terminated = played & (d.cleared | d.top_out) | forfeit
        return Outcome(due, terminated, played & d.truncated, {**events, "forfeit": forfeit})

    def _observe(self) -> Columns:
        d = self._d
        return self._hold(
            {
                "planes": d.planes.copy(),
                "scalars": d.scalars.copy(),
                "legal": d.legal.astype(np.int8),
                "frames_to_lock": d.frames_to_lock.copy(),
            }
        )

    def _status(self) -> Columns:
        d = self._d
        return self._hold(
            {
                "legal": d.legal.copy(),
                "action_mask": d.legal.astype(np.int8),  # the name and the type that Gymnasium's own games use
                "frames_to_lock": d.frames_to_lock.copy(),
                "viruses_left": d.viruses_left.copy(),
                "decisions": d.decisions.copy(),
                "frames": d.frames.copy(),
            }
        )

    def _scene(self, index: int) -> render.Scene:
        state = self._held["state"] if self._forfeit[index] else self._d.state
        status = self._status()
        return render.scene(state[index], frames=int(status["frames"][index]), capsules=int(status["decisions"][index]))

    def _hold(self, columns: Columns) -> Columns:
        """Rows of forfeited games as they were when the illegal action came."""
        if self._forfeit.any():
            for name, column in columns.items():
                column[self._forfeit] = self._held[name][self._forfeit]
        return columns


class PlacementEnv(GameEnv):
    """One game of `PlacementVectorEnv`; the same keyword arguments but num_envs, threads and autoreset_mode."""

    def __init__(self, *, render_mode: str | None = None, **options: Any) -> None:
        super().__init__(
            PlacementVectorEnv(1, threads=1, autoreset_mode=AutoresetMode.DISABLED, render_mode=render_mode, **options)
        )

    def action_masks(self) -> Mask:
        """The legal placements, bool[512] (the name that MaskablePPO of SB3-contrib asks for)."""
        assert isinstance(self.games, PlacementVectorEnv)
        return self.games.action_masks()[0]
