"""The head that is told what a placement does, instead of having to learn it.

The engine resolves each legal placement (lock, clears, falling pieces); the outcome head adds to the scores of
shift_score what the placement clears, which costs next to nothing.
"""

from __future__ import annotations

import mlx.core as mx

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import Encoder, Features
from mlx_drmario.nets.heads import Afterstates, ShiftScoreHead
from mlx_drmario.nets.layout import ObservationLayout

TAU_UNIT = 256
FACTS = ("viruses_cleared/4", "halves_cleared/8", "combos/4", "cascade/4", f"tau/{TAU_UNIT}", "cleared", "top_out")
"""What happened on the way to an afterstate, as columns of `Afterstates.facts`; the number divides."""


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
        self.scale = config.outcome_scale

    def scores_of_rows(self, features: Features, scalars: mx.array, after: Afterstates) -> mx.array:
        gained = after.facts[:, : len(FACTS)] @ (self.scale * self.gain)
        return super().scores_of_rows(features, scalars, after) + gained
