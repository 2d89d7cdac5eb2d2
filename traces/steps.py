"""Steps of games as they were seen: plain copies, taken by the playing thread, from which rows are made later."""

import time

import numpy as np

from mlx_drmario._core import Decisions
from mlx_drmario.observer import Array
from mlx_drmario.spec import ACTIONS
from mlx_drmario.traces.journal import Rows, raw

STEP_ROWS, STEP_SECONDS = 4096, 1.0
"""decisions that wait in `Steps` before they are handed over, or for how long: what a killed process can lose"""


def said_by(log_prob: Array | None, value: Array | None) -> tuple[tuple[int, ...], ...]:
    """What a policy says of a step: the shapes of log_prob and value, () for none."""
    return tuple(() if column is None else column.shape for column in (log_prob, value))


class Steps:
    """K steps of N games with S = N * P seats; the first `count` of them are there."""

    def __init__(self, games: Decisions, said: tuple[tuple[int, ...], ...]) -> None:
        seats = games.num_envs * games.players
        self.said = said
        self.capacity = max(1, STEP_ROWS // seats)
        self.count = 0
        self.since = 0.0
        shape = (self.capacity, games.num_envs)
        before: Rows = np.empty(shape, games.state.dtype)
        self.before = raw(before)
        """[K, N]: states as bytes (`journal.raw`), before a step and after it"""
        self.after = np.empty_like(self.before)
        self.legal = np.empty((self.capacity, seats, ACTIONS), np.bool_)
        self.to_act = np.empty((self.capacity, seats), np.bool_)
        self.action = np.empty((self.capacity, seats), np.int32)
        told: Rows = np.empty((self.capacity, seats), games.events.dtype)
        self.told = raw(told)
        """[K, S]: events of the step, `Decisions.events` as bytes"""
        self.events = games.events.dtype
        self.ended = np.empty(shape, np.bool_)
        self.winner = np.empty(shape, np.uint8)
        self.log_prob, self.value = (
            np.empty((self.capacity, *extent), np.float32) if extent else None for extent in said
        )

    @property
    def is_due(self) -> bool:
        """Whether these steps should be handed over."""
        return self.count == self.capacity or (self.count > 0 and time.monotonic() - self.since > STEP_SECONDS)


class Camera:
    """Copies the steps of one batch of games. Views of its arrays are taken once: taking them costs more than copying.

    What is copied between `before` and `after` counts only when `after` has come to its end, so an interruption
    anywhere (Ctrl-C) leaves whole steps.
    """

    def __init__(self, games: Decisions) -> None:
        self.games = games  # held, so that no other batch can get its id
        seats = games.num_envs * games.players
        self._state, self._events = raw(games.state), raw(games.events.reshape(seats))
        self._legal, self._to_act = games.legal.reshape(seats, ACTIONS), games.to_act.reshape(seats)
        self._ended, self._winner = games.ended, games.winner
        self._begun = False

    def before(self, steps: Steps, action: Array, log_prob: Array | None, value: Array | None) -> None:
        """Copy what was there before a step."""
        self._begun = False
        k = steps.count
        if k == 0:
            steps.since = time.monotonic()
        steps.before[k] = self._state
        steps.legal[k], steps.to_act[k] = self._legal, self._to_act
        steps.action[k] = action.reshape(-1)
        for column, given in ((steps.log_prob, log_prob), (steps.value, value)):
            if column is not None:
                column[k] = given
        self._begun = True

    def after(self, steps: Steps) -> None:
        """Copy what came of it."""
        if not self._begun:
            return
        self._begun = False
        k = steps.count
        steps.after[k] = self._state
        steps.told[k] = self._events
        steps.ended[k], steps.winner[k] = self._ended, self._winner
        steps.count = k + 1
