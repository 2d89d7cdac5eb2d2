"""The afterstate head: every legal placement is judged by the bottle it leaves behind.

The engine resolves each placement (lock, clears, falling pieces); one shared network scores the resulting bottles, and
the scores of a decision's placements are its logits. What the other heads must learn, namely what a placement does, is
given here; the price is one encoder pass per legal placement instead of one per decision.

Axis letters: B decisions, M afterstates of all of them together (ragged: each decision has its own number).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import Encoder, Features, make_encoder
from mlx_drmario.nets.heads import Head, masked_log_softmax, small
from mlx_drmario.nets.layout import COLORS, COLUMNS, NUM_ACTIONS, ROWS, ObservationLayout
from mlx_drmario.nets.symmetry import color_order, permute_colors
from mlx_drmario.spec import SINGLE, TOP, VIRUS

FACTS = ("viruses_cleared/4", "halves_cleared/8", "combos/4", "cascade/4", "tau/256", "cleared", "top_out")
"""What happened on the way to an afterstate, as columns of `Afterstates.facts`."""

PLANES = (*(f"virus_{c}" for c in COLORS), *(f"half_{c}" for c in COLORS), "empty", "linked")
"""What the network sees of a resolved bottle."""


class Afterstates(NamedTuple):
    """The legal placements of B decisions, resolved. Rows of padding have decision B, any other content."""

    decision: mx.array  # i32[M]: row of the batch
    action: mx.array  # i32[M]
    bottle: mx.array  # u8[M, 128]: settled, before the next capsule
    facts: mx.array  # f32[M, F], columns FACTS


class AfterstateHead(Head):
    """Scores the resolved bottle of every legal placement with one shared network (an encoder of the same kind)."""

    needs_afterstates = True

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__(config, encoder, layout)
        self._canonical = config.canonical_colors
        self._layout = layout
        self._context = [i for i, name in enumerate(layout.scalar_names) if not name.startswith(("first_", "second_"))]
        self._cells = mx.array(cell_planes())
        self.judge = make_encoder(config, len(PLANES), len(self._context) + len(FACTS), with_grid=False)
        self.score = small(nn.Linear(self.judge.vector_size, 1))

    def __call__(
        self, features: Features, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> mx.array:
        """`scalars` must have the game's own colours (not relabelled). Raises ValueError without afterstates."""
        if after is None:
            raise ValueError("after must hold the afterstates of every decision for an afterstate head, got None")
        after = Afterstates(*after)  # mx.compile passes plain tuples
        batch = scalars.shape[0]
        order = self._color_order(scalars)
        context = permute_colors(scalars, order, self._layout.scalar_colors)[:, mx.array(self._context)]
        decision = mx.minimum(after.decision, batch - 1)
        planes = self._cells[permutation_index(order)[decision, None], after.bottle.astype(mx.int32)]
        planes = planes.reshape(-1, ROWS, COLUMNS, len(PLANES)).transpose(0, 3, 1, 2).astype(scalars.dtype)
        seen = self.judge(planes, mx.concatenate([context[decision], after.facts.astype(scalars.dtype)], axis=1))
        score = self.score(seen.vector).squeeze(1).astype(mx.float32)
        scores = mx.zeros((batch + 1, NUM_ACTIONS)).at[after.decision, after.action].add(score)[:batch]
        return masked_log_softmax(scores, legal)

    def _color_order(self, scalars: mx.array) -> mx.array:
        """i32[B, 3], as the next decision will label the colours: the preview is its capsule."""
        if not self._canonical:
            return mx.broadcast_to(mx.arange(3, dtype=mx.int32), (scalars.shape[0], 3))
        first, second, next_first, next_second = self._layout.scalar_colors[:4]
        return color_order(scalars, (next_first, next_second, first, second))


def permutation_index(order: mx.array) -> mx.array:
    """Number i32[B] of a colour order i32[B, 3] among the sorted permutations of (0, 1, 2)."""
    return 2 * order[:, 0] + (order[:, 1] > order[:, 2])


@lru_cache(maxsize=1)
def cell_planes() -> np.ndarray:
    """f32[6, 256, 8]: the PLANES of a cell by colour order (see `permutation_index`) and bottle byte."""
    table = np.zeros((6, 256, len(PLANES)), np.float32)
    for number, order in enumerate(permutations(range(3))):
        for byte in range(256):
            kind, color = byte & 0xF0, byte & 0x0F
            if kind > VIRUS:
                table[number, byte, PLANES.index("empty")] = 1
            elif color < 3 and (TOP <= kind <= SINGLE or kind == VIRUS):
                table[number, byte, (0 if kind == VIRUS else 3) + order.index(color)] = 1
                table[number, byte, PLANES.index("linked")] = kind < SINGLE
    return table
