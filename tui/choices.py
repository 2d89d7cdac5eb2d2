"""Asks a policy for placements, and keeps what it said for the screen."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario import rewards
from mlx_drmario.evaluate import Policy, choose
from mlx_drmario.memory import MemoryPolicy
from mlx_drmario.rewards import RewardConfig
from mlx_drmario.rl.config import REWARD
from mlx_drmario.tui.protocol import TOP, Candidate, Choice, Line


class Adviser:
    """A policy together with the games it is asked about: any number of parked positions at a time."""

    def __init__(self, policy: Policy, planes: str, reward: RewardConfig) -> None:
        self._policy, self._planes, self._reward = policy, planes, reward
        self._games: dict[int, dm.Decisions] = {}  # by their number: making one is dearer than filling it

    def choose(self, states: NDArray[np.void], numbers: Sequence[int]) -> list[Choice]:
        """Choices for positions [N] that are parked before their first controllable frame, of games with these
        numbers."""
        if isinstance(self._policy, MemoryPolicy):  # remembers by row, and here others wait every time
            each = zip(states[:, None], numbers, strict=True)
            return [choice for state, n in each for choice in self._ask(self._policy.of_game(n), state)]
        return self._ask(self._policy, states)

    def _ask(self, policy: Policy, states: NDArray[np.void]) -> list[Choice]:
        games = self._parked(states)
        actions, log_probs, value = choose(policy, games.view)
        return describe(games, actions, log_probs, value, self._reward)

    def _parked(self, states: NDArray[np.void]) -> dm.Decisions:
        count = len(states)
        if count not in self._games:
            self._games[count] = dm.Decisions(num_envs=count, planes=self._planes, threads=1)
        games = self._games[count]
        games.set_state(states)
        return games


def describe(
    games: dm.Decisions,
    actions: NDArray[np.int32],
    log_probs: NDArray[np.float32] | None,
    value: NDArray[np.float32] | None,  # or quantiles of it, f32[N, Q]
    reward: RewardConfig,
) -> list[Choice]:
    """What is known of these decisions of parked games, before they are made."""
    after = games.afterstates()
    earned = rewards.compute(reward, after)
    first = np.searchsorted(after.env, np.arange(games.num_envs + 1))
    choices = []
    for n in range(games.num_envs):
        rows = slice(int(first[n]), int(first[n + 1]))
        legal, viruses, runs = after.action[rows], after.viruses_cleared[rows], after.combos[rows]
        action = int(actions[n])
        chances = None if log_probs is None else np.exp(log_probs[n, legal].astype(np.float64))
        # Without probabilities: the chosen one, then the quickest.
        order = np.argsort(games.frames_to_lock[n, legal] if chances is None else -chances, kind="stable")
        chosen = int(np.searchsorted(legal, action))
        shown = [chosen, *(int(i) for i in order if i != chosen)] if chances is None else [int(i) for i in order]
        if chosen not in shown[:TOP]:
            shown = [*shown[: TOP - 1], chosen]
        candidates = tuple(
            Candidate(
                action=int(legal[i]),
                frames=int(games.frames_to_lock[n, legal[i]]),
                probability=None if chances is None else float(chances[i]),
                viruses=int(viruses[i]),
                runs=int(runs[i]),
            )
            for i in shown[:TOP]
        )
        choices.append(
            Choice(
                action=action,
                candidates=candidates,
                legal=len(legal),
                entropy=None if chances is None else float(-(chances * np.log(np.maximum(chances, 1e-12))).sum()),
                value=None if value is None else float(np.mean(value[n])),
                quantiles=None if value is None or value.ndim == 1 else tuple(np.sort(value[n]).tolist()),
                reward={name: float(column[rows][chosen]) for name, column in earned.items()},
            )
        )
    return choices


def decide(state: NDArray[np.void], action: int, frames: int, first: int) -> Line:
    """A line of one decision: this placement in a parked position [1], after `frames` frames and `first` decisions."""
    games = dm.Decisions(num_envs=1, threads=1)
    games.set_state(state)
    made = np.array([action], np.int32)
    choice = describe(games, made, None, None, REWARD)[0]
    games.step(made)
    states = np.concatenate([state, games.state.copy()])
    passed = np.array([frames, frames + int(games.frames[0])], np.uint32)
    return Line(states, (choice, None), passed, name="branch", first=first)
