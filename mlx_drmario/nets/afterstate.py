"""Heads that are told what a placement does, instead of having to learn it.

The engine resolves each legal placement (lock, clears, falling pieces). The outcome head adds to the scores of
shift_score what the placement clears, which costs next to nothing; the afterstate head lets a network judge the bottle
that it leaves behind, which costs an encoder pass per legal placement instead of one per decision.

Axis letters: B decisions, M afterstates of all of them together (ragged: each decision has its own number).
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import Encoder, Features, make_encoder
from mlx_drmario.nets.heads import Head, ShiftScoreHead, masked_log_softmax, small
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
    bottle: mx.array  # u8[M, 128]: settled, before the next capsule; u8[M, 0] unless the head needs them
    facts: mx.array  # f32[M, F], columns FACTS


class OutcomeHead(ShiftScoreHead):
    """The scores of shift_score, plus a weight for each of the FACTS of a placement."""

    needs_afterstates = True
    PACE = 8.0
    """How much faster the optimiser moves these few weights than others. Measured (docs/LOG.md, 2026-11-21): at 1 they
    stay too small to matter; at 32 a policy takes whatever it can clear and learns less of preparing it."""

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__(config, encoder, layout)
        self.gain = mx.zeros((len(FACTS),))

    def __call__(
        self, features: Features, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> mx.array:
        """Raises ValueError without afterstates."""
        after = given(after)
        gained = by_action(after, after.facts.astype(scalars.dtype) @ (self.PACE * self.gain), len(legal))
        return masked_log_softmax(self.scores(features, scalars) + gained, legal)


class AfterstateHead(Head):
    """Scores the resolved bottle of every legal placement with one shared network.

    That judge is an encoder of the same kind, but half as wide: it runs some 36 times per decision, and a full one
    learnt no better for 1.6 times the CPU time (docs/LOG.md, 2026-11-21).
    """

    needs_afterstates = True
    needs_bottles = True
    relabelled = False  # the bottles are in the game's own colours
    most_decisions = 128  # some 36 bottles each

    def __init__(self, config: NetConfig, encoder: Encoder, layout: ObservationLayout) -> None:
        super().__init__(config, encoder, layout)
        self._canonical = config.canonical_colors
        self._layout = layout
        self._context = [i for i, name in enumerate(layout.scalar_names) if not name.startswith(("first_", "second_"))]
        self._cells = mx.array(cell_planes())
        half = dataclasses.replace(config, width=max(1, config.width // 2), summary=max(1, config.summary // 4))
        self.judge = make_encoder(half, len(PLANES), len(self._context) + len(FACTS), with_grid=False)
        self.score = small(nn.Linear(self.judge.vector_size, 1))

    def __call__(
        self, features: Features, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> mx.array:
        """`scalars` must have the game's own colours (not relabelled). Raises ValueError without afterstates."""
        after = given(after)
        batch = len(legal)
        order = self._color_order(scalars)
        context = permute_colors(scalars, order, self._layout.scalar_colors)[:, mx.array(self._context)]
        decision = mx.minimum(after.decision, batch - 1)
        planes = self._cells[permutation_index(order)[decision, None], after.bottle.astype(mx.int32)]
        planes = planes.reshape(-1, ROWS, COLUMNS, len(PLANES)).transpose(0, 3, 1, 2).astype(scalars.dtype)
        seen = self.judge(planes, mx.concatenate([context[decision], after.facts.astype(scalars.dtype)], axis=1))
        return masked_log_softmax(by_action(after, self.score(seen.vector).squeeze(1), batch), legal)

    def _color_order(self, scalars: mx.array) -> mx.array:
        """i32[B, 3], as the next decision will label the colours: the preview is its capsule."""
        if not self._canonical:
            return mx.broadcast_to(mx.arange(3, dtype=mx.int32), (scalars.shape[0], 3))
        first, second, next_first, next_second = self._layout.scalar_colors[:4]
        return color_order(scalars, (next_first, next_second, first, second))


def given(after: Afterstates | None) -> Afterstates:
    """`after` as the named tuple (mx.compile passes plain ones). Raises ValueError when there is none."""
    if after is None:
        raise ValueError("after must hold the afterstates of every decision for this head, got None")
    return Afterstates(*after)


def by_action(after: Afterstates, score: mx.array, batch: int) -> mx.array:
    """Put the score f32[M] of every afterstate in the place of its action: f32[B, 512], 0 elsewhere."""
    scores = mx.zeros((batch + 1, NUM_ACTIONS)).at[after.decision, after.action]
    return scores.add(score.astype(mx.float32))[:batch]


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
