"""The actor-critic: colour relabelling, encoder, policy head and value head."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_map

from mlx_drmario.nets.afterstate import AfterstateHead, Afterstates, OutcomeHead
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import Features, make_encoder
from mlx_drmario.nets.heads import AutoregressiveHead, DenseHead, FactorizedHead, Head, ShiftScoreHead
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.symmetry import canonicalize

HEADS: dict[str, type[Head]] = {
    "dense": DenseHead,
    "shift_score": ShiftScoreHead,
    "outcome": OutcomeHead,
    "factorized": FactorizedHead,
    "autoregressive": AutoregressiveHead,
    "afterstate": AfterstateHead,
}


class ActorCritic(nn.Module):
    """Maps observations to masked log-probabilities f32[B, 512] and values f32[B].

    It computes in the type of its weights (see `in_dtype`); what it returns is float32 whatever that is.
    """

    def __init__(self, config: NetConfig, layout: ObservationLayout) -> None:
        super().__init__()
        head = HEADS[config.head]
        self.layout = layout
        self.needs_afterstates = head.needs_afterstates
        self.needs_bottles = head.needs_bottles
        self.most_decisions = head.most_decisions
        self._canonical = config.canonical_colors
        self.encoder = make_encoder(config, layout.num_planes, layout.num_scalars, with_grid=head.needs_grid)
        self.head = head(config, self.encoder, layout)
        self.value = nn.Linear(self.encoder.vector_size, 1)

    def __call__(
        self, planes: mx.array, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> tuple[mx.array, mx.array]:
        """planes u8[B, C, 16, 8], scalars f32[B, S], legal bool[B, 512]; `after` if `needs_afterstates`."""
        scalars = scalars.astype(self.value.weight.dtype)
        features, seen = self._encode(planes, scalars)
        given = (features, seen if self.head.relabelled else scalars, legal)
        if isinstance(self.head, OutcomeHead | AfterstateHead):
            log_probs = self.head(*given, after)
        else:
            log_probs = self.head(*given)
        return log_probs, self.value(features.vector).squeeze(1).astype(mx.float32)

    def value_of(self, planes: mx.array, scalars: mx.array) -> mx.array:
        """The values f32[B] alone."""
        features, _ = self._encode(planes, scalars.astype(self.value.weight.dtype))
        return self.value(features.vector).squeeze(1).astype(mx.float32)

    def _encode(self, planes: mx.array, scalars: mx.array) -> tuple[Features, mx.array]:
        """Features, and the scalars as the encoder saw them (relabelled)."""
        if self._canonical:
            planes, scalars = canonicalize(planes, scalars, self.layout)
        return self.encoder(planes.astype(scalars.dtype), scalars), scalars


def in_dtype(config: NetConfig, weights: Any) -> Any:
    """A tree of float32 weights in the type that the network computes in (the same arrays when that is float32)."""
    return tree_map(lambda weight: weight.astype(getattr(mx, config.dtype)), weights)


def make_policy(config: NetConfig, layout: ObservationLayout, seed: int) -> ActorCritic:
    """Build a network with weights that depend on `seed` alone."""
    mx.random.seed(seed)
    model = ActorCritic(config, layout)
    mx.eval(model.parameters())
    return model
