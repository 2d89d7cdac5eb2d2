"""Settings of QR-DQN (no MLX here: the command line imports this)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from mlx_drmario.nets.config import ReturnNetConfig
from mlx_drmario.ranges import Range, Share, check_ranges
from mlx_drmario.rewards import RewardConfig
from mlx_drmario.rl.config import REWARD, BudgetConfig, check_rollout
from mlx_drmario.settings import STRICT


@dataclass(frozen=True)
class QRDQNConfig:
    """The learning algorithm."""

    horizon: Annotated[int, Range(1, 65_536)] = 16
    """Decisions per game and iteration."""
    replay: Annotated[int, Range(2, 10_000)] = 12
    """Iterations whose decisions are kept to learn from."""
    gradients: Annotated[int, Range(1, 100_000)] = 16
    """Gradients per iteration."""
    minibatch: Annotated[int, Range(1, 2**20)] = 256
    """Decisions per gradient."""
    learning_rate: Annotated[float, Range(0, 10)] = 2e-3
    """Step size of Adam at the start; falls linearly to a twentieth over the budget."""
    gamma: Share = 0.999
    """Discount per video frame (not per decision)."""
    steps: Annotated[int, Range(1, 1_024)] = 5
    """Decisions until the target network's forecast stands for the rest of a game."""
    target_every: Annotated[int, Range(1, 1_000_000)] = 50
    """Gradients between two copies of the network to the target network."""
    exploring: Share = 0.1
    """Share of the budget in which the share of random placements falls from 1 to `epsilon`."""
    epsilon: Share = 0.02
    """Share of random placements after that."""
    kappa: Annotated[float, Range(0.000001, 1_000)] = 0.1
    """Width of the quadratic part of the quantile Huber loss, in units of reward."""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, "qrdqn.")
        if self.steps >= self.horizon * self.replay:
            raise ValueError(
                f"qrdqn.steps must be less than qrdqn.horizon * qrdqn.replay = {self.horizon * self.replay}, "
                f"got {self.steps}"
            )


@dataclass(frozen=True)
class QRDQNRunConfig(BudgetConfig):
    """One training run with QR-DQN."""

    name: str = "qrdqn"
    """Name of the run, without "/"."""
    net: ReturnNetConfig = field(default_factory=ReturnNetConfig)
    reward: RewardConfig = REWARD
    qrdqn: QRDQNConfig = field(default_factory=QRDQNConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rollout(self.env.num_envs, self.qrdqn.horizon, "qrdqn.horizon")
        if self.qrdqn.steps >= self.env.max_decisions:  # nothing is learnt within reach of a truncation
            raise ValueError(
                f"qrdqn.steps must be less than env.max_decisions = {self.env.max_decisions}, got {self.qrdqn.steps}"
            )
