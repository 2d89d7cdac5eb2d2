"""The head that is told what a placement does and what board it leaves, as the search's value function sees it.

shift_score and outcome add up numbers; this one lets them meet. For every legal placement a small network reads the
grid under both halves, the FACTS of the way and the features of the board afterwards (docs/search.md has them), whose
weights it learns itself.

Axis letters: B decisions, M afterstates of all of them together (ragged), H hidden units.
"""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

from mlx_drmario import feature_names
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import Encoder, Features
from mlx_drmario.nets.heads import ORIENTATIONS, Head, masked_log_softmax, small
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.outcome import FACTS, Afterstates, by_action
from mlx_drmario.spec import CELLS, COLS, ROWS

UNIT = 8
"""What the features, counts of cells mostly, are divided by."""

FEATURES = tuple(f"{name}/{UNIT}" for name in feature_names())
"""The features of the board afterwards, as further columns of `Afterstates.facts`."""

HIDDEN = 64
"""Units that judge a placement."""


class FeaturesHead(Head):
    """A network over each legal placement: what lies where its halves will, what it does, what it leaves."""

    needs_grid = True
    facts = FACTS + FEATURES

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__(config, encoder, layout)
        self.halves = nn.Linear(encoder.grid_channels, 2 * HIDDEN, bias=False)
        self.told = nn.Linear(len(self.facts), HIDDEN)
        self.orientation = mx.zeros((ORIENTATIONS, HIDDEN))
        self.mix = nn.Linear(HIDDEN, HIDDEN)
        self.score = small(nn.Linear(HIDDEN, 1))

    def __call__(
        self, features: Features, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> mx.array:
        """Raises ValueError without afterstates."""
        if after is None:
            raise ValueError("after must hold the afterstates of every decision for this head, got None")
        after = Afterstates(*after)  # mx.compile passes plain tuples
        return masked_log_softmax(by_action(after, self.scores(features, after), len(legal)), legal)

    def scores(self, features: Features, after: Afterstates) -> mx.array:
        """f32[M]: a score for every placement."""
        assert features.grid is not None  # promised by needs_grid
        batch = len(features.grid)
        # The row of padding reads the last decision's grid; nobody reads its score.
        decision = mx.minimum(after.decision, batch - 1)
        orientation, cell = after.action // CELLS, after.action % CELLS
        under = self.halves(features.grid.reshape(batch * CELLS, -1))
        first = under[decision * CELLS + cell][:, :HIDDEN]
        second, inside = beside(cell, orientation)
        second_half = mx.where(inside[:, None], under[decision * CELLS + second][:, HIDDEN:], 0.0)
        x = nn.relu(first + second_half + self.told(after.facts) + self.orientation[orientation])
        return self.score(x + nn.relu(self.mix(x)))[:, 0]


def beside(cell: mx.array, orientation: mx.array) -> tuple[mx.array, mx.array]:
    """The cell of the second half i32[M], and whether it lies in the bottle bool[M] (else the cell is the first's)."""
    down = mx.array([0, 1, 0, -1])[orientation]
    right = mx.array([1, 0, -1, 0])[orientation]
    row, column = cell // COLS + down, cell % COLS + right
    inside = (row >= 0) & (row < ROWS) & (column >= 0) & (column < COLS)
    return mx.where(inside, row * COLS + column, cell), inside
