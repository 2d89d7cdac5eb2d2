"""Encoders: from planes and scalars to a feature vector and, when the head asks for one, a feature grid.

Axis letters: B batch, C planes, S scalars, F vector features, K grid channels. Convolutions are NHWC (MLX's layout).
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import mlx.core as mx
import mlx.nn as nn

from mlx_drmario.nets.config import EncoderConfig
from mlx_drmario.spec import COLS, ROWS


class Features(NamedTuple):
    """What heads read."""

    vector: mx.array  # f32[B, F]
    grid: mx.array | None  # f32[B, 16, 8, K], None when the encoder was built without a grid


class Encoder(nn.Module):
    """Interface: `vector_size` is F, `grid_channels` is K (0 without a grid)."""

    vector_size: int
    grid_channels: int

    def see(self, planes: mx.array, scalars: mx.array) -> mx.array:
        """What the first block makes of planes f32[B, C, 16, 8] and scalars f32[B, S]; here nothing."""
        return planes

    def __call__(self, seen: mx.array, scalars: mx.array) -> Features:
        """Encode what `see` returned, and scalars f32[B, S]."""
        raise NotImplementedError


def relu(x: mx.array) -> mx.array:
    """max(x, 0). Not `nn.relu`, which MLX compiles: on a CPU that runs g++ for seconds before the first move, and
    newer compilers than MLX's own cannot (docs/libraries.md)."""
    return mx.maximum(x, 0.0)


MLP_CHANNELS = 8
"""of the grid that a network of flat layers makes"""


class MLPEncoder(Encoder):
    """Flattened planes and scalars through `depth` hidden layers: the fastest to train on a CPU."""

    def __init__(self, config: EncoderConfig, planes: int, scalars: int, with_grid: bool) -> None:
        super().__init__()
        sizes = [planes * ROWS * COLS + scalars] + [config.width] * config.depth
        self.layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        self.vector_size = config.width
        self.grid_channels = MLP_CHANNELS if with_grid else 0
        if with_grid:
            self.to_grid = nn.Linear(config.width, ROWS * COLS * MLP_CHANNELS)

    def __call__(self, seen: mx.array, scalars: mx.array) -> Features:
        x = mx.concatenate([seen.flatten(1), scalars], axis=1)
        for layer in self.layers:
            x = relu(layer(x))
        grid = None
        if self.grid_channels:
            grid = relu(self.to_grid(x)).reshape(-1, ROWS, COLS, self.grid_channels)
        return Features(x, grid)


class AxialEncoder(Encoder):
    """Runs are straight, so look along them: every block sees whole columns and whole rows, then mixes channels.

    Scalars and a learned position are added to every cell after the first block's look, so that all that follows sees
    the capsule's colours and the height everywhere. A summary vector is made of the cells of the last block.
    """

    def __init__(self, config: EncoderConfig, planes: int, scalars: int) -> None:
        super().__init__()
        width, more = config.width, range(config.depth - 1)
        self.position = 0.01 * mx.random.normal((ROWS, COLS, width))
        self.from_scalars = nn.Linear(scalars, width)
        squeezed = 1024 // (ROWS * COLS)
        self.squeeze = nn.Linear(width, squeezed)
        self.summarize = nn.Linear(ROWS * COLS * squeezed + scalars, config.summary)
        self.stem_column = Along(ROWS, planes, width)
        self.stem_row = Along(COLS, planes, width)
        self.column = [Along(ROWS, width, width) for _ in more]
        self.row = [Along(COLS, width, width) for _ in more]
        self.mix = [nn.Linear(width, width) for _ in range(config.depth)]
        self.vector_size = config.summary
        self.grid_channels = width

    def see(self, planes: mx.array, scalars: mx.array) -> mx.array:
        """f32[B, 16, 8, K]; nets.native computes the same on a CPU."""
        cells = planes.transpose(0, 2, 3, 1)
        x = along_columns(self.stem_column, cells) + along_rows(self.stem_row, cells)
        return relu(self.mix[0](relu(x + self.position + self.from_scalars(scalars)[:, None, None, :])))

    def __call__(self, seen: mx.array, scalars: mx.array) -> Features:
        x = seen
        for column, row, mix in zip(self.column, self.row, self.mix[1:], strict=True):
            x = x + relu(mix(relu(along_columns(column, x) + along_rows(row, x))))
        return Features(self.summary(relu(self.squeeze(x)).flatten(1), scalars), x)

    def summary(self, squeezed: mx.array, scalars: mx.array) -> mx.array:
        """The vector f32[B, F] of what is left of every cell, f32[B, 1024], and scalars f32[B, S]."""
        return relu(self.summarize(mx.concatenate([squeezed, scalars], axis=1)))


class Along(nn.Module):
    """A convolution along one axis with a kernel that spans all of it, as one matrix product.

    The kernel has a weight per offset, so what is learnt at one place serves all places; it is written out as the
    (Toeplitz) matrix of the whole axis. For 8 or 16 cells that is several times faster on a CPU than im2col.
    """

    def __init__(self, length: int, channels: int, outputs: int) -> None:
        super().__init__()
        self.kernel = (2 / (length * channels)) ** 0.5 * mx.random.normal((2 * length - 1, channels, outputs))

    def __call__(self, x: mx.array) -> mx.array:
        """Map f32[M, L, K] to f32[M, L, K']."""
        _, length, channels = x.shape
        place = mx.arange(length)
        offset = place[None, :] - place[:, None] + length - 1  # [from, to]
        matrix = self.kernel[offset].transpose(0, 2, 1, 3).reshape(length * channels, -1)
        return (x.reshape(-1, length * channels) @ matrix).reshape(-1, length, self.kernel.shape[2])


def along_rows(layer: Along, x: mx.array) -> mx.array:
    """Apply a layer to every row of x [B, 16, 8, K]; the result is [B, 16, 8, K']."""
    return layer(x.reshape(-1, *x.shape[2:])).reshape(-1, ROWS, COLS, layer.kernel.shape[2])


def along_columns(layer: Along, x: mx.array) -> mx.array:
    """Apply a layer to every column of x [B, 16, 8, K]; the result is [B, 16, 8, K']."""
    x = x.transpose(0, 2, 1, 3)
    return layer(x.reshape(-1, *x.shape[2:])).reshape(-1, COLS, ROWS, layer.kernel.shape[2]).transpose(0, 2, 1, 3)


def make_encoder(config: EncoderConfig, planes: int, scalars: int, with_grid: bool) -> Encoder:
    """Build the encoder that `config.encoder` names, for so many planes and scalars.

    `with_grid` says whether the head reads a grid.
    """
    if config.encoder == "mlp":
        return MLPEncoder(config, planes, scalars, with_grid)
    return AxialEncoder(config, planes, scalars)
