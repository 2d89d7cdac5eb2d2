"""Network settings (no MLX here)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from mlx_drmario.ranges import Range, check_ranges
from mlx_drmario.settings import STRICT

EncoderKind = Literal["mlp", "axial"]
HeadKind = Literal["dense", "shift_score", "outcome", "features", "factorized"]


@dataclass(frozen=True)
class EncoderConfig:
    """What a network sees a bottle with."""

    encoder: EncoderKind = "axial"
    """axial (convolutions along whole rows and columns) or mlp."""
    width: Annotated[int, Range(1, 2_048)] = 24
    """Hidden units of the MLP, or channels of the axial encoder."""
    depth: Annotated[int, Range(1, 64)] = 1
    """Hidden layers of the MLP, or blocks of the axial encoder."""
    summary: Annotated[int, Range(1, 16_384)] = 128
    """Units of the vector that the axial encoder gives to the value head (and to dense heads)."""

    network: ClassVar[str]
    """Name of the kind of network, in checkpoints."""
    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, "net.")


@dataclass(frozen=True)
class NetConfig(EncoderConfig):
    """An actor-critic (nets/policy.py): which encoder and head to build."""

    network = "policy"

    head: HeadKind = "outcome"
    """dense, shift_score (score maps of the two halves), outcome (shift_score, told what each placement clears),
    features (a network over each placement, told that and the features of the board it leaves), factorized
    (orientation, column, row)."""
    outcome_scale: Annotated[float, Range(0, 1_000, without="low")] = 8.0
    """Outcome head: how many times as fast as other weights those of the outcomes move."""
    hidden: Annotated[int, Range(1, 4_096)] = 64
    """Features head: units that judge a placement."""
    canonical_colors: bool = True
    """Relabel colours relative to the capsule before the encoder (an exact symmetry: fewer games to learn from)."""


@dataclass(frozen=True)
class QuantileNetConfig(EncoderConfig):
    """A network of distributions: quantiles of the frames to clear, and the chance to clear (nets/quantile.py)."""

    network = "evaluator"

    summary: Annotated[int, Range(1, 16_384)] = 256
    """Units of the vector that the encoder gives to all of it."""
    quantiles: Annotated[int, Range(1, 512)] = 32
    """Quantiles, at the levels (2 i + 1) / 2 K."""
    hidden: Annotated[int, Range(1, 4_096)] = 64
    """Units of the layer that judges a placement."""


@dataclass(frozen=True)
class ReturnNetConfig(QuantileNetConfig):
    """A network of the returns of placements; it has the other parts of an evaluator and leaves them alone."""

    network = "qrdqn"
    quantiles: Annotated[int, Range(1, 512)] = 16
    """Quantiles, at the levels (2 i + 1) / 2 K."""
