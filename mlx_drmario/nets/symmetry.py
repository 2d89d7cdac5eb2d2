"""Colour relabelling: renaming the three colours everywhere changes nothing about a game (docs/rules.md section 20).

Every observation is relabelled so that the capsule's first half has colour 0, the second half colour 1 when it differs,
and so on; the network then sees one of (up to) six equivalent bottles instead of all of them. Actions name
places, not colours, so they need no mapping back.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from mlx_drmario.nets.layout import ObservationLayout


def canonical_order(scalars: mx.array, layout: ObservationLayout) -> mx.array:
    """`color_order` by capsule first, second, preview first and second half."""
    return color_order(scalars, layout.scalar_colors[:4])


def color_order(scalars: mx.array, starts: Sequence[int]) -> mx.array:
    """Return i32[B, 3]: the game colour that gets canonical label 0, 1 and 2.

    `starts` are the first scalars of the colour one-hots of four halves. Label 0 is the first half's colour; label 1 is
    the next distinct colour among the others, in their order. When all four have one colour nothing on display orders
    the other two, and the cyclic successor is used: only there (1 state in 27) is the order equivariant to cyclic
    colour changes alone.
    """
    first, *others = (mx.argmax(scalars[:, s : s + 3], axis=1).astype(mx.int32) for s in starts)
    other = (first + 1) % 3
    for color in reversed(others):
        other = mx.where(color != first, color, other)
    return mx.stack([first, other, 3 - first - other], axis=1)


def canonicalize(planes: mx.array, scalars: mx.array, layout: ObservationLayout) -> tuple[mx.array, mx.array]:
    """Relabel the colours of planes [B, C, 16, 8] and scalars [B, S]; dtypes are kept."""
    order = canonical_order(scalars, layout)
    return permute_colors(planes, order, layout.plane_colors), permute_colors(scalars, order, layout.scalar_colors)


def permute_colors(values: mx.array, order: mx.array, starts: Sequence[int]) -> mx.array:
    """Reorder every colour triple (beginning at one of `starts`) along axis 1 of values [B, K, ...]."""
    index = relabelled(order, starts, values.shape[1])
    return mx.take_along_axis(values, index.reshape(index.shape + (1,) * (values.ndim - 2)), axis=1)


def relabelled(order: mx.array, starts: Sequence[int], count: int) -> mx.array:
    """Which of `count` entries takes the place of each one when colours are reordered: i32[B, K]."""
    base = np.arange(count, dtype=np.int32)
    label = np.zeros(count, np.int32)
    colored = np.zeros(count, bool)
    for start in starts:
        base[start : start + 3] = start
        label[start : start + 3] = (0, 1, 2)
        colored[start : start + 3] = True
    return mx.array(base) + mx.where(mx.array(colored), mx.take(order, mx.array(label), axis=1), 0)
