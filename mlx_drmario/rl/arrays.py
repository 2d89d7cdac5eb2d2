"""Batches of recorded decisions as MLX arrays."""

from collections.abc import Mapping
from typing import Any

import mlx.core as mx
from numpy.typing import NDArray


def to_mlx(rows: Mapping[str, NDArray[Any]]) -> dict[str, mx.array]:
    """The columns of a batch of `traces.dataset`, one deliberate copy each."""
    return {name: mx.array(column) for name, column in rows.items()}
