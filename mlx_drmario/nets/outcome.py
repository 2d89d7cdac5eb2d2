"""The head that is told what a placement does, instead of having to learn it.

The engine resolves each legal placement (lock, clears, falling pieces); the outcome head adds to the scores of
shift_score what the placement clears, which costs next to nothing.

Axis letters: B decisions, M afterstates of all of them together (ragged: each decision has its own number).
"""

from __future__ import annotations

from typing import NamedTuple

import mlx.core as mx

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import Encoder, Features
from mlx_drmario.nets.heads import ShiftScoreHead, masked_log_softmax
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.spec import ACTIONS, CELLS, COLS, ROWS

FACTS = ("viruses_cleared/4", "halves_cleared/8", "combos/4", "cascade/4", "tau/256", "cleared", "top_out")
"""What happened on the way to an afterstate, as columns of `Afterstates.facts`; the number divides."""


SECOND = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Where the second half lies (row, column) by orientation: right, below, left, above."""


class Afterstates(NamedTuple):
    """The legal placements of B decisions, resolved. Rows of padding have decision B, any other content."""

    decision: mx.array  # i32[M]: row of the batch
    action: mx.array  # i32[M]
    facts: mx.array  # f32[M, F]: columns FACTS, and for the features head its own


class OutcomeHead(ShiftScoreHead):
    """The scores of shift_score, plus a weight for each of the FACTS of a placement.

    `config.outcome_scale` multiplies these few weights, so that the optimiser moves them that many times as fast as
    others: unscaled they stay too small to matter, scaled too much a policy takes whatever it can clear and learns
    less of preparing it.
    """

    facts = FACTS

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__(config, encoder, layout)
        self.gain = mx.zeros((len(FACTS),))
        self._scale = config.outcome_scale

    def __call__(
        self, features: Features, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> mx.array:
        """Raises ValueError without afterstates."""
        if after is None:
            raise ValueError("after must hold the afterstates of every decision for this head, got None")
        after = Afterstates(*after)  # mx.compile passes plain tuples
        gained = by_action(after, after.facts[:, : len(FACTS)] @ (self._scale * self.gain), len(legal))
        return masked_log_softmax(self.scores(features, scalars) + gained, legal)


def by_action(after: Afterstates, score: mx.array, batch: int) -> mx.array:
    """Put the score f32[M] of every afterstate in the place of its action: f32[B, 512], 0 elsewhere."""
    scores = mx.zeros((batch + 1, ACTIONS)).at[after.decision, after.action]
    return scores.add(score)[:batch]


def halves(action: mx.array) -> tuple[mx.array, mx.array, mx.array]:
    """Orientation, cell of the first half and of the second (CELLS when that is above the bottle) of i32[M] actions."""
    orientation, first = action // CELLS, action % CELLS
    row, column = (mx.array([place[axis] for place in SECOND])[orientation] for axis in (0, 1))
    row = first // COLS + row
    inside = (row >= 0) & (row < ROWS)
    return orientation, first, mx.where(inside, row * COLS + first % COLS + column, CELLS)
