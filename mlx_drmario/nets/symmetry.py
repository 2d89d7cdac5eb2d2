"""Colour relabelling: renaming the three colours everywhere changes nothing about a game (docs/rules.md section 20).

All functions take arrays of MLX or of NumPy, and return what they take.

Every observation is relabelled so that the capsule's first half has colour 0, the second half colour 1 when it differs,
and so on; the network then sees one of (up to) six equivalent bottles instead of all of them. Actions name
places, not colours, so they need no mapping back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import mlx.core as mx
import numpy as np

from mlx_drmario.nets.layout import ObservationLayout

Array = TypeVar("Array", mx.array, np.ndarray)


def canonical_order(scalars: Array, layout: ObservationLayout) -> Array:
    """`color_order` by capsule first, second, preview first and second half."""
    return color_order(scalars, layout.scalar_colors[:4])


def color_order(scalars: Array, starts: Sequence[int]) -> Array:
    """Return i32[B, 3]: the game colour that gets canonical label 0, 1 and 2.

    `starts` are the first scalars of the colour one-hots of four halves. Label 0 is the first half's colour; label 1 is
    the next distinct colour among the others, in their order. When all four have one colour nothing on display orders
    the other two, and the cyclic successor is used: only there (1 state in 27) is the order equivariant to cyclic
    colour changes alone.
    """
    xp = library(scalars)
    first, *others = (xp.argmax(scalars[:, s : s + 3], axis=1).astype(xp.int32) for s in starts)
    other = (first + 1) % 3
    for color in reversed(others):
        other = xp.where(color != first, color, other)
    return xp.stack([first, other, 3 - first - other], axis=1)


def canonicalize(planes: Array, scalars: Array, layout: ObservationLayout) -> tuple[Array, Array]:
    """Relabel the colours of planes [B, C, 16, 8] and scalars [B, S]; dtypes are kept."""
    order = canonical_order(scalars, layout)
    return permute_colors(planes, order, layout.plane_colors), permute_colors(scalars, order, layout.scalar_colors)


def permute_colors(values: Array, order: Array, starts: Sequence[int]) -> Array:
    """Reorder every colour triple (beginning at one of `starts`) along axis 1 of values [B, K, ...]."""
    index = relabelled(order, starts, values.shape[1])
    return library(values).take_along_axis(values, index.reshape(index.shape + (1,) * (values.ndim - 2)), axis=1)


def relabelled(order: Array, starts: Sequence[int], count: int) -> Array:
    """Which of `count` entries takes the place of each one when colours are reordered: i32[B, K]."""
    base = np.arange(count, dtype=np.int32)
    label = np.zeros(count, np.int32)
    colored = np.zeros(count, bool)
    for start in starts:
        base[start : start + 3] = start
        label[start : start + 3] = (0, 1, 2)
        colored[start : start + 3] = True
    xp = library(order)
    return xp.array(base) + xp.where(xp.array(colored), xp.take(order, xp.array(label), axis=1), 0)


def library(array: Array) -> Any:
    """The module that an array is of; what is used of it here has the same names and meanings in both."""
    return np if isinstance(array, np.ndarray) else mx
