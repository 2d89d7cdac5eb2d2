"""Policy heads: one interface, log-probabilities over the legal placements of every decision, in two shapes.

`head(features, scalars, legal) -> f32[B, 512]`: illegal actions hold `ILLEGAL`, finite so that no gradient becomes NaN,
and so low that exp() is exactly 0. `head.of_rows(features, scalars, after) -> f32[M]`: the legal ones alone, some 32 of
512, which is what learning needs.

Axis letters: B decisions, M legal placements of all of them together (ragged: each decision has its own number).
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import Encoder, Features
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.spec import ACTIONS, CELLS, COLS, ROWS

ILLEGAL = -1e9
ORIENTATIONS = 4
SECOND = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Where the second half lies (row, column) by orientation: right, below, left, above."""


def masked_log_softmax(logits: mx.array, legal: mx.array) -> mx.array:
    """Log-softmax over the last axis restricted to `legal` (bool, same shape); illegal entries hold ILLEGAL.

    A row without a legal entry comes out as ILLEGAL everywhere (finite, no NaN).
    """
    logits = mx.where(legal, logits, ILLEGAL)
    return mx.where(legal, logits - mx.logsumexp(logits, axis=-1, keepdims=True), ILLEGAL)


class Afterstates(NamedTuple):
    """The legal placements of B decisions, resolved. Rows of padding have decision B, any other content."""

    decision: mx.array  # i32[M]: row of the batch
    action: mx.array  # i32[M]
    facts: mx.array  # f32[M, F], columns as the head that reads them names them


Columns = tuple[np.ndarray, np.ndarray, np.ndarray]
"""The fields of `Afterstates` as NumPy arrays; decisions ascend."""


def log_softmax_of_rows(score: mx.array, decision: mx.array, batch: int) -> mx.array:
    """Log-softmax f32[M] of score f32[M] over each decision's rows; those of decision `batch` are one more."""
    top = mx.stop_gradient(mx.full((batch + 1,), ILLEGAL).at[decision].maximum(score))
    score = score - top[decision]
    return score - mx.log(sum_rows(mx.exp(score), decision, batch))[decision]


def sum_rows(values: mx.array, decision: mx.array, batch: int) -> mx.array:
    """The sum f32[B + 1] of values f32[M] over the rows of each decision i32[M]; the last is that of padding."""
    return mx.zeros((batch + 1,)).at[decision].add(values)


def by_action(after: Afterstates, score: mx.array, batch: int) -> mx.array:
    """Put the score f32[M] of every afterstate in the place of its action: f32[B, 512], 0 elsewhere."""
    scores = mx.zeros((batch + 1, ACTIONS)).at[after.decision, after.action]
    return scores.add(score)[:batch]


