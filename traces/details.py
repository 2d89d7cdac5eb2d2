"""What a policy says of its choices, as columns of decision rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.evaluate import Policy, choose
from mlx_drmario.spec import ACTIONS
from mlx_drmario.traces.games import Games
from mlx_drmario.traces.schema import NO_ACTION, TOP_K

BAND = (0.1, 0.9)
"""quantile levels of `value_band`"""
COLUMNS = ("log_prob", "value", "value_band", "top_action", "top_log_prob")
Table = Mapping[str, NDArray[Any]] | NDArray[np.void]


def forget(rows: Table, who: Any = slice(None)) -> None:
    """Mark what a policy could say of the rows `who` as not known."""
    for name in ("log_prob", "value", "value_band", "top_log_prob"):
        rows[name][who] = np.nan
    rows["top_action"][who] = NO_ACTION


def fill(
    rows: Table, who: Any, action: NDArray[Any], log_prob: NDArray[Any] | None, value: NDArray[Any] | None
) -> None:
    """Fill in what is given of log_prob, value, value_band, top_action and top_log_prob of the rows `who`.

    action: integers [N] (two players: [N, 2]); log_prob and value: with a row for each, as `Observer.before_step`
    takes them.
    """
    taken = action.reshape(-1)[who].astype(np.int64)
    if log_prob is not None and log_prob.ndim > action.ndim:
        every = log_prob.reshape(-1, ACTIONS)[who]
        rows["log_prob"][who] = np.take_along_axis(every, taken[:, None], 1)[:, 0]
        best = np.argpartition(-every, TOP_K, axis=1)[:, :TOP_K]
        best = np.take_along_axis(best, np.argsort(-np.take_along_axis(every, best, 1), axis=1, kind="stable"), 1)
        chances = np.take_along_axis(every, best, 1)
        rows["top_log_prob"][who] = chances
        rows["top_action"][who] = np.where(np.isfinite(chances), best, NO_ACTION)
    elif log_prob is not None:
        rows["log_prob"][who] = log_prob.reshape(-1)[who]
    if value is not None and value.ndim > action.ndim:
        quantiles = value.reshape(-1, value.shape[-1])[who]
        rows["value"][who] = quantiles.mean(axis=1)
        rows["value_band"][who] = np.quantile(quantiles, BAND, axis=1).T
    elif value is not None:
        rows["value"][who] = value.reshape(-1)[who]


def annotate(games: Games, policy: Policy, planes: str) -> Games:
    """The same games with what a policy says of every decision, instead of what was recorded.

    planes: the plane set that the policy reads. Raises ValueError for a game that was played by buttons or does not
    replay, naming it.
    """
    decision = {name: column.copy() for name, column in games.decision.items()}
    forget(decision)
    for e in range(len(games)):
        if games.episode["buttons"][e]:
            raise ValueError(f"episode {e} was played by buttons; a policy can only be asked where it could have acted")
        play = dm.Decisions(num_envs=1, planes=planes, players=games.players, threads=1)
        play.set_state(games.start[e : e + 1])
        rows = np.arange(games.rows)[games.decisions_of(e)]
        at = 0
        while at < len(rows):
            due = np.flatnonzero(play.to_act.reshape(-1))[: len(rows) - at]
            mine = rows[at : at + len(due)]
            _, log_prob, value = choose(policy, play.view)
            taken = np.zeros(games.players, np.int32)
            taken[due] = decision["action"][mine]
            seats: dict[str, NDArray[Any]] = {
                name: decision[name][rows[:1]].repeat(games.players, 0) for name in decision
            }
            fill(seats, slice(None), taken.reshape(play.tau.shape), log_prob, value)
            for name in ("log_prob", "value", "value_band", "top_action", "top_log_prob"):
                decision[name][mine] = seats[name][due]
            play.step(taken.reshape(play.tau.shape))
            at += len(due)
    return Games(games.players, games.episode, games.start, decision, games.buttons, games.sources)
