"""`drmario tune`: fit the search's value function from play."""

from dataclasses import dataclass, field
from pathlib import Path

from mlx_drmario.tuning import CrossEntropy, Regression


@dataclass(frozen=True)
class TuneConfig:
    """Fit the linear value function on training games and say how it plays validation games (docs/search.md)."""

    out: Path = Path("weights.json")
    """file to write: feature names and weights in frames"""
    header: Path | None = None
    """also write the C++ header of the built-in weights here (planner/value_weights.h)"""
    seed: int = 0
    """of everything random: the same seed gives the same weights"""
    threads: int = 0
    """0: one per core; never changes the weights"""
    games: int = 200
    """validation games per level at the end, 0 for none"""
    cross_entropy: CrossEntropy = field(default_factory=CrossEntropy)
    regression: Regression = field(default_factory=Regression)
