"""Policy heads: one interface, masked log-probabilities over the 512 placements.

`head(features, scalars, legal) -> f32[B, 512]`: log-probabilities that sum to one over the legal actions; illegal
actions hold `ILLEGAL`, finite so that no gradient becomes NaN, and so low that exp() is exactly 0.
"""

from __future__ import annotations

from typing import ClassVar

import mlx.core as mx
import mlx.nn as nn

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import Encoder, Features
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.spec import ACTIONS, COLS, ROWS

ILLEGAL = -1e9
ORIENTATIONS = 4


def masked_log_softmax(logits: mx.array, legal: mx.array) -> mx.array:
    """Log-softmax over the last axis restricted to `legal` (bool, same shape); illegal entries hold ILLEGAL.

    A row without a legal entry comes out as ILLEGAL everywhere (finite, no NaN).
    """
    logits = mx.where(legal, logits, ILLEGAL)
    return mx.where(legal, logits - mx.logsumexp(logits, axis=-1, keepdims=True), ILLEGAL)


class Head(nn.Module):
    """Interface of all heads."""

    needs_grid = False
    """True for heads that read `features.grid`."""
    facts: ClassVar[tuple[str, ...]] = ()
    """Columns of the afterstates' facts that it is told (rl/afterstates.py); heads with some take the afterstates as a
    further argument."""

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__()

    def __call__(self, features: Features, scalars: mx.array, legal: mx.array) -> mx.array:
        raise NotImplementedError


class DenseHead(Head):
    """One linear map from the feature vector."""

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__(config, encoder, layout)
        self.score = small(nn.Linear(encoder.vector_size, ACTIONS))

    def __call__(self, features: Features, scalars: mx.array, legal: mx.array) -> mx.array:
        return masked_log_softmax(self.score(features.vector), legal)


def shift_to_first(second: mx.array) -> mx.array:
    """Move the second half's scores to the cell of the first half.

    second: f32[B, 16, 8, 4], the score of the second half lying in a cell, per orientation. Returns f32[B, 4, 16, 8]
    where entry (o, row, col) is the score of the cell beside (row, col) in direction o (right, below, left, above),
    and 0 for a cell outside the bottle (above the top row: the half is lost).
    """
    padded = mx.pad(second, [(0, 0), (1, 1), (1, 1), (0, 0)])
    offsets = ((0, 1), (1, 0), (0, -1), (-1, 0))
    shifted = [padded[:, 1 + dr : 1 + dr + ROWS, 1 + dc : 1 + dc + COLS, o] for o, (dr, dc) in enumerate(offsets)]
    return mx.stack(shifted, axis=1)


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

    def __call__(self, features: Features, scalars: mx.array, legal: mx.array) -> mx.array:
        return masked_log_softmax(self.scores(features, scalars), legal)

    def scores(self, features: Features, scalars: mx.array) -> mx.array:
        """f32[B, 512], whether legal or not."""
        grid = features.grid
        assert grid is not None  # promised by needs_grid
        weights = [
            (scalars[:, s : s + 3] @ by_color).reshape(-1, grid.shape[3], ORIENTATIONS)
            for s, by_color in zip(self._layout.scalar_colors[:2], (self.first, self.second), strict=True)
        ]
        cells = grid.reshape(-1, ROWS * COLS, grid.shape[3])
        maps = (cells @ mx.concatenate(weights, axis=2)).reshape(-1, ROWS, COLS, 2 * ORIENTATIONS)
        first, second = maps[..., :ORIENTATIONS], maps[..., ORIENTATIONS:]
        scores = first.transpose(0, 3, 1, 2) + shift_to_first(second) + self.orientation[:, None, None]
        return scores.flatten(1)


class FactorizedHead(Head):
    """Sum of an orientation, a row and a column score."""

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__(config, encoder, layout)
        self.orientation = small(nn.Linear(encoder.vector_size, ORIENTATIONS))
        self.row = small(nn.Linear(encoder.vector_size, ROWS))
        self.column = small(nn.Linear(encoder.vector_size, COLS))

    def __call__(self, features: Features, scalars: mx.array, legal: mx.array) -> mx.array:
        x = features.vector
        scores = self.orientation(x)[:, :, None, None] + self.row(x)[:, None, :, None] + self.column(x)[:, None, None]
        return masked_log_softmax(scores.flatten(1), legal)


def small(layer: nn.Linear, scale: float = 0.01) -> nn.Linear:
    """Shrink a last layer's weights so that a fresh policy is nearly uniform over the legal placements."""
    layer.weight = layer.weight * scale
    layer.bias = mx.zeros_like(layer.bias)
    return layer
