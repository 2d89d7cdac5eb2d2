"""What a policy says of its choices, as columns of decision rows."""

from collections.abc import Iterable, Mapping
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
IMPOSSIBLE = -1e6
"""log-probabilities up to here are of placements that cannot be chosen (networks give those -1e9, others -inf)"""
COLUMNS = ("log_prob", "value", "value_band", "top_action", "top_log_prob")
Table = Mapping[str, NDArray[Any]] | NDArray[np.void]


def forget(rows: Table) -> None:
    """Mark what a policy could say of the rows as not known."""
    for name in ("log_prob", "value", "value_band", "top_log_prob"):
        rows[name][:] = np.nan
    rows["top_action"][:] = NO_ACTION


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
        known = chances > IMPOSSIBLE
        rows["top_log_prob"][who] = np.where(known, chances, np.nan)
        rows["top_action"][who] = np.where(known, best, NO_ACTION)
    elif log_prob is not None:
        rows["log_prob"][who] = log_prob.reshape(-1)[who]
    if value is not None and value.ndim > action.ndim:
        quantiles = value.reshape(-1, value.shape[-1])[who]
        rows["value"][who] = quantiles.mean(axis=1)
        rows["value_band"][who] = np.quantile(quantiles, BAND, axis=1).T
    elif value is not None:
        rows["value"][who] = value.reshape(-1)[who]


def annotate(games: Games, policy: Policy, planes: str, episodes: Iterable[int] | None = None) -> Games:
    """The same games with what a policy says of every decision, instead of what was recorded.

    planes: the plane set that the policy reads; episodes: which to ask about, by default all. Raises ValueError for
    games of two players, and for a game that was played by buttons or does not replay, naming it.
    """
    if games.players != 1:
        raise ValueError(f"games.players is {games.players}; a policy can only be asked about games of one player")
    decision = {name: column.copy() for name, column in games.decision.items()}
    forget(decision)
    for e in range(len(games)) if episodes is None else episodes:
        if games.episode["buttons"][e]:
            raise ValueError(f"episode {e} was played by buttons; a policy can only be asked where it could have acted")
        play = dm.Decisions(num_envs=1, planes=planes, threads=1)
        play.set_state(games.start[e : e + 1])
        for row in range(*games.decisions_of(e).indices(games.rows)):
            if play.ended[0]:
                raise ValueError(f"episode {e} does not replay: its game is over before its last decision")
            _, log_prob, value = choose(policy, play.view)
            action = decision["action"][row : row + 1].astype(np.int32)
            own = {name: column[row : row + 1] for name, column in decision.items()}
            fill(own, slice(None), action, log_prob, value)
            play.step(action)
    return Games(games.players, games.episode, games.start, decision, games.buttons, games.sources)
