"""Colour relabelling: renaming the three colours everywhere changes nothing about a game (rules.md section 20).

Every observation is relabelled so that the capsule's first half has colour 0, the second half colour 1 when it differs,
and so on; the network then sees one of (up to) six equivalent bottles instead of all of them. Actions name
places, not colours, so they need no mapping back.
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from mlx_drmario.nets.layout import ObservationLayout


def canonical_order(scalars: mx.array, layout: ObservationLayout) -> mx.array:
    """Return i32[B, 3]: the game colour that gets canonical label 0, 1 and 2.

    Label 0 is the capsule's first colour; label 1 is the next distinct colour among capsule second, preview first and
    preview second. When all four halves have one colour nothing on display orders the other two, and the cyclic
    successor is used: only there (1 state in 27) is the order equivariant to cyclic colour changes alone.
    """
    first, second, next_first, next_second = (
        mx.argmax(scalars[:, s : s + 3], axis=1).astype(mx.int32) for s in layout.scalar_colors[:4]
    )
    other = (first + 1) % 3
    for color in (next_second, next_first, second):
        other = mx.where(color != first, color, other)
    return mx.stack([first, other, 3 - first - other], axis=1)


def canonicalize(planes: mx.array, scalars: mx.array, layout: ObservationLayout) -> tuple[mx.array, mx.array]:
    """Relabel the colours of planes [B, C, 16, 8] and scalars [B, S]; dtypes are kept."""
    order = canonical_order(scalars, layout)
    planes = _permute(planes, order, layout.plane_colors)
    scalars = _permute(scalars, order, layout.scalar_colors)
    return planes, scalars


def _permute(values: mx.array, order: mx.array, starts: tuple[int, ...]) -> mx.array:
    """Reorder every colour triple (beginning at one of `starts`) along axis 1 of values [B, K, ...]."""
    count = values.shape[1]
    base = np.arange(count, dtype=np.int32)
    label = np.zeros(count, np.int32)
    colored = np.zeros(count, bool)
    for start in starts:
        base[start : start + 3] = start
        label[start : start + 3] = (0, 1, 2)
        colored[start : start + 3] = True
    index = mx.array(base) + mx.where(mx.array(colored), mx.take(order, mx.array(label), axis=1), 0)
    return mx.take_along_axis(values, index.reshape(index.shape + (1,) * (values.ndim - 2)), axis=1)
