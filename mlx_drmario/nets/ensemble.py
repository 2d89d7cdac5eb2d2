"""Several trained networks as one: their distributions over placements, averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import mlx.core as mx
import mlx.nn as nn

from mlx_drmario.nets.afterstate import Afterstates
from mlx_drmario.nets.heads import masked_log_softmax
from mlx_drmario.nets.policy import ActorCritic

Mean = Literal["log_prob", "prob"]


class Ensemble(nn.Module):
    """Mean of log-probabilities (a placement must please all members) or of probabilities (one is enough).

    The first is the normalised geometric mean, the second the mixture. The value is the mean of the members' values.
    Encoders and heads may differ, observations may not.
    """

    def __init__(self, members: Sequence[ActorCritic], mean: Mean = "log_prob") -> None:
        super().__init__()
        if not members:
            raise ValueError("members must hold at least one network, got none")
        if mean not in ("log_prob", "prob"):
            raise ValueError(f"mean must be 'log_prob' or 'prob', got {mean!r}")
        self.layout = members[0].layout
        for index, member in enumerate(members):
            if member.layout != self.layout:
                raise ValueError(f"members must read the same observations, got other ones for member {index}")
        self.members = list(members)
        self.needs_afterstates = any(member.needs_afterstates for member in members)
        self.needs_bottles = any(member.needs_bottles for member in members)
        self.most_decisions = min(member.most_decisions for member in members)
        self._mean = mean

    def __call__(
        self, planes: mx.array, scalars: mx.array, legal: mx.array, after: Afterstates | None = None
    ) -> tuple[mx.array, mx.array]:
        """Masked log-probabilities f32[B, 512] and values f32[B], as ActorCritic."""
        outputs = [
            member(planes, scalars, legal, after if member.needs_afterstates else None) for member in self.members
        ]
        log_probs = mx.stack([log_prob for log_prob, _ in outputs])
        mean = log_probs.mean(axis=0) if self._mean == "log_prob" else mx.logsumexp(log_probs, axis=0)
        value = mx.stack([value for _, value in outputs]).mean(axis=0)
        return masked_log_softmax(mean, legal), value  # which also normalises: the sum over members needs no division
