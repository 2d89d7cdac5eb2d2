"""Rollouts: N games side by side for T decisions each, with exact per-game accounting.

Axis letters: T horizon, N games, C planes, S scalars. The engine's buffers are rewritten by every step, so each row is
copied into a `Rollout` once; that is the only copy between engine and learner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from mlx_drmario import Decisions, rewards, seeds
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.observer import Observer
from mlx_drmario.rewards import RewardConfig
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.config import EnvConfig, Stage
from mlx_drmario.rl.distribution import log_prob_numpy, sample_numpy
from mlx_drmario.rl.episodes import EPISODE
from mlx_drmario.spec import COLS, EMPTY, ROWS, VIRUS, speed_number


class Actor(Protocol):
    """Judges placements and positions; arrays as in `Rollout`, without the time axis."""

    def act(self, planes: np.ndarray, scalars: np.ndarray, after: AfterstateRows) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities f32[B, 512] and values f32[B]; `after` holds every legal placement."""
        ...

    def value(self, planes: np.ndarray, scalars: np.ndarray) -> np.ndarray:
        """Values f32[B]."""
        ...


class Potential(Protocol):
    """How good a situation is, for shaping (A. Y. Ng, D. Harada and S. Russell, ICML 1999)."""

    gamma: float
    """discount per frame"""

    def __call__(self, planes: np.ndarray, scalars: np.ndarray) -> np.ndarray:
        """f32[B] of planes u8[B, C, 16, 8] and scalars f32[B, S]."""
        ...


class Rollout:
    """One batch of decisions; every array is [T, N, ...] and is overwritten by the next `collect`."""

    def __init__(self, horizon: int, num_envs: int, num_planes: int, num_scalars: int) -> None:
        shape = (horizon, num_envs)
        self.planes = np.zeros((*shape, num_planes, ROWS, COLS), np.uint8)
        self.scalars = np.zeros((*shape, num_scalars), np.float32)
        self.after: list[AfterstateRows] = []  # per t, what was legal in the N games; without facts unless asked for
        self.action = np.zeros(shape, np.int32)
        self.log_prob = np.zeros(shape, np.float32)
        self.value = np.zeros(shape, np.float32)
        self.reward = np.zeros(shape, np.float32)
        self.tau = np.zeros(shape, np.uint32)  # frames
        self.terminated = np.zeros(shape, bool)
        self.truncated = np.zeros(shape, bool)
        self.final_value = np.zeros(shape, np.float32)  # value of a truncated game's own last observation, else 0
        self.last_value = np.zeros(num_envs, np.float32)  # value of the observation after the rollout
        self.terms: dict[str, float] = {}  # sum of the reward over all decisions, by term
        self.episodes = np.zeros(shape, EPISODE)  # games that ended or were cut at this decision


