"""One game as a viewer follows it: frame by frame on the real engine, with the clock of every table and record."""

from collections import deque

import numpy as np

import mlx_drmario as dm
from mlx_drmario import render
from mlx_drmario.evaluate import Policy
from mlx_drmario.render import Scene
from mlx_drmario.spec import FALL, RESOLVE


class LiveGame:
    """A game of one player. `frames` counts from the first frame in which the first capsule can be moved."""

    def __init__(self, level: int, speed: int, seed: int) -> None:
        """level 0..24; speed 0 LOW, 1 MED, 2 HI; seed: state of the console's random generator."""
        self.seed = seed
        self.frames = 0
        self.capsules = 0
        self._batch = dm.Batch(num_envs=1, threads=1)
        self._batch.reset(level, speed, seed)
        self._states = self._batch.state  # a live view of one row

    @property
    def outcome(self) -> str:
        """ "playing", "cleared" or "top out"."""
        state = self._states[0]
        if state["p1_virus_left_bcd"] == 0:
            return "cleared"
        return "top out" if state["p1_fail_flag"] else "playing"

    @property
    def falling(self) -> bool:
        """Whether the buttons of the next frame move a capsule."""
        return int(self._states[0]["p1_next_action"]) == FALL

    def step(self, buttons: int) -> None:
        """Play one frame with these buttons held; nothing once the game is over."""
        if self.outcome != "playing":
            return
        falling = self.falling
        self._batch.step(np.array([[buttons]], np.uint8))
        self.frames += self.frames > 0 or falling
        self.capsules += falling and int(self._states[0]["p1_next_action"]) == RESOLVE

    def scene(self) -> Scene:
        """What it looks like now."""
        return render.scene(self._states[0], frames=self.frames, capsules=self.capsules)


class WatchedGame(LiveGame):
    """A game that a policy plays: at every spawn it chooses a placement, whose script is then held frame by frame."""

    def __init__(self, policy: Policy, planes: str, level: int, speed: int, seed: int) -> None:
        super().__init__(level, speed, seed)
        self._policy = policy
        self._decisions = dm.Decisions(num_envs=1, planes=planes, threads=1)
        self._decisions.reset(level, speed, seed)
        self._script: deque[int] = deque()

    def advance(self) -> None:
        """Play the next frame."""
        if self.falling and not self._script:
            self._script.extend(self._choose())
        self.step(self._script.popleft() if self._script else 0)

    def _choose(self) -> list[int]:
        """The buttons, frame by frame, that bring the capsule where the policy wants it."""
        d = self._decisions
        state = d.state[0]
        action = int(self._policy.act(d.view)[0])
        colors = np.array([state["p1_pill_color_l"], state["p1_pill_color_r"]], np.uint8)
        clock, speed, speed_ups = (int(state[name]) for name in ("frame_counter", "p1_speed_setting", "p1_speed_ups"))
        buttons = dm.script(state["p1_bottle"], colors, clock, speed, speed_ups, action)
        d.step(np.array([action], np.int32))
        return buttons.tolist()
