"""Play by an evaluator: of all legal placements the one whose distribution of frames is best, by a dial for risk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlx_drmario import PublicView
from mlx_drmario.evaluate import Details
from mlx_drmario.nets.outcome import FACTS, TAU_UNIT
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.evaluator.forecast import Evaluator, Floats, Forecast, tail_mean

LOST = 50_000.0
"""Frames that a lost game counts for, and a clear that takes longer: some 600 capsules at HI, 500 at LOW."""

TAU, CLEARED, TOP_OUT = (FACTS.index(name) for name in (f"tau/{TAU_UNIT}", "cleared", "top_out"))


class RiskPolicy:
    """Takes the placement with the least `cost`, as an `evaluate.Policy`.

    The forecast is of what the policy that the evaluator learnt from would do after the placement, so this is one step
    of policy improvement over that policy (exactly so with `risk_tau` 1 and a perfect forecast). What the rules say of
    a placement (its frames, whether it clears the bottle or ends the game) is not left to the network.
    """

    def __init__(self, evaluator: Evaluator, risk_tau: float = 1.0) -> None:
        """ValueError unless `risk_tau` lies above 0 and below 2."""
        if not 0 < risk_tau < 2:
            raise ValueError(f"risk_tau must be strictly between 0 and 2, got {risk_tau}")
        self.evaluator, self.risk_tau = evaluator, risk_tau
        self.layout = evaluator.layout

    def act(self, view: PublicView) -> NDArray[np.int32]:
        """Choose a placement i32[N] for every game (0 for games that have ended); raises as `act_with_details`."""
        return self.act_with_details(view)[0]

    def act_with_details(self, view: PublicView) -> Details:
        """The placements i32[N], no probabilities, and what is foreseen of each: quantiles f32[N, K], 0 in ended games.

        They are of the frames from now to the clear, given that the game is cleared; of QR-DQN, of the return.
        Raises ValueError when the games show other planes than the network was trained on, or have two players.
        """
        self.layout.require(view)
        action = np.zeros(view.num_envs, np.int32)
        foreseen = np.zeros((view.num_envs, self.evaluator.quantiles), np.float32)
        running = np.flatnonzero(~view.ended)
        if running.size:
            decision, actions, facts = AfterstateRows.of(view, FACTS).take(running)
            first = np.searchsorted(decision, np.arange(len(running) + 1))
            said = self.evaluator.placements(
                view.planes[running], view.scalars[running], (first, (decision, actions, facts))
            )
            if not self.evaluator.returns:
                said = known(said, facts)
            costs = return_cost(said.frames, self.risk_tau) if self.evaluator.returns else cost(said, self.risk_tau)
            best = np.lexsort((actions, costs, decision))[first[:-1]]  # of equals the lowest action
            action[running], foreseen[running] = actions[best], said.frames[best]
        return action, None, foreseen


def known(said: Forecast, facts: NDArray[np.float32]) -> Forecast:
    """A forecast of placements with the frames of the placement on top, and without doubt where the rules decide."""
    cleared, top_out = (facts[:, column] > 0 for column in (CLEARED, TOP_OUT))
    rest = np.where(cleared[:, None], 0, said.frames)
    clear = np.where(cleared, 1, np.where(top_out, 0, said.clear))
    return Forecast(clear, TAU_UNIT * facts[:, TAU, None].astype(np.float64) + rest)


def cost(said: Forecast, risk_tau: float) -> Floats:
    """Frames f64[B] by which placements are compared, a lost game counting as LOST.

    risk_tau 1 is the mean; below 1 the mean of the worst share `risk_tau` of what may happen (CVaR), above 1 that of
    the best share 2 - risk_tau: a distorted expectation (W. Dabney et al., "Implicit quantile networks for
    distributional reinforcement learning", ICML 2018, section 3.2).
    """
    count = said.frames.shape[1]
    values = np.concatenate([np.minimum(said.frames, LOST), np.full((len(said.clear), 1), LOST)], axis=1)
    weights = np.concatenate([np.repeat(said.clear[:, None] / count, count, axis=1), 1 - said.clear[:, None]], axis=1)
    return distorted_mean(values, weights, risk_tau)


def return_cost(returns: Floats, risk_tau: float) -> Floats:
    """As `cost`, of K equally likely returns f64[B, K] in increasing order: their distorted mean, negated."""
    values, weights = -returns[:, ::-1], np.full(returns.shape, 1 / returns.shape[1])
    return distorted_mean(values, weights, risk_tau)


def distorted_mean(values: Floats, weights: Floats, risk_tau: float) -> Floats:
    """Of costs f64[B, K] in increasing order, by their weights: see `cost`."""
    if risk_tau <= 1:
        return tail_mean(values, weights, risk_tau)
    return -tail_mean(-values[:, ::-1], weights[:, ::-1], 2 - risk_tau)


def load_risk_policy(path: Path | str, risk_tau: float = 1.0) -> RiskPolicy:
    """That of a run or checkpoint directory. Raises what `Evaluator.load` raises, ValueError for a wrong risk."""
    return RiskPolicy(Evaluator.load(path), risk_tau)