class Collector:
    """Owns games: starts them on training seeds, lets an actor play, restarts the ones that end.

    Games reset explicitly right after they end, so the observation of a step that ends a game is never mixed up with
    the first one of the next. `seed` is what all randomness of this collector comes from; `observer` sees every step
    as one of shard `part`.
    """

    def __init__(
        self,
        config: EnvConfig,
        reward: RewardConfig,
        horizon: int,
        seed: Sequence[int],
        *,
        facts: Sequence[str] = (),
        potential: Potential | None = None,
        observer: Observer | None = None,
        part: int = 0,
    ) -> None:
        self.config = config
        self.reward = reward
        self.facts = facts
        self.potential = potential
        self.observer, self.part = observer or Observer(), part
        self.stage = config.stage
        self.rng = np.random.default_rng(seed)
        self.games = Decisions(num_envs=config.num_envs, planes=config.planes, threads=config.threads)
        self.layout = ObservationLayout(self.games.plane_names, self.games.scalar_names)
        self.rollout = Rollout(horizon, config.num_envs, self.layout.num_planes, self.layout.num_scalars)
        self.running_total = np.zeros(config.num_envs, np.float32)
        self._start(np.ones(config.num_envs, bool))

    def collect(self, actor: Actor) -> Rollout:
        """Play `horizon` decisions in every game and return them (valid until the next call)."""
        games, rollout = self.games, self.rollout
        rollout.after = []
        rollout.terms = {}
        for t in range(len(rollout.action)):
            rollout.planes[t], rollout.scalars[t] = games.planes, games.scalars
            before = self.potential(rollout.planes[t], rollout.scalars[t]) if self.potential else None
            after = AfterstateRows.of(games, self.facts) if self.facts else AfterstateRows.of_legal(games.legal)
            rollout.after.append(after)
            log_probs, value = actor.act(rollout.planes[t], rollout.scalars[t], after)
            action = sample_numpy(self.rng, log_probs)
            log_prob = log_prob_numpy(log_probs, action)
            rollout.action[t], rollout.log_prob[t], rollout.value[t] = action, log_prob, value
            self.observer.before_step(games, action, log_probs, value, self.part)
            games.step(action)
            self.observer.after_step(games, self.part)
            terms = rewards.compute(self.reward, games)
            self.observer.on_rewards(terms, self.part)
            self.running_total += terms["total"]
            if before is not None:
                terms |= self._shaped(terms["total"], before)
            for name, column in terms.items():
                rollout.terms[name] = rollout.terms.get(name, 0.0) + float(column.sum())
            rollout.reward[t], rollout.tau[t] = terms["total"], games.tau
            self._finish(t, actor)
        rollout.last_value = actor.value(games.planes, games.scalars)
        return rollout

    def _shaped(self, reward: np.ndarray, before: np.ndarray) -> dict[str, np.ndarray]:
        """Terms of the step just made with the potential f32[N] `before` it: "env", "shape" and their sum "total".

        F = gamma^tau Phi(s') - Phi(s), and Phi of a game that is over is 0: whatever a policy does, the discounted sum
        over a game is -Phi of its first situation. Rewards are discounted by the decision's own duration as well
        (returns.py), so F is divided by that here.
        """
        assert self.potential is not None
        games = self.games
        later = np.zeros_like(before)
        going = ~games.ended
        later[going] = self.potential(games.planes[going], games.scalars[going])
        shape = later - before / np.power(np.float32(self.potential.gamma), games.tau.astype(np.float32))
        return {"env": reward, "shape": shape, "total": reward + shape}

    def _finish(self, t: int, actor: Actor) -> None:
        """Record the games that ended at step t, cut the ones over the limit, and restart both."""
        games, rollout = self.games, self.rollout
        terminated = games.ended.copy()
        truncated = ~terminated & (games.decisions >= self.config.max_decisions)
        done = terminated | truncated
        rollout.terminated[t], rollout.truncated[t], rollout.final_value[t] = terminated, truncated, 0
        if truncated.any():
            # The engine has not ended these games, so their observation is a complete one.
            rollout.final_value[t, truncated] = actor.value(games.planes[truncated], games.scalars[truncated])
        columns = (done, games.cleared, games.decisions, games.frames, self.running_total)
        for name, column in zip(EPISODE.names or (), columns, strict=True):
            rollout.episodes[t][name] = column
        if done.any():
            self.running_total[done] = 0
            self._start(done)

    def restart(self, stage: Stage) -> None:
        """Abandon all games and start those of `stage`."""
        self.stage = stage
        self.running_total[:] = 0
        self._start(np.ones(len(self.running_total), bool))

    def _start(self, mask: np.ndarray) -> None:
        """Start the masked games on random training seeds and levels, at a random phase of the frame counter."""
        n, count = len(mask), int(mask.sum())
        seed, frame_counter, level = np.full(n, seeds.POWER_ON, np.uint16), np.zeros(n, np.uint8), np.zeros(n, np.uint8)
        seed[mask] = seeds.sample("training", self.rng, count)
        frame_counter[mask] = self.rng.integers(0, 256, count, np.uint8)
        level[mask] = self.stage.level
        if self.stage.last_level is not None:
            level[mask] = self.rng.integers(self.stage.level, self.stage.last_level + 1, count, np.uint8)
        self.games.reset(level, speed_number(self.stage.speed), seed, frame_counter=frame_counter, mask=mask)
        if self.stage.viruses is not None:
            remove_viruses(self.games, mask, self.stage.viruses, self.rng)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: arrays and plain values."""
        return {
            "games": np.frombuffer(self.games.save(), np.uint8),
            "running_total": self.running_total.copy(),
            "rng": self.rng.bit_generator.state,
        }

    def load(self, state: dict[str, Any], stage: Stage) -> None:
        """Undo `state`; the games are those of `stage`."""
        self.stage = stage
        self.games.load(state["games"].tobytes())
        self.running_total = state["running_total"].copy()
        self.rng.bit_generator.state = state["rng"]


def observation_layout(planes: str) -> ObservationLayout:
    """The names of what games with this plane set show."""
    games = Decisions(num_envs=1, planes=planes, threads=1)
    return ObservationLayout(games.plane_names, games.scalar_names)


def remove_viruses(games: Decisions, mask: np.ndarray, keep: int, rng: np.random.Generator) -> None:
    """Take all but `keep` (at least 1) random viruses out of the masked running games; nothing else changes."""
    bottles = games.state["p1_bottle"].copy()
    for n in np.flatnonzero(mask):
        viruses = rng.permutation(np.flatnonzero(bottles[n] & 0xF0 == VIRUS))
        bottles[n, viruses[keep:]] = EMPTY
    games.set_bottles(bottles, mask)
