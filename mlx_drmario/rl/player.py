"""Trained networks as players: what comes out of a run, behind the interface that evaluation and screens know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import mlx.core as mx
import numpy as np

from mlx_drmario import PublicView
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.ensemble import Ensemble
from mlx_drmario.nets.features import PREVIEW, FeaturesHead
from mlx_drmario.nets.heads import ILLEGAL, Afterstates
from mlx_drmario.nets.policy import ActorCritic, make_policy
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.distribution import sample_numpy
from mlx_drmario.rl.runs import checkpoint

Mode = Literal["argmax", "sample"]


class NetworkPolicy:
    """A trained network, or several, as an `evaluate.Policy`."""

    def __init__(self, model: ActorCritic | Ensemble, mode: Mode = "argmax", seed: int = 0) -> None:
        """`mode` is "argmax" (the most probable placement) or "sample"; `seed` matters for "sample" alone,
        whose draws depend on which other games are in the batch. Of "argmax" only the last bits of log-probabilities
        do: products of other shapes are summed in another order (and on GPUs that round products, the fourth digit:
        docs/libraries.md, 3)."""
        if mode not in ("argmax", "sample"):
            raise ValueError(f"mode must be 'argmax' or 'sample', got {mode!r}")
        self.model = model
        self.layout = model.layout
        self.mode = mode
        self.rng = np.random.default_rng(seed)

    def act(self, view: PublicView) -> np.ndarray:
        """Choose a placement i32[N] for every game (0 for games that have ended)."""
        return self.act_with_details(view)[0]

    def act_with_details(self, view: PublicView) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The placements i32[N], and what they were chosen by: log-probabilities f32[N, 512] and values f32[N].

        A game that has ended has placement 0, value 0, and ILLEGAL everywhere. Raises ValueError when the games show
        other planes than the network was trained on, or have two players.
        """
        self.layout.require(view)
        action = np.zeros(view.num_envs, np.int32)
        log_probs = np.full(view.legal.shape, ILLEGAL, np.float32)
        value = np.zeros(view.num_envs, np.float32)
        rows = np.flatnonzero(~view.ended)
        if rows.size:
            after = AfterstateRows.of(view, self.model.facts).take(rows) if self.model.facts else None
            planes, scalars, legal = (mx.array(array[rows]) for array in (view.planes, view.scalars, view.legal))
            outputs = self.model(planes, scalars, legal, Afterstates(*map(mx.array, after)) if after else None)
            log_probs[rows], value[rows] = map(np.asarray, outputs)
            chosen = log_probs[rows]
            action[rows] = chosen.argmax(axis=1) if self.mode == "argmax" else sample_numpy(self.rng, chosen)
        return action, log_probs, value


def load_policy(path: Path | str, mode: Mode = "argmax", seed: int = 0) -> NetworkPolicy:
    """Load the policy of a run directory (its newest intact checkpoint) or of one checkpoint directory.

    Raises FileNotFoundError when there is none, ValueError when it is damaged or this version cannot play it.
    """
    return NetworkPolicy(_network(Path(path)), mode, seed)


def load_ensemble(paths: Sequence[Path | str]) -> NetworkPolicy:
    """Load several policies as one that plays by the mean of their log-probabilities.

    Raises ValueError for no paths or for networks that read different observations, and what load_policy raises.
    """
    return NetworkPolicy(Ensemble([_network(Path(path)) for path in paths]))


def _network(path: Path) -> ActorCritic:
    saved = checkpoint.load_weights(path)
    if not isinstance(saved.net, NetConfig):
        raise ValueError(f"{path} holds the network of an {saved.net.network}, which plays as 'risk:1:{path}'")
    model = make_policy(saved.net, saved.layout, seed=0)
    weights = dict(saved.model)
    if isinstance(model.head, FeaturesHead):
        _complete(model.head, weights)
    model.load_weights(list(weights.items()))
    mx.eval(model.parameters())
    return model


def _complete(head: FeaturesHead, weights: dict[str, mx.array]) -> None:
    """Networks of before this head read the summary, or was told of the next capsule, have no weights for these."""
    weights.setdefault("head.summary.weight", mx.zeros_like(head.summary.weight))
    told, known = weights["head.told.weight"], head.told.weight.shape[1]
    if told.shape[1] == known - len(PREVIEW):
        weights["head.told.weight"] = mx.pad(told, [(0, 0), (0, len(PREVIEW))])
