"""Settings of an evaluator's run (no MLX here: the command line imports this)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from mlx_drmario.memory import budget_of
from mlx_drmario.nets.config import QuantileNetConfig
from mlx_drmario.ranges import Count, Range, Share, check_ranges
from mlx_drmario.rl.config import DirectoryConfig
from mlx_drmario.settings import STRICT
from mlx_drmario.spec import parse_levels, parse_speeds


@dataclass(frozen=True)
class GamesConfig:
    """The games that are learnt from, or measured on.

    Some are the policy's own from the first capsule. The others begin with random placements, so that there are bad
    bottles among the data; only the last of these and what follows is kept, so everything kept is about how the policy
    goes on.
    """

    policy: str = "search:1ply"
    """Whose times: a name as for `drmario eval --policy`, of one whose play does not depend on the time it takes."""
    levels: str = "0-20"
    """Virus levels of the games, one after the other: 3 or 0-5 or 0,5,10-12."""
    speeds: str = "hi"
    """Speeds of the games, drawn uniformly, with commas."""
    games: Annotated[int, Range(1, 10_000_000)] = 60_000
    """Number of games."""
    rows: Annotated[int, Range(1, 1_000)] = 12
    """Situations kept of a game, at random."""
    disturbed: Share = 0.5
    """Chance of a game to begin with random placements. An evaluator that is to choose placements needs many."""
    random_moves: Share = 0.5
    """Greatest share of random placements at such a beginning; drawn for each game from 0 to this."""
    max_decisions: Annotated[int, Range(2, 4_096)] = 600
    """A game that is still going after so many capsules counts as not cleared."""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, "data.")
        try:
            parse_speeds(self.speeds)
            parse_levels(self.levels)
        except ValueError as error:
            raise ValueError(f"data.{error}") from None
        if _timed(self.policy):
            raise ValueError(f"data.policy is {self.policy!r}; how it plays must not depend on the time it takes")


def _timed(policy: str) -> bool:
    """Whether it is a search with a limit in milliseconds. What is wrong with a name is said when it is loaded."""
    try:
        return budget_of(policy).ms > 0
    except ValueError:
        return False


@dataclass(frozen=True)
class FitConfig:
    """How the network learns."""

    epochs: Annotated[int, Range(1, 10_000)] = 2
    """Passes over the data."""
    minibatch: Annotated[int, Range(1, 2**20)] = 256
    """Situations per gradient; all of them when the games give fewer."""
    learning_rate: Annotated[float, Range(0, 10)] = 2e-3
    """Step size of Adam at the start; falls linearly to 0."""
    kappa: Annotated[float, Range(0.000001, 1_000)] = 0.02
    """Width of the quadratic part of the quantile Huber loss, on the network's scale (root of 100 frames), where games
    deviate by about 1: a wide one would pull all quantiles towards the mean."""
    steps: Annotated[int, Range(0, 1_024)] = 0
    """Decisions after which the network's own forecast stands for the rest of the game; 0 learns from whole games."""
    target_every: Count = 200
    """Gradients between two copies of the network to the one that makes these forecasts."""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, "fit.")


@dataclass(frozen=True)
class EvaluatorConfig(DirectoryConfig):
    """One run that fits an evaluator."""

    name: str = "evaluator"
    """Name of the run, without "/"."""
    checkpoint_every: Count = 10
    """Iterations (100 gradients) between checkpoints."""
    data: GamesConfig = field(default_factory=GamesConfig)
    net: QuantileNetConfig = field(default_factory=QuantileNetConfig)
    fit: FitConfig = field(default_factory=FitConfig)
