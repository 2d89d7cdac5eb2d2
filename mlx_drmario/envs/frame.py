"""`DrMario-v0`: one step is one video frame, or `frame_skip` frames of the same buttons."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mlx_drmario import Batch, event_names, plane_names, render, scalar_names
from mlx_drmario.envs.arguments import Mask, Reward, limited
from mlx_drmario.envs.single import GameEnv, of_one_game
from mlx_drmario.envs.spaces import observation_boxes
from mlx_drmario.envs.vector import (
    ALL,
    EVENTS,
    Columns,
    GameVectorEnv,
    Outcome,
    Rows,
    own,
)
from mlx_drmario.rewards import counts
from mlx_drmario.spec import BUTTONS, check_level, from_bcd, speed_number, whole

COUNTERS = (
    *("next_action", "placed_step", "status", "pill_x", "pill_y", "pill_rotation"),
    *("speed_counter", "hor_velocity", "held"),
)
"""Bytes of player 1 in the observation's "counters", names as in the recordings: where the capsule is, what the game is
busy with, and the timers, which planes and scalars do not show or show rounded."""
_HELD = np.array(BUTTONS, np.uint8)
_MAX_SKIP = 60  # 64 frames after a clear the console draws text boxes into the bottle


def told(events: Any) -> Columns:
    """Copies of the event columns that info reports; events as `rewards.Events`."""
    return {name: own(getattr(events, name)) for name in EVENTS}


def only(mask: Mask, columns: Columns) -> Columns:
    """The columns with zeros where mask is not set."""
    return columns if mask.all() else {name: column * mask for name, column in columns.items()}


class FrameVectorEnv(GameVectorEnv):
    """N games, 16 button combinations. A game starts at its first frame of play, before the first capsule is thrown.

    A reward term is paid in the step in which its event shows, so that its sum over a game is that of the placement
    environment; only `time` also counts the frames before the first capsule can be moved.
    """

    live = ("_state", "_bytes", "_events")

    def __init__(
        self,
        num_envs: int = 1,
        *,
        level: int = 0,
        speed: int | str = "hi",
        split: str = "training",
        reward: Reward = None,
        planes: str = "extended",
        frame_skip: int = 1,
        max_frames: int = 20_000,
        threads: int = 0,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """
        Args:
            level: 0..24; speed: "low", "med", "hi" or 0, 1, 2.
            split: where game seeds are drawn from: "training", "validation" or "test".
            reward: a `RewardConfig`, a mapping or JSON file of its terms, or None for the default.
            planes: "extended" (16 planes, with the falling capsule) or "bitplane" (12).
            frame_skip: frames per step with the same buttons held, 1..60.
            max_frames: a game still running after so many frames is truncated; 0 never.
            max_episode_steps: of `gymnasium.make_vec`: truncated after so many steps, if that is sooner.
            threads: for the engine, 0 = one per core; never changes a result.
        """
        level, speed = check_level(level), speed_number(speed)
        self._planes, self._skip = planes, whole("frame_skip", frame_skip, 1, _MAX_SKIP)
        self._max_frames = limited("max_frames", max_frames, max_episode_steps, self._skip)
        self._batch = Batch(num_envs, threads=threads)
        self._look()
        offsets = {name: field[1] for name, field in (self._state.dtype.fields or {}).items()}
        self._counters = [offsets[f"p1_{name}"] for name in COUNTERS]
        self._frames, self._capsules = np.zeros((2, num_envs), np.uint32)
        self.single_action_space = spaces.Discrete(len(BUTTONS))
        self.single_observation_space = spaces.Dict(
            {
                **observation_boxes(plane_names(planes), scalar_names()),
                "counters": spaces.Box(0, 255, (len(COUNTERS),), np.uint8),
            }
        )
        super().__init__(num_envs, level, speed, split, reward, autoreset_mode, render_mode)

    def _look(self) -> None:
        self._state = self._batch.state
        self._bytes = self._state.view(np.uint8).reshape(len(self._state), -1)
        told = self._batch.events[:, 0]
        self._events: Any = SimpleNamespace(**{name: told[name] for name in event_names()})

    def _restart(self, mask: Mask, game_seeds: NDArray[np.uint16]) -> None:
        self._batch.reset(self._levels, self._speeds, game_seeds, mask=mask)
        self._frames[mask] = 0
        self._capsules[mask] = 0

    def _play(self, actions: NDArray[np.int64], active: Mask) -> Outcome:
        self._batch.run(np.repeat(_HELD[actions][None, :, None], self._skip, axis=0))
        events = self._events
        # A game that was cut short is not over for the engine, which plays it on in the step that is to be ignored.
        self._frames += np.where(active, events.tau, 0)
        self._capsules += np.where(active, events.capsules, 0)
        terminated = active & (events.cleared | events.top_out)
        late = (self._frames >= self._max_frames) if self._max_frames else np.zeros_like(active)
        return Outcome(
            only(active, counts(events)), terminated, active & late & ~terminated, only(active, told(events))
        )

    def _observe(self, rows: Rows = ALL) -> Columns:
        planes, scalars = self._batch.observe(self._planes)
        columns: Columns = {"planes": planes, "scalars": scalars, "counters": self._bytes[:, self._counters]}
        return {name: column[rows] for name, column in columns.items()}

    def _status(self, observation: Columns) -> Columns:
        viruses_left = from_bcd(self._state["p1_virus_left_bcd"])
        return {"viruses_left": own(viruses_left), "frames": own(self._frames), "decisions": own(self._capsules)}

    def _scene(self, index: int) -> render.Scene:
        frames, capsules = int(self._frames[index]), int(self._capsules[index])
        return render.scene(self._state[index], frames=frames, capsules=capsules)


class FrameEnv(GameEnv):
    """One game of `FrameVectorEnv`; the same keyword arguments but num_envs, threads and autoreset_mode."""

    def __init__(self, *, render_mode: str | None = None, **options: Any) -> None:
        super().__init__(FrameVectorEnv(render_mode=render_mode, **of_one_game(options)))
