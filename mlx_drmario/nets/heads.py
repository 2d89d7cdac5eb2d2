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
OFFSETS = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""From the first half's cell to the second's, by orientation: row, column."""


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
    facts: mx.array  # f32[M, F], columns outcome.FACTS; without columns for heads that do not ask for them


def log_softmax_of_rows(score: mx.array, decision: mx.array, batch: int) -> mx.array:
    """Log-softmax f32[M] of score f32[M] over each decision's rows; those of decision `batch` are one more."""
    top = mx.stop_gradient(mx.full((batch + 1,), ILLEGAL).at[decision].maximum(score))
    score = score - top[decision]
    return score - mx.log(sum_rows(mx.exp(score), decision, batch))[decision]


def sum_rows(values: mx.array, decision: mx.array, batch: int) -> mx.array:
    """The sum f32[B + 1] of values f32[M] over the rows of each decision i32[M]; the last is that of padding."""
    return mx.zeros((batch + 1,)).at[decision].add(values)


def halves(action: mx.array) -> tuple[mx.array, mx.array, mx.array]:
    """Orientation, cell of the first half and of the second (CELLS when that is above the bottle) of i32[M] actions."""
    orientation, first = action // CELLS, action % CELLS
    row, column = (mx.array([place[axis] for place in OFFSETS])[orientation] for axis in (0, 1))
    row = first // COLS + row
    inside = (row >= 0) & (row < ROWS)
    return orientation, first, mx.where(inside, row * COLS + first % COLS + column, CELLS)


class Head(nn.Module):
    """Interface of all heads."""

    needs_grid = False
    """True for heads that read `features.grid`."""
    facts: ClassVar[tuple[str, ...]] = ()
    """Columns of the afterstates' facts that it is told (rl/afterstates.py)."""

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__()

    def scores(self, features: Features, scalars: mx.array) -> mx.array:
        """f32[B, 512], whether legal or not."""
        raise NotImplementedError

    def __call__(
        self, features: Features, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> mx.array:
        return masked_log_softmax(self.scores(features, scalars), legal)

    def of_rows(self, features: Features, scalars: mx.array, after: Afterstates) -> mx.array:
        """The same as f32[M], of the rows of `after`."""
        score = self.scores_of_rows(features, scalars, after) + self.of_facts(after)
        return log_softmax_of_rows(score, after.decision, len(scalars))

    def scores_of_rows(self, features: Features, scalars: mx.array, after: Afterstates) -> mx.array:
        """The scores f32[M] of the rows of `after`; those of padding are any."""
        scores = self.scores(features, scalars)
        return scores.reshape(-1)[mx.minimum(after.decision, len(scores) - 1) * ACTIONS + after.action]

    def of_facts(self, after: Afterstates) -> mx.array:
        """What the facts of an afterstate add to its score, f32[M] or a scalar."""
        return mx.array(0.0)


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
    shifted = [padded[:, 1 + dr : 1 + dr + ROWS, 1 + dc : 1 + dc + COLS, o] for o, (dr, dc) in enumerate(OFFSETS)]
    return mx.stack(shifted, axis=1)


def shift_score_tables() -> tuple[mx.array, mx.array, mx.array, mx.array]:
    """By action: where maps [128, 8] hold the scores of the first and second half, whether that is inside, and o."""
    o, row, col = np.unravel_index(np.arange(ACTIONS), (ORIENTATIONS, ROWS, COLS))
    down, across = (np.array(OFFSETS)[o] + np.stack([row, col], axis=1)).T
    inside = (down >= 0) & (down < ROWS) & (across >= 0) & (across < COLS)
    first = (row * COLS + col) * 2 * ORIENTATIONS + o
    second = np.where(inside, (down * COLS + across) * 2 * ORIENTATIONS + ORIENTATIONS + o, 0)
    return mx.array(first, mx.int32), mx.array(second, mx.int32), mx.array(inside, mx.float32), mx.array(o, mx.int32)


TABLES = shift_score_tables()


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
        first, second, inside, orientation = (table[after.action] for table in TABLES)
        begin = mx.minimum(after.decision, len(maps) - 1) * maps[0].size
        maps = maps.reshape(-1)
        return maps[begin + first] + inside * maps[begin + second] + self.orientation[orientation]

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


def small(layer: nn.Linear, scale: float = 0.01) -> nn.Linear:
    """Shrink a last layer's weights so that a fresh policy is nearly uniform over the legal placements."""
    layer.weight = layer.weight * scale
    layer.bias = mx.zeros_like(layer.bias)
    return layer
