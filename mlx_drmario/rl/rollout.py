"""Rollouts: N games side by side for T decisions each, with exact per-game accounting.

Axis letters: T horizon, N games, C planes, S scalars. The engine's buffers are rewritten by every step, so each row is
copied into a `Rollout` once; that is the only copy between engine and learner.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlx_drmario import Decisions, rewards, seeds
from mlx_drmario.nets.layout import NUM_ACTIONS, ObservationLayout
from mlx_drmario.rewards import RewardConfig
from mlx_drmario.rl.config import SPEEDS, EnvConfig, Stage
from mlx_drmario.rl.dist import log_prob_numpy, sample_numpy
from mlx_drmario.spec import EMPTY, VIRUS

Actor = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(planes u8[B, C, 16, 8], scalars f32[B, S], legal bool[B, 512]) -> (log-probabilities f32[B, 512], values f32[B])."""

OnFinish = Callable[[np.ndarray, np.ndarray], None]
"""Told (which games ended or were cut: bool[N], which of all were cleared: bool[N]) before those games restart."""

WINDOW = 500
"""Finished games over which episode metrics are averaged."""


class Rollout:
    """One batch of decisions; every array is [T, N, ...] and is overwritten by the next `collect`."""

    def __init__(self, horizon: int, num_envs: int, num_planes: int, num_scalars: int) -> None:
        shape = (horizon, num_envs)
        self.planes = np.zeros((*shape, num_planes, 16, 8), np.uint8)
        self.scalars = np.zeros((*shape, num_scalars), np.float32)
        self.legal = np.zeros((*shape, NUM_ACTIONS), bool)
        self.action = np.zeros(shape, np.int32)
        self.log_prob = np.zeros(shape, np.float32)
        self.value = np.zeros(shape, np.float32)
        self.reward = np.zeros(shape, np.float32)
        self.tau = np.zeros(shape, np.uint32)  # frames
        self.terminated = np.zeros(shape, bool)
        self.truncated = np.zeros(shape, bool)
        self.final_value = np.zeros(shape, np.float32)  # value of a truncated game's own last observation, else 0
        self.last_value = np.zeros(num_envs, np.float32)  # value of the observation after the rollout
        self.terms: dict[str, float] = {}  # mean reward per decision, by term


@dataclass
class EpisodeWindow:
    """The last `WINDOW` finished games, in a ring; part of every checkpoint."""

    cleared: np.ndarray  # bool
    decisions: np.ndarray  # u32
    frames: np.ndarray  # u32
    total: np.ndarray  # f32, undiscounted reward
    count: int = 0  # games finished since the run (or a stage of its curriculum) began

    @staticmethod
    def empty() -> EpisodeWindow:
        return EpisodeWindow(
            np.zeros(WINDOW, bool),
            np.zeros(WINDOW, np.uint32),
            np.zeros(WINDOW, np.uint32),
            np.zeros(WINDOW, np.float32),
        )

    def add(self, cleared: np.ndarray, decisions: np.ndarray, frames: np.ndarray, total: np.ndarray) -> None:
        """Append games (equal-length arrays)."""
        slots = (self.count + np.arange(len(cleared))) % WINDOW
        self.cleared[slots], self.decisions[slots], self.frames[slots], self.total[slots] = (
            cleared,
            decisions,
            frames,
            total,
        )
        self.count += len(cleared)

    def metrics(self) -> dict[str, float]:
        """Averages over the window; rates are 0 before the first finished game."""
        n = min(self.count, WINDOW)
        cleared = self.cleared[:n]
        result = {
            "episode/count": float(self.count),
            "episode/clear_rate": float(cleared.mean()) if n else 0.0,
            "episode/length_decisions": float(self.decisions[:n].mean()) if n else 0.0,
            "episode/return": float(self.total[:n].mean()) if n else 0.0,
        }
        if cleared.any():
            result["episode/frames_to_clear"] = float(np.median(self.frames[:n][cleared]))
        return result


