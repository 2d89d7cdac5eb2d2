"""Several trained networks as one: their log-probabilities over placements, averaged."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import mlx.nn as nn

from mlx_drmario.nets.heads import Afterstates, masked_log_softmax
from mlx_drmario.nets.policy import ActorCritic


class Ensemble(nn.Module):
    """The normalised geometric mean of the members' distributions (a placement must please all of them).

    The value is the mean of the members' values. Encoders and heads may differ, observations may not.
    """

    def __init__(self, members: Sequence[ActorCritic]) -> None:
        super().__init__()
        if not members:
            raise ValueError("members must hold at least one network, got none")
        self.layout = members[0].layout
        for index, member in enumerate(members):
            if member.layout != self.layout:
                raise ValueError(f"members must read the same observations, got other ones for member {index}")
        self.members = list(members)
        self.facts = max((member.facts for member in members), key=len)  # a shorter list begins a longer one

    def __call__(
        self, planes: mx.array, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> tuple[mx.array, mx.array]:
        """Masked log-probabilities f32[B, 512] and values f32[B], as ActorCritic."""
        outputs = [member(planes, scalars, legal, after) for member in self.members]
        log_probs, values = ([output[i] for output in outputs] for i in (0, 1))
        return masked_log_softmax(mx.stack(log_probs).mean(axis=0), legal), mx.stack(values).mean(axis=0)
