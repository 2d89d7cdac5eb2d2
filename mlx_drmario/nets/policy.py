"""The actor-critic: colour relabelling, encoder, policy head and value head."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import mlx.core as mx
import mlx.nn as nn

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.device import default_device
from mlx_drmario.nets.encoder import Features, make_encoder
from mlx_drmario.nets.features import FeaturesHead
from mlx_drmario.nets.heads import Afterstates, DenseHead, FactorizedHead, Head, ShiftScoreHead
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.outcome import OutcomeHead
from mlx_drmario.nets.symmetry import canonical_order, canonicalize, permute_colors

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
        self.canonical = config.canonical_colors
        self.encoder = make_encoder(config, layout.num_planes, layout.num_scalars, with_grid=head.needs_grid)
        self.head = head(config, self.encoder, layout)
        self.value = nn.Linear(self.encoder.vector_size, 1)

    def __call__(
        self, planes: mx.array, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> tuple[mx.array, mx.array]:
        """planes u8[B, C, 16, 8], scalars f32[B, S], legal bool[B, 512]; `after`, told `facts`, if there are any."""
        features, scalars = self._encode(self.see(planes, scalars), scalars)
        return self.head(features, scalars, legal, after), self.value_of_vector(features.vector)

    def see(self, planes: mx.array, scalars: mx.array) -> mx.array:
        """What the first block makes of planes u8[B, C, 16, 8] and scalars f32[B, S] (`Encoder.see`), relabelled."""
        if self.canonical:
            planes, scalars = canonicalize(planes, scalars, self.layout)
        return self.encoder.see(planes.astype(mx.float32), scalars)

    def judge(self, seen: mx.array, scalars: mx.array, after: Afterstates) -> tuple[mx.array, mx.array]:
        """Log-probabilities f32[M] of the rows of `after`, which hold every legal placement, and values f32[B].

        seen is what `see` returned.
        """
        features, scalars = self._encode(seen, scalars)
        return self.head.of_rows(features, scalars, after), self.value_of_vector(features.vector)

    def value_of(self, planes: mx.array, scalars: mx.array) -> mx.array:
        """The values f32[B] alone."""
        return self.value_of_seen(self.see(planes, scalars), scalars)

    def value_of_seen(self, seen: mx.array, scalars: mx.array) -> mx.array:
        """The same of what `see` returned."""
        features, _ = self._encode(seen, scalars)
        return self.value_of_vector(features.vector)

    def value_of_squeezed(self, squeezed: mx.array, scalars: mx.array) -> mx.array:
        """The same of what the axial encoder leaves of every cell, f32[B, 1024]."""
        return self.value_of_vector(self.encoder.summary(squeezed, self._relabelled(scalars)))

    def _encode(self, seen: mx.array, scalars: mx.array) -> tuple[Features, mx.array]:
        """Features, and the scalars as the encoder saw them (relabelled)."""
        scalars = self._relabelled(scalars)
        return self.encoder(seen, scalars), scalars

    def _relabelled(self, scalars: mx.array) -> mx.array:
        if not self.canonical:
            return scalars
        return permute_colors(scalars, canonical_order(scalars, self.layout), self.layout.scalar_colors)

    def value_of_vector(self, vector: mx.array) -> mx.array:
        """The same of the encoder's vector f32[B, F]."""
        return self.value(vector).squeeze(1)


def make_policy(config: NetConfig, layout: ObservationLayout, seed: int) -> ActorCritic:
    """Build a network with weights that depend on `seed` alone; MLX's global generator stays as it was."""
    with seeded(seed):
        model = ActorCritic(config, layout)
        mx.eval(model.parameters())
    return model


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """MLX's layers draw from its global generator, which is seeded while the body runs, and then put back.

    They draw on the CPU: normal numbers of GPUs of two generations differ (MLX issue 3568).
    """
    default_device()  # before anything is computed
    high, low = mx.random.state[0].tolist()  # type: ignore[index]
    mx.random.seed(seed)
    try:
        with mx.stream(mx.cpu):
            yield
    finally:
        mx.random.seed(high << 32 | low)  # a state is the two words of a seed
