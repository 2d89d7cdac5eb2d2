"""Settings of learning from search (no MLX here: the command line imports this)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from mlx_drmario import search
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.ranges import Range, Share, check_ranges
from mlx_drmario.rewards import RewardConfig
from mlx_drmario.rl.config import REWARD, BudgetConfig, EnvConfig, check_rollout
from mlx_drmario.settings import STRICT

LEAST_TEMPERATURE = 0.001
"""Frames; single precision cannot divide by much less."""
RETRY_DECISIONS = 16
"""Decisions for which a game goes on from a position of `CloneConfig.retries`."""


@dataclass(frozen=True)
class CloneConfig:
    """How it is taught."""

    teacher: str = "3ply,boards=16,depth=3,sequences=12"
    """The search that judges placements, as after "search:" of `drmario eval --policy`."""
    temperature: Annotated[float, Range(0, 10_000)] = 10.0
    """Frames: a placement that the teacher finds so much slower than the best is e times less likely in what is learnt;
    0 learns the teacher's choice alone."""
    smoothing: Annotated[float, Range(0, 1, without="high")] = 0.0
    """Share of what is learnt that is spread over all legal placements (label smoothing)."""
    focal: Annotated[float, Range(0, 10)] = 0.0
    """Exponent of the focal loss (Lin et al. 2017): placements known already count less."""
    balance: bool = False
    """Weigh decisions so that each quarter of a bottle (by the share of its viruses that is left) counts the same."""
    follow: Share = 0.1
    """Share of decisions that the teacher takes itself, when `weaning` is over; the network takes the others, so that
    the situations are those that it meets (DAgger, Ross et al. 2011)."""
    weaning: Share = 0.15
    """Share of the budget in which that falls from 1."""
    random_moves: Share = 0.03
    """Share of decisions that are random, so that there are bad bottles."""
    retries: Annotated[int, Range(0, 65_536)] = 128
    """Positions from shortly before a game was lost, from which every iteration goes on for 16 decisions each; 0 for
    none."""
    horizon: Annotated[int, Range(1, 65_536)] = 64
    """Decisions per game and iteration."""
    epochs: Annotated[int, Range(1, 1_000)] = 4
    """Passes over the decisions of an iteration."""
    minibatch: Annotated[int, Range(1, 2**20)] = 512
    """Decisions per gradient."""
    learning_rate: Annotated[float, Range(0, 10)] = 4e-3
    """Step size of Adam at the start; falls linearly to a fiftieth over the budget."""
    value: Annotated[float, Range(0, 1_000)] = 0.05
    """Weight of the error of the value, thousands of frames to go."""
    max_grad_norm: Annotated[float, Range(0, 1_000_000, without="low")] = 1.0
    """Gradients are scaled down to this global norm."""
    average: Share = 0.998
    """The network that plays, and is saved, is the moving average of the one that learns: what a gradient leaves of the
    average before."""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, "clone.")
        if 0 < self.temperature < LEAST_TEMPERATURE:
            raise ValueError(f"clone.temperature must be 0 or at least {LEAST_TEMPERATURE}, got {self.temperature}")
        try:
            budget = search.parse(self.teacher)
        except ValueError as error:
            raise ValueError(f"clone.teacher is {self.teacher!r}: {error}") from None
        if budget.ms:
            raise ValueError(f"clone.teacher is {self.teacher!r}; what it thinks must not depend on the time it takes")


@dataclass(frozen=True)
class CloneRunConfig(BudgetConfig):
    """One run that learns from search."""

    name: str = "clone"
    """Name of the run, without "/"."""
    decisions: Annotated[int, Range(1, 10**15)] = 1_000_000
    """Budget in decisions over all games; not used when `minutes` is given."""
    shards: Annotated[int, Range(0, 256)] = 0
    """Parts that games and minibatches are divided into, each with its own thread. 0: 2 on a CPU if that divides them,
    else 1."""
    env: EnvConfig = field(default_factory=lambda: EnvConfig(last_level=20, max_decisions=400))
    net: NetConfig = field(default_factory=lambda: NetConfig(head="features", width=96, hidden=128))
    clone: CloneConfig = field(default_factory=CloneConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, size in (
            ("env.num_envs * clone.horizon", self.env.num_envs * self.clone.horizon),
            (f"{RETRY_DECISIONS} * clone.retries", RETRY_DECISIONS * self.clone.retries),
        ):
            if size % self.clone.minibatch:
                raise ValueError(f"clone.minibatch must divide {name} = {size}, got {self.clone.minibatch}")
        check_rollout(self.env.num_envs, self.clone.horizon, "clone.horizon")
        for name, count in (
            ("env.num_envs", self.env.num_envs),
            ("clone.minibatch", self.clone.minibatch),
            ("clone.retries", self.clone.retries),
        ):
            if self.shards and count % self.shards:
                raise ValueError(f"shards must be 0 or divide {name} = {count}, got {self.shards}")

    @property
    def reward(self) -> RewardConfig:
        """What games are counted in while they are played; not learnt from."""
        return REWARD

    @property
    def decisions_per_iteration(self) -> int:
        """Decisions of a rollout and of what is played again, over all games."""
        return self.env.num_envs * self.clone.horizon + RETRY_DECISIONS * self.clone.retries

    @property
    def steps_per_iteration(self) -> int:
        """Gradients on a rollout."""
        return self.clone.epochs * self.decisions_per_iteration // self.clone.minibatch
