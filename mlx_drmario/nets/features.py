"""The head that is told what a placement does and what board it leaves, as the search's value function sees it.

shift_score and outcome add up numbers; this one lets them meet. For every legal placement a small network reads the
grid under both halves, the encoder's summary of the whole bottle, the FACTS of the way, the features of the board
afterwards and what that board offers the next capsule (docs/search.md has them), whose weights it learns itself.

Axis letters: B decisions, M afterstates of all of them together (ragged), H hidden units.
"""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

from mlx_drmario import feature_names, preview_feature_names
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import Encoder, Features, relu
from mlx_drmario.nets.heads import ORIENTATIONS, Afterstates, Head, halves, small
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.outcome import FACTS
from mlx_drmario.spec import CELLS

UNIT = 8
"""What the features, counts of cells mostly, are divided by."""

FEATURES = tuple(f"{name}/{UNIT}" for name in feature_names())
"""The features of the board afterwards, as further columns of `Afterstates.facts`."""

PREVIEW_UNIT = 2
"""What the preview features are divided by."""

PREVIEW = tuple(f"{name}/{PREVIEW_UNIT}" for name in preview_feature_names())
"""What the board afterwards offers the next capsule, as columns after those."""


class FeaturesHead(Head):
    """A network over each legal placement: what lies where its halves will, what it does, what it leaves."""

    needs_grid = True
    facts = FACTS + FEATURES + PREVIEW

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__(config, encoder, layout)
        self.hidden = hidden = config.hidden
        self.halves = nn.Linear(encoder.grid_channels, 2 * hidden, bias=False)
        self.told = nn.Linear(len(self.facts), hidden)
        self.summary = nn.Linear(encoder.vector_size, hidden, bias=False)
        self.orientation = mx.zeros((ORIENTATIONS, hidden))
        self.mix = nn.Linear(hidden, hidden)
        self.score = small(nn.Linear(hidden, 1))

    def scores_of_rows(self, features: Features, scalars: mx.array, after: Afterstates) -> mx.array:
        assert features.grid is not None  # promised by needs_grid
        batch = len(features.grid)
        # The row of padding reads the last decision's grid; nobody reads its score.
        decision = mx.minimum(after.decision, batch - 1)
        orientation, first_cell, second_cell = halves(after.action)
        under = self.halves(features.grid.reshape(batch * CELLS, -1))
        first = under[decision * CELLS + first_cell][:, : self.hidden]
        inside = (second_cell < CELLS)[:, None]
        second = mx.where(inside, under[decision * CELLS + mx.minimum(second_cell, CELLS - 1)][:, self.hidden :], 0.0)
        of_all = self.summary(features.vector)[decision]
        x = relu(first + second + self.told(after.facts) + of_all + self.orientation[orientation])
        return self.score(x + relu(self.mix(x)))[:, 0]
