"""The first layer on a CPU: sums of weights instead of products with zeros (engine/plane_sums.h).

The planes are 0 or 1, and most are 0: the axial encoder's first layer is a sixth of a product's work, forward and
backward. It is the first layer, so its gradient need not go on to anything: it stays outside of MLX's graph, which
takes its result as an input and returns the gradient of that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

from mlx_drmario import _core
from mlx_drmario.nets.encoder import AxialEncoder
from mlx_drmario.nets.policy import ActorCritic
from mlx_drmario.nets.symmetry import canonical_order, relabelled


class Sight(NamedTuple):
    """What a network sees of B decisions, with what its gradient needs."""

    planes: np.ndarray  # u8[B, C, 16, 8]
    source: np.ndarray  # i32[B, C]: which plane takes the place of each (colours are relabelled)
    seen: mx.array  # as ActorCritic.see returns it, but for rounding


class SparseSight:
    """`ActorCritic.see` of one network, outside of MLX's graph."""

    def __init__(self, model: ActorCritic) -> None:
        assert isinstance(model.encoder, AxialEncoder)
        self.model = model
        self.encoder = model.encoder

    @staticmethod
    def serves(model: ActorCritic) -> bool:
        """Whether this is faster: on a CPU, for encoders whose first layer it knows."""
        return isinstance(model.encoder, AxialEncoder) and mx.default_device() == mx.cpu

    def see(self, planes: np.ndarray, scalars: np.ndarray) -> Sight:
        """planes u8[B, C, 16, 8], scalars f32[B, S]."""
        layout, count = self.model.layout, planes.shape[1]
        if self.model.canonical:
            order = canonical_order(mx.array(scalars), layout)
            source = np.asarray(relabelled(order, layout.plane_colors, count))
        else:
            source = np.broadcast_to(np.arange(count, dtype=np.int32), (len(planes), count)).copy()
        column, row = (np.asarray(along.kernel) for along in (self.encoder.stem_column, self.encoder.stem_row))
        return Sight(planes, source, mx.array(_core.plane_sums(planes, source, column, row)))

    def complete(self, gradient: dict[str, Any], sight: Sight, of_seen: mx.array) -> None:
        """Write the gradients of the first layer's weights into `gradient`; of_seen is that of `sight.seen`."""
        encoder = gradient["encoder"]
        column, row = _core.plane_sums_gradient(sight.planes, sight.source, np.asarray(of_seen))
        encoder["stem_column"]["kernel"], encoder["stem_row"]["kernel"] = mx.array(column), mx.array(row)
