"""What an evaluator says, as plain numbers: chances, quantiles of frames, and what follows from them.

A forecast of a game is a mixture: with chance `clear` a time, of which K quantiles are K equally likely values, else
the game is lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlx_drmario.nets.config import QuantileNetConfig, ReturnNetConfig
from mlx_drmario.nets.heads import Afterstates, Columns
from mlx_drmario.nets.quantile import Outlook, QuantileNet, frames_of, make_quantile_net
from mlx_drmario.rl.runs import checkpoint

BATCH = 512
"""States that are looked at together."""

Floats = NDArray[np.float64]


class Forecast(NamedTuple):
    """Of B states or M placements."""

    clear: Floats
    """f64[B]: chance to be cleared"""
    frames: Floats
    """f64[B, K]: quantiles of the frames left given that, in increasing order"""


class Evaluator:
    """A trained network of quantiles."""

    def __init__(self, model: QuantileNet, returns: bool = False) -> None:
        """`returns` says that it is of QR-DQN: quantiles of the return of placements, and nothing else that is true."""
        self.model, self.returns = model, returns
        self.layout = model.layout

    @property
    def quantiles(self) -> int:
        """K"""
        return int(self.model.to_placement.weight.shape[0]) - 1

    @classmethod
    def load(cls, path: Path | str) -> Evaluator:
        """That of a run directory (newest intact checkpoint) or of a checkpoint; raises what `load_policy` raises.

        ValueError for a directory that holds another kind of network.
        """
        saved = checkpoint.load_weights(Path(path))
        if not isinstance(saved.net, QuantileNetConfig):
            raise ValueError(f"{path} holds a {saved.net.network}, no evaluator (`drmario train evaluator` makes one)")
        model = make_quantile_net(saved.net, saved.layout, seed=0)
        model.load_weights(list(saved.model.items()))
        mx.eval(model.parameters())
        return cls(model, returns=isinstance(saved.net, ReturnNetConfig))

    def states(self, planes: NDArray[np.uint8], scalars: NDArray[np.float32]) -> Forecast:
        """Of planes u8[B, C, 16, 8] and scalars f32[B, S]: frames from now on, if the policy it learnt from goes on."""
        return self._in_batches(planes, scalars, None)

    def placements(
        self, planes: NDArray[np.uint8], scalars: NDArray[np.float32], after: tuple[NDArray[np.int64], Columns]
    ) -> Forecast:
        """Of M placements in B states: frames from the end of the placement on.

        `after` is what `AfterstateRows` has: the first row of every state i64[B + 1], and the columns of all rows.
        """
        return self._in_batches(planes, scalars, after)

    def _in_batches(
        self,
        planes: NDArray[np.uint8],
        scalars: NDArray[np.float32],
        after: tuple[NDArray[np.int64], Columns] | None,
    ) -> Forecast:
        parts = [Forecast(np.zeros(0), np.zeros((0, self.quantiles)))]  # so that no states are an empty forecast
        for begin in range(0, len(planes), BATCH):
            end = min(begin + BATCH, len(planes))
            features = self.model.encode(mx.array(planes[begin:end]), mx.array(scalars[begin:end]))
            if after is None:
                said = self.model.of_state(features)
            else:
                first, (decision, action, facts) = after
                rows = slice(first[begin], first[end])
                columns = (decision[rows] - np.int32(begin), action[rows], facts[rows])
                said = self.model.of_placements(features, Afterstates(*map(mx.array, columns)))
            parts.append(_numbers(said, self.returns))
        clear, frames = zip(*parts, strict=True)
        return Forecast(np.concatenate(clear), np.concatenate(frames))


def _numbers(said: Outlook, returns: bool) -> Forecast:
    clear, frames = mx.sigmoid(said.clear), said.quantiles if returns else frames_of(said.quantiles)
    mx.eval(clear, frames)
    return Forecast(np.asarray(clear).astype(np.float64), np.asarray(frames).astype(np.float64))


def mean(frames: Floats) -> Floats:
    """E[T] f64[B] given clearing."""
    return np.asarray(frames.mean(axis=1), np.float64)


def variance(frames: Floats) -> Floats:
    """Var[T] f64[B] given clearing. The mean within each of the K parts stands for it, so it is a little small."""
    return np.asarray(frames.var(axis=1))


def tail_mean(values: Floats, weights: Floats, share: float) -> Floats:
    """Mean f64[B] of the greatest `share` of a distribution with increasing values f64[B, K] and weights f64[B, K].

    Its conditional value at risk at level 1 - share; the weights of each row sum to 1 (R. T. Rockafellar and
    S. Uryasev, Journal of Banking & Finance 26 (2002) 1443-1471, proposition 8).
    """
    above = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1] - weights  # of what is greater
    used = np.clip(share - above, 0, weights)
    return np.asarray((used * values).sum(axis=1) / share)


def cvar(frames: Floats, share: float = 0.1) -> Floats:
    """Mean f64[B] of the slowest `share` of the times, given clearing."""
    return tail_mean(frames, np.full(frames.shape, 1 / frames.shape[1]), share)