class Head(nn.Module):
    """Interface of all heads."""

    needs_grid = False
    """True for heads that read `features.grid`."""
    facts: ClassVar[tuple[str, ...]] = ()
    """Columns of the afterstates' facts that it is told (rl/afterstates.py); with some it cannot do without `after`."""

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__()

    def scores(self, features: Features, scalars: mx.array) -> mx.array:
        """f32[B, 512], whether legal or not."""
        raise NotImplementedError

    def __call__(
        self, features: Features, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> mx.array:
        """Raises ValueError without afterstates for a head that is told `facts`."""
        if not self.facts:
            return masked_log_softmax(self.scores(features, scalars), legal)
        if after is None:
            raise ValueError("after must hold the afterstates of every decision for this head, got None")
        return masked_log_softmax(by_action(after, self.scores_of_rows(features, scalars, after), len(legal)), legal)

    def of_rows(self, features: Features, scalars: mx.array, after: Afterstates) -> mx.array:
        """The same as f32[M], of the rows of `after`."""
        return log_softmax_of_rows(self.scores_of_rows(features, scalars, after), after.decision, len(scalars))

    def scores_of_rows(self, features: Features, scalars: mx.array, after: Afterstates) -> mx.array:
        """The scores f32[M] of the rows of `after`; those of padding are any."""
        scores = self.scores(features, scalars)
        return scores.reshape(-1)[mx.minimum(after.decision, len(scores) - 1) * ACTIONS + after.action]


class DenseHead(Head):
    """One linear map from the feature vector."""

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__(config, encoder, layout)
        self.score = small(nn.Linear(encoder.vector_size, ACTIONS))

    def scores(self, features: Features, scalars: mx.array) -> mx.array:
        return self.score(features.vector)


def shift_to_first(second: mx.array) -> mx.array:
    """Move the second half's scores to the cell of the first half.

    second: f32[B, 16, 8, 4], the score of the second half lying in a cell, per orientation. Returns f32[B, 4, 16, 8]
    where entry (o, row, col) is the score of the cell beside (row, col) in direction o (right, below, left, above),
    and 0 for a cell outside the bottle (above the top row: the half is lost).
    """
    padded = mx.pad(second, [(0, 0), (1, 1), (1, 1), (0, 0)])
    shifted = [padded[:, 1 + dr : 1 + dr + ROWS, 1 + dc : 1 + dc + COLS, o] for o, (dr, dc) in enumerate(SECOND)]
    return mx.stack(shifted, axis=1)


def halves(action: mx.array) -> tuple[mx.array, mx.array, mx.array]:
    """Orientation, cell of the first half and of the second (CELLS when that is above the bottle) of i32[M] actions."""
    orientation, first = action // CELLS, action % CELLS
    row, column = (mx.array([place[axis] for place in SECOND])[orientation] for axis in (0, 1))
    row = first // COLS + row
    inside = (row >= 0) & (row < ROWS)
    return orientation, first, mx.where(inside, row * COLS + first % COLS + column, CELLS)


class ShiftScoreHead(Head):
    """Score maps of the two halves by colour; the second is shifted by the orientation's offset and added.

    Few parameters, the same at every cell. Each colour has its own weights (per orientation) for the first and for the
    second half; the capsule's colours choose which ones score the grid.
    """

    needs_grid = True

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__(config, encoder, layout)
        channels = encoder.grid_channels
        scale = 0.01 / channels**0.5
        self.first = scale * mx.random.normal((3, channels * ORIENTATIONS))
        self.second = scale * mx.random.normal((3, channels * ORIENTATIONS))
        self.orientation = mx.zeros((ORIENTATIONS,))
        self._layout = layout

    def scores(self, features: Features, scalars: mx.array) -> mx.array:
        maps = self._maps(features, scalars).reshape(-1, ROWS, COLS, 2 * ORIENTATIONS)
        first, second = maps[..., :ORIENTATIONS], maps[..., ORIENTATIONS:]
        scores = first.transpose(0, 3, 1, 2) + shift_to_first(second) + self.orientation[:, None, None]
        return scores.flatten(1)

    def scores_of_rows(self, features: Features, scalars: mx.array, after: Afterstates) -> mx.array:
        maps = self._maps(features, scalars)
        orientation, first, second = halves(after.action)
        start = mx.minimum(after.decision, len(maps) - 1) * CELLS
        beside = start + mx.minimum(second, CELLS - 1)
        scores = maps.reshape(-1)
        of_first = scores[(start + first) * 2 * ORIENTATIONS + orientation]
        of_second = scores[(2 * beside + 1) * ORIENTATIONS + orientation]
        return of_first + mx.where(second < CELLS, of_second, 0.0) + self.orientation[orientation]

    def _maps(self, features: Features, scalars: mx.array) -> mx.array:
        """Scores f32[B, 128, 8] of the two halves in every cell: of the first by orientation, then of the second."""
        grid = features.grid
        assert grid is not None  # promised by needs_grid
        weights = [
            (scalars[:, s : s + 3] @ by_color).reshape(-1, grid.shape[3], ORIENTATIONS)
            for s, by_color in zip(self._layout.scalar_colors[:2], (self.first, self.second), strict=True)
        ]
        cells = grid.reshape(-1, ROWS * COLS, grid.shape[3])
        return cells @ mx.concatenate(weights, axis=2)


class FactorizedHead(Head):
    """Sum of an orientation, a row and a column score."""

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__(config, encoder, layout)
        self.orientation = small(nn.Linear(encoder.vector_size, ORIENTATIONS))
        self.row = small(nn.Linear(encoder.vector_size, ROWS))
        self.column = small(nn.Linear(encoder.vector_size, COLS))

    def scores(self, features: Features, scalars: mx.array) -> mx.array:
        x = features.vector
        scores = self.orientation(x)[:, :, None, None] + self.row(x)[:, None, :, None] + self.column(x)[:, None, None]
        return scores.flatten(1)


def small(layer: nn.Linear) -> nn.Linear:
    """Shrink a last layer's weights so that a fresh policy is nearly uniform over the legal placements."""
    layer.weight = layer.weight * 0.01
    layer.bias = mx.zeros_like(layer.bias)
    return layer