class Collector:
    """Owns the games: starts them on training seeds, plays an actor in them, restarts the ones that end.

    `stream` tells the generators of two collectors of one run apart.
    """

    def __init__(self, config: EnvConfig, reward: RewardConfig, horizon: int, seed: int, stream: int = 1) -> None:
        self.config = config
        self.reward = reward
        self.stage = Stage(config.level, config.speed)
        self.on_finish: OnFinish = lambda done, cleared: None
        self.rng = np.random.default_rng([seed, stream])
        self.games = Decisions(num_envs=config.num_envs, planes=config.planes, threads=config.threads)
        self.layout = ObservationLayout(self.games.plane_names, self.games.scalar_names)
        self.rollout = Rollout(horizon, config.num_envs, self.layout.num_planes, self.layout.num_scalars)
        self.window = EpisodeWindow.empty()
        self.running_total = np.zeros(config.num_envs, np.float32)
        self._start(np.ones(config.num_envs, bool))

    def collect(self, actor: Actor) -> Rollout:
        """Play `horizon` decisions in every game and return them (valid until the next call)."""
        games, rollout = self.games, self.rollout
        sums: dict[str, float] = {}
        for t in range(len(rollout.action)):
            rollout.planes[t], rollout.scalars[t], rollout.legal[t] = games.planes, games.scalars, games.legal
            log_probs, rollout.value[t] = actor(rollout.planes[t], rollout.scalars[t], rollout.legal[t])
            action = sample_numpy(self.rng, log_probs)
            rollout.action[t] = action
            rollout.log_prob[t] = log_prob_numpy(log_probs, action)
            games.step(action)
            terms = rewards.compute(self.reward, games)
            for name, column in terms.items():
                sums[name] = sums.get(name, 0.0) + float(column.sum())
            rollout.reward[t], rollout.tau[t] = terms["total"], games.tau
            self._finish(t, actor)
        rollout.last_value = actor(games.planes, games.scalars, games.legal)[1]
        rollout.terms = {name: total / rollout.action.size for name, total in sums.items()}
        return rollout

    def _finish(self, t: int, actor: Actor) -> None:
        """Record the games that ended at step t, cut the ones over the limit, and restart both."""
        games, rollout = self.games, self.rollout
        terminated = games.ended.copy()
        truncated = ~terminated & (games.decisions >= self.config.max_decisions)
        rollout.terminated[t], rollout.truncated[t], rollout.final_value[t] = terminated, truncated, 0
        if truncated.any():
            # The engine has not ended these games, so their observation is a complete one.
            rollout.final_value[t, truncated] = actor(
                games.planes[truncated], games.scalars[truncated], games.legal[truncated]
            )[1]
        self.running_total += rollout.reward[t]
        done = terminated | truncated
        if done.any():
            self.window.add(games.cleared[done], games.decisions[done], games.frames[done], self.running_total[done])
            self.running_total[done] = 0
            self.on_finish(done, games.cleared)
            self._start(done)

    def restart(self, stage: Stage) -> None:
        """Abandon all games and start those of `stage`, with an empty window."""
        self.stage = stage
        self.window = EpisodeWindow.empty()
        self.running_total[:] = 0
        self._start(np.ones(len(self.running_total), bool))

    def _start(self, mask: np.ndarray) -> None:
        """Start the masked games on random training seeds, at a random phase of the frame counter."""
        n, count = len(mask), int(mask.sum())
        seed, frame_counter = np.full(n, 0x8988, np.uint16), np.zeros(n, np.uint8)
        seed[mask] = seeds.sample("training", self.rng, count)
        frame_counter[mask] = self.rng.integers(0, 256, count, np.uint8)
        self.games.reset(self.stage.level, SPEEDS[self.stage.speed], seed, frame_counter=frame_counter, mask=mask)
        if self.stage.viruses is not None:
            remove_viruses(self.games, mask, self.stage.viruses, self.rng)

    def save(self) -> dict[str, Any]:
        """Everything needed to go on: arrays, and two byte strings as u8 arrays."""
        return {
            "games": np.frombuffer(self.games.save(), np.uint8),
            "rng": np.frombuffer(json.dumps(self.rng.bit_generator.state).encode(), np.uint8),
            "running_total": self.running_total.copy(),
            "window_cleared": self.window.cleared.copy(),
            "window_decisions": self.window.decisions.copy(),
            "window_frames": self.window.frames.copy(),
            "window_total": self.window.total.copy(),
            "window_count": np.array(self.window.count, np.int64),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Undo `save`."""
        self.games.load(state["games"].tobytes())
        self.rng.bit_generator.state = json.loads(state["rng"].tobytes())
        self.running_total = state["running_total"].copy()
        self.window = EpisodeWindow(
            cleared=state["window_cleared"].copy(),
            decisions=state["window_decisions"].copy(),
            frames=state["window_frames"].copy(),
            total=state["window_total"].copy(),
            count=int(state["window_count"]),
        )


def remove_viruses(games: Decisions, mask: np.ndarray, keep: int, rng: np.random.Generator) -> None:
    """Take all but `keep` (1 to 9) random viruses out of the masked games, which must just have been reset.

    `set_state` writes all games at once and zeroes their counters, so a second batch does that twice, with and without
    the viruses. The snapshots of the two differ by exactly the removal, which is then applied to the snapshot of
    `games`; everything else about every game stays, bit for bit.
    """
    state = games.state.copy()
    other = Decisions(num_envs=games.num_envs, planes=games.plane_set, threads=games.threads)
    other.set_state(state)
    before = np.frombuffer(other.save(), np.uint8)
    for n in np.flatnonzero(mask):
        bottle = state["p1_bottle"][n]
        viruses = rng.permutation(np.flatnonzero(bottle & 0xF0 == VIRUS))
        bottle[viruses[keep:]] = EMPTY
        state["p1_virus_left_bcd"][n] = min(keep, len(viruses))  # one digit: BCD is the number itself
    other.set_state(state)
    removal = before ^ np.frombuffer(other.save(), np.uint8)
    games.load((np.frombuffer(games.save(), np.uint8) ^ removal).tobytes())
