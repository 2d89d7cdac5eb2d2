"""The network of distributions: how many frames until the bottle is clear, and whether it will be.

A game that is lost has no time to clear, so the network says two things (competing risks): the chance that the game is
cleared, and quantiles of the frames left *given that it is*. It says them of a state, when a policy goes on from
there, and of every legal placement.

Frames are predicted as `scaled` numbers, their square root: a time is a sum of many capsules' times, whose deviation
grows as its root, so on this scale a bottle with one virus and a full one are about equally uncertain. Quantiles may be
taken on any monotone scale (means may not).

Axis letters: B states, M placements of all of them together (ragged), K quantiles.
"""

from __future__ import annotations

from typing import NamedTuple

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.typing import NDArray

from mlx_drmario.nets.config import QuantileNetConfig
from mlx_drmario.nets.encoder import Features, make_encoder, relu
from mlx_drmario.nets.heads import ORIENTATIONS, Afterstates, halves
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.outcome import FACTS
from mlx_drmario.nets.policy import seeded
from mlx_drmario.nets.symmetry import canonicalize
from mlx_drmario.spec import CELLS

UNIT = 100.0
"""Frames that are 1 on the scale of the network."""


class Outlook(NamedTuple):
    """What is predicted of B states or M placements."""

    clear: mx.array
    """f32[B], log odds of being cleared"""
    quantiles: mx.array
    """f32[B, K], scaled frames given that it is, in increasing order"""


def quantile_levels(count: int) -> NDArray[np.float64]:
    """The levels f64[K] of K quantiles: the middles of K equal parts (Dabney et al. 2018, lemma 2)."""
    return (np.arange(count) + 0.5) / count


def scaled(frames: mx.array) -> mx.array:
    """Frames (not negative) on the scale of the network."""
    return mx.sqrt(frames / UNIT)


def frames_of(values: mx.array) -> mx.array:
    """Undo `scaled`; what lies below 0 is 0 frames."""
    return UNIT * mx.square(mx.maximum(values, 0))


class QuantileNet(nn.Module):
    """An encoder, a linear map of its vector for the state, and a small layer that judges placements.

    A placement is seen as the features of the two cells it fills (by orientation), what it does (`FACTS`), and the
    state's vector. Colours are always relabelled relative to the capsule (nets/symmetry.py).
    """

    def __init__(self, config: QuantileNetConfig, layout: ObservationLayout) -> None:
        super().__init__()
        self.layout = layout
        self.encoder = make_encoder(config, layout.num_planes, layout.num_scalars, with_grid=True)
        outputs, cells = 1 + config.quantiles, 2 * ORIENTATIONS * self.encoder.grid_channels
        self.to_state = nn.Linear(self.encoder.vector_size, outputs)
        self.from_vector = nn.Linear(self.encoder.vector_size, config.hidden)
        self.from_cells = nn.Linear(cells, config.hidden, bias=False)
        self.from_facts = nn.Linear(len(FACTS), config.hidden, bias=False)
        self.to_placement = nn.Linear(config.hidden, outputs)

    def encode(self, planes: mx.array, scalars: mx.array) -> Features:
        """Features of planes u8[B, C, 16, 8] and scalars f32[B, S]."""
        planes, scalars = canonicalize(planes, scalars, self.layout)
        return self.encoder(self.encoder.see(planes.astype(mx.float32), scalars), scalars)

    def of_state(self, features: Features) -> Outlook:
        """B outlooks: frames from now on."""
        return outlook(self.to_state(features.vector))

    def of_placements(self, features: Features, after: Afterstates) -> Outlook:
        """M outlooks: frames from the end of the placement on (its own tau, which is known, comes on top).

        Rows of padding (decision B) have any outlook.
        """
        assert features.grid is not None  # made with a grid
        batch, channels = len(features.vector), features.grid.shape[3]
        # A cell of zeros more per state, for halves above the top row; a state of zeros more, for padding.
        cells = mx.pad(features.grid.reshape(batch, CELLS, channels), [(0, 1), (0, 1), (0, 0)]).reshape(-1, channels)
        orientation, first, second = halves(after.action)
        start = after.decision * (CELLS + 1)
        seen = mx.concatenate([cells[start + first], cells[start + second]], axis=1)
        turned = mx.arange(ORIENTATIONS)[None, :, None] == orientation[:, None, None]
        seen = mx.where(turned, seen[:, None, :], 0).flatten(1)
        vector = mx.pad(self.from_vector(features.vector), [(0, 1), (0, 0)])[after.decision]
        return outlook(self.to_placement(relu(vector + self.from_cells(seen) + self.from_facts(after.facts))))


def outlook(outputs: mx.array) -> Outlook:
    """Outputs f32[B, 1 + K]: log odds, the lowest quantile, and the steps to the next ones, made positive."""
    # Starts near the spread of a game. Not `nn.softplus`, for the reason of `relu`.
    steps = mx.logaddexp(outputs[:, 2:] - 2.5, 0.0)
    quantiles = outputs[:, 1:2] + mx.pad(mx.cumsum(steps, axis=1), [(0, 0), (1, 0)])
    return Outlook(outputs[:, 0], quantiles)


def make_quantile_net(config: QuantileNetConfig, layout: ObservationLayout, seed: int) -> QuantileNet:
    """Build a network with weights that depend on `seed` alone, as `make_policy`."""
    with seeded(seed):
        model = QuantileNet(config, layout)
        mx.eval(model.parameters())
    return model
