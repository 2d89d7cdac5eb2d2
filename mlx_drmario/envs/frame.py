"""`DrMario-v0`: one step is one video frame, or `frame_skip` frames of the same buttons."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mlx_drmario import Batch, _core, render
from mlx_drmario.envs.single import GameEnv
from mlx_drmario.envs.spaces import observation_boxes
from mlx_drmario.envs.vector import Columns, GameVectorEnv, Mask, Outcome, Reward
from mlx_drmario.rewards import beyond_first
from mlx_drmario.spec import BUTTONS, CLEARING, FALL, RESOLVE, TIDY, check_level, from_bcd, speed_number

COUNTERS = (
    *("next_action", "placed_step", "status", "pill_x", "pill_y", "pill_rotation"),
    *("speed_counter", "hor_velocity", "held"),
)
"""Bytes of player 1 in the observation's "counters", names as in the recordings: where the capsule is, what the game is
busy with, and the timers, which planes and scalars do not show or show rounded."""
_RECORD = tuple(
    f"p1_{name}"
    for name in ("bottle", "virus_left_bcd", "fail_flag", "combo", "match_flag", "placed_step", "next_action")
)
_MAX_SKIP = 60  # 64 frames after a clear the console draws text boxes into the bottle


class FrameVectorEnv(GameVectorEnv):
    """N games, 16 button combinations. A game starts at its first frame of play, before the first capsule is thrown.

    A reward term is paid in the step in which its event shows, so that its sum over a game is that of the placement
    environment; only `time` also counts the frames before the first capsule can be moved.
    """

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
            threads: for the engine, 0 = one per core; never changes a result.
        """
        if not 1 <= frame_skip <= _MAX_SKIP:
            raise ValueError(f"frame_skip is {frame_skip}; it must lie in 1..{_MAX_SKIP}")
        if max_frames < 0:
            raise ValueError(f"max_frames is {max_frames}; it must be 0 (no limit) or more")
        self._level, self._speed = check_level(level), speed_number(speed)
        self._planes, self._skip, self._max_frames = planes, frame_skip, max_frames
        self._batch = Batch(num_envs=num_envs, threads=threads)
        self._state = self._batch.state  # a live view
        self._frames, self._capsules = np.zeros((2, num_envs), np.uint32)
        self.single_action_space = spaces.Discrete(len(BUTTONS))
        self.single_observation_space = spaces.Dict(
            {
                **observation_boxes(_core.plane_names(planes), _core.scalar_names()),
                "counters": spaces.Box(0, 255, (len(COUNTERS),), np.uint8),
            }
        )
        super().__init__(num_envs, split, reward, autoreset_mode, render_mode)

    def _restart(self, mask: Mask, game_seeds: NDArray[np.uint16]) -> None:
        self._batch.reset(self._level, self._speed, game_seeds, mask=mask)
        self._frames[mask] = 0
        self._capsules[mask] = 0

    def _play(self, actions: NDArray[np.int64], active: Mask) -> Outcome:
        before = {name: self._state[name].copy()[None] for name in _RECORD}
        held = np.take(np.array(BUTTONS, np.uint8), actions)
        rows = self._batch.run(np.tile(held[None, :, None], (self._skip, 1, 1)), record=_RECORD)
        events = _frame_events({name: np.concatenate([before[name], rows[name]]) for name in _RECORD}, active)
        self._frames += events["time"].astype(np.uint32)
        self._capsules += events["decision"].astype(np.uint32)
        terminated = (events["clear"] | events["top_out"]).astype(np.bool_)
        late = (self._frames >= self._max_frames) if self._max_frames else np.zeros_like(active)
        info: Columns = {
            "tau": events["time"],
            "viruses_cleared": events["virus"],
            "halves_cleared": events["half"],
            "cleared": events["clear"].astype(np.bool_),
            "top_out": events["top_out"].astype(np.bool_),
        }
        return Outcome(events, terminated, active & late & ~terminated, info)

    def _observe(self) -> Columns:
        planes, scalars = self._batch.observe(self._planes)
        counters = np.stack([self._state[f"p1_{name}"] for name in COUNTERS], axis=1)
        return {"planes": planes, "scalars": scalars, "counters": counters}

    def _status(self) -> Columns:
        viruses_left = from_bcd(self._state["p1_virus_left_bcd"])
        return {"viruses_left": viruses_left, "frames": self._frames.copy(), "decisions": self._capsules.copy()}

    def _scene(self, index: int) -> render.Scene:
        frames, capsules = int(self._frames[index]), int(self._capsules[index])
        return render.scene(self._state[index], frames=frames, capsules=capsules)


class FrameEnv(GameEnv):
    """One game of `FrameVectorEnv`; the same keyword arguments but num_envs, threads and autoreset_mode."""

    def __init__(self, *, render_mode: str | None = None, **options: Any) -> None:
        super().__init__(
            FrameVectorEnv(1, threads=1, autoreset_mode=AutoresetMode.DISABLED, render_mode=render_mode, **options)
        )


def _frame_events(rows: Columns, active: Mask) -> Columns:
    """How often each reward term is due in T frames of N games, i64[N] each.

    rows: state fields [T + 1, N, ...], the state before the first frame and after each. Frames after the end of a game
    and games that are not active count nothing.
    """
    viruses = from_bcd(rows["p1_virus_left_bcd"].astype(np.int64))
    over = (viruses == 0) | (rows["p1_fail_flag"] > 0)
    running = active & ~over[:-1]  # [T, N]: the game was not over before this frame

    def rises(value: NDArray[np.int64]) -> NDArray[np.int64]:
        return (np.maximum(value[1:] - value[:-1], 0) * running).sum(axis=0)

    # The runs of one pass are marked in two frames (horizontal, then vertical), before TIDY; clearing the last virus
    # stops the pass at once. match_flag counts the runs of this pass, combo those of the capsule.
    marked = (rows["p1_bottle"] >> 4 == CLEARING >> 4).sum(axis=2)
    virus = rises(-viruses)
    clear = (over[1:] & (viruses[1:] == 0)) & running
    step, runs, combo = (rows[f"p1_{name}"].astype(np.int64) for name in ("placed_step", "match_flag", "combo"))
    passes = ((step[:-1] != TIDY) & (step[1:] == TIDY) & (runs[1:] > 0) & running) | clear
    phase = rows["p1_next_action"]
    return {
        "virus": virus,
        "half": rises(marked) - virus,
        "combo": rises(beyond_first(combo)),
        "cascade": (passes & (combo > runs)[1:]).sum(axis=0),
        "clear": clear.sum(axis=0),
        "top_out": ((rows["p1_fail_flag"][1:] > 0) & running).sum(axis=0),
        "time": running.sum(axis=0),
        "decision": ((phase[:-1] == FALL) & (phase[1:] == RESOLVE) & running).sum(axis=0),
    }
