"""The actor-critic: colour relabelling, encoder, policy head and value head."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import mlx.core as mx
import mlx.nn as nn

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import Features, make_encoder
from mlx_drmario.nets.features import FeaturesHead
from mlx_drmario.nets.heads import DenseHead, FactorizedHead, Head, ShiftScoreHead
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.outcome import Afterstates, OutcomeHead
from mlx_drmario.nets.symmetry import canonicalize

HEADS: dict[str, type[Head]] = {
    "dense": DenseHead,
    "shift_score": ShiftScoreHead,
    "outcome": OutcomeHead,
    "features": FeaturesHead,
    "factorized": FactorizedHead,
}


class ActorCritic(nn.Module):
    """Maps observations to masked log-probabilities f32[B, 512] and values f32[B]."""

    def __init__(self, config: NetConfig, layout: ObservationLayout) -> None:
        super().__init__()
        head = HEADS[config.head]
        self.layout = layout
        self.facts = head.facts
        self._canonical = config.canonical_colors
        self.encoder = make_encoder(config, layout.num_planes, layout.num_scalars, with_grid=head.needs_grid)
        self.head = head(config, self.encoder, layout)
        self.value = nn.Linear(self.encoder.vector_size, 1)

    def __call__(
        self, planes: mx.array, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> tuple[mx.array, mx.array]:
        """planes u8[B, C, 16, 8], scalars f32[B, S], legal bool[B, 512]; `after`, told `facts`, if there are any."""
        features, scalars = self._encode(planes, scalars)
        if isinstance(self.head, OutcomeHead | FeaturesHead):
            log_probs = self.head(features, scalars, legal, after)
        else:
            log_probs = self.head(features, scalars, legal)
        return log_probs, self.value(features.vector).squeeze(1)

    def value_of(self, planes: mx.array, scalars: mx.array) -> mx.array:
        """The values f32[B] alone."""
        features, _ = self._encode(planes, scalars)
        return self.value(features.vector).squeeze(1)

    def _encode(self, planes: mx.array, scalars: mx.array) -> tuple[Features, mx.array]:
        """Features, and the scalars as the encoder saw them (relabelled)."""
        if self._canonical:
            planes, scalars = canonicalize(planes, scalars, self.layout)
        return self.encoder(planes.astype(mx.float32), scalars), scalars


def make_policy(config: NetConfig, layout: ObservationLayout, seed: int) -> ActorCritic:
    """Build a network with weights that depend on `seed` alone; MLX's global generator stays as it was."""
    with seeded(seed):
        model = ActorCritic(config, layout)
        mx.eval(model.parameters())
    return model


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """MLX's layers draw from its global generator, which is seeded while the body runs, and then put back."""
    high, low = mx.random.state[0].tolist()  # type: ignore[index]
    mx.random.seed(seed)
    try:
        yield
    finally:
        mx.random.seed(high << 32 | low)  # a state is the two words of a seed
