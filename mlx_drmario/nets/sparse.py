"""The first block on a CPU: sums of weights instead of products with zeros, and all of it in one pass.

The planes are 0 or 1, and few cells differ from the most frequent one (engine/first_block.h). It is the first block, so
its gradient need not go on to anything: it stays outside of MLX's graph, which takes its result as an input and returns
the gradient of that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

from mlx_drmario import _core
from mlx_drmario.nets.encoder import AxialEncoder
from mlx_drmario.nets.policy import ActorCritic
from mlx_drmario.nets.symmetry import canonical_order, permute_colors, relabelled


class Sight(NamedTuple):
    """What a network sees of B decisions, with what its gradient needs."""

    planes: np.ndarray  # u8[B, C, 16, 8]
    source: np.ndarray  # i32[B, C]: which plane takes the place of each (colours are relabelled)
    scalars: np.ndarray  # f32[B, S], relabelled
    inner: np.ndarray  # the block's inner layer
    out: np.ndarray  # f32[B, 16, 8, K]
    seen: mx.array  # the same, as ActorCritic.see returns it, but for rounding


class SparseSight:
    """`ActorCritic.see` of one network, outside of MLX's graph."""

    def __init__(self, model: ActorCritic) -> None:
        assert isinstance(model.encoder, AxialEncoder)
        self.model = model
        self.encoder = model.encoder

    @staticmethod
    def serves(model: ActorCritic) -> bool:
        """Whether this is faster: on a CPU, for encoders whose first block it knows."""
        return isinstance(model.encoder, AxialEncoder) and mx.default_device() == mx.cpu

    def see(self, planes: np.ndarray, scalars: np.ndarray) -> Sight:
        """planes u8[B, C, 16, 8], scalars f32[B, S]."""
        layout, encoder, count = self.model.layout, self.encoder, planes.shape[1]
        if self.model.canonical:
            given = mx.array(scalars)
            order = canonical_order(given, layout)
            source = np.asarray(relabelled(order, layout.plane_colors, count))
            scalars = np.asarray(permute_colors(given, order, layout.scalar_colors))
        else:
            source = np.broadcast_to(np.arange(count, dtype=np.int32), (len(planes), count)).copy()
        shift = scalars @ np.asarray(encoder.from_scalars.weight).T + np.asarray(encoder.from_scalars.bias)
        mix = encoder.mix[0]
        weights = (encoder.stem_column.kernel, encoder.stem_row.kernel, encoder.position, shift, mix.weight, mix.bias)
        inner, out = _core.first_block(planes, source, *map(np.asarray, weights))
        return Sight(planes, source, scalars, inner, out, mx.array(out))

    def complete(self, gradient: dict[str, Any], sight: Sight, of_seen: mx.array) -> None:
        """Write the gradients of the first block's weights into `gradient`; of_seen is that of `sight.seen`."""
        column, row, position, shift, weight, bias = _core.first_block_gradient(
            sight.planes,
            sight.source,
            np.asarray(self.encoder.mix[0].weight),
            sight.inner,
            sight.out,
            np.asarray(of_seen),
        )
        encoder = gradient["encoder"]
        encoder["stem_column"]["kernel"], encoder["stem_row"]["kernel"] = mx.array(column), mx.array(row)
        encoder["position"] = mx.array(position)
        encoder["from_scalars"] = {"weight": mx.array(shift.T @ sight.scalars), "bias": mx.array(shift.sum(axis=0))}
        encoder["mix"][0] = {"weight": mx.array(weight), "bias": mx.array(bias)}
