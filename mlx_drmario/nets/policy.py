"""The actor-critic: colour relabelling, encoder, policy head and value head."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import make_encoder
from mlx_drmario.nets.heads import head_type
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.symmetry import canonicalize


class ActorCritic(nn.Module):
    """Maps observations to masked log-probabilities f32[B, 512] and values f32[B]."""

    def __init__(self, config: NetConfig, layout: ObservationLayout) -> None:
        super().__init__()
        self.layout = layout
        self._canonical = config.canonical_colors
        head = head_type(config)
        self.encoder = make_encoder(config, layout, with_grid=head.needs_grid)
        self.head = head(self.encoder, layout)
        self.value = nn.Linear(self.encoder.vector_size, 1)

    def __call__(self, planes: mx.array, scalars: mx.array, legal: mx.array) -> tuple[mx.array, mx.array]:
        """planes u8[B, C, 16, 8], scalars f32[B, S], legal bool[B, 512]."""
        if self._canonical:
            planes, scalars = canonicalize(planes, scalars, self.layout)
        features = self.encoder(planes.astype(scalars.dtype), scalars)
        return self.head(features, scalars, legal), self.value(features.vector).squeeze(1)


def make_policy(config: NetConfig, layout: ObservationLayout, seed: int) -> ActorCritic:
    """Build a network with weights that depend on `seed` alone."""
    mx.random.seed(seed)
    model = ActorCritic(config, layout)
    mx.eval(model.parameters())
    return model
