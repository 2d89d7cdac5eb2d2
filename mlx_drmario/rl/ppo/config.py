"""Settings of PPO, and of a run that learns by it (no MLX here: the command line imports this)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from mlx_drmario.rl.config import BestConfig, CurriculumConfig, EnvConfig, RunConfig
from mlx_drmario.settings import STRICT


@dataclass(frozen=True)
class PPOConfig:
    """The learning algorithm."""

    horizon: int = 16
    """Decisions per game and rollout."""
    epochs: int = 3
    """Passes over each rollout."""
    minibatch: int = 512
    """Decisions per gradient; must divide num_envs * horizon."""
    learning_rate: float = 2e-3
    """Step size of Adam at the start; falls linearly to `final_learning_rate` over the budget."""
    final_learning_rate: float = 1e-4
    """Step size at the end of the budget."""
    gamma: float = 0.999
    """Discount per video frame (not per decision)."""
    gae_lambda: float = 0.9
    """GAE's lambda per decision."""
    clip: float = 0.2
    """PPO's clipping range of the probability ratio."""
    entropy: float = 0.01
    """Weight of the entropy bonus at the start; falls linearly to `final_entropy`."""
    final_entropy: float = 0.001
    """Weight of the entropy bonus at the end of the budget."""
    value: float = 0.5
    """Weight of the value loss."""
    max_grad_norm: float = 0.5
    """Gradients are scaled down to this global norm."""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        for name in ("horizon", "epochs", "minibatch"):
            if getattr(self, name) < 1:
                raise ValueError(f"ppo.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("gamma", "gae_lambda"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"ppo.{name} must be between 0 and 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class PPORunConfig(RunConfig):
    """One training run with PPO."""

    ppo: PPOConfig = field(default_factory=PPOConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decisions_per_iteration % self.ppo.minibatch:
            raise ValueError(
                f"ppo.minibatch must divide env.num_envs * ppo.horizon = {self.decisions_per_iteration}, "
                f"got {self.ppo.minibatch}"
            )
        if self.shards and self.ppo.minibatch % self.shards:
            raise ValueError(f"shards must be 0 or divide ppo.minibatch = {self.ppo.minibatch}, got {self.shards}")

    @property
    def decisions_per_iteration(self) -> int:
        return self.env.num_envs * self.ppo.horizon

    @property
    def steps_per_iteration(self) -> int:
        """Optimiser steps."""
        return self.ppo.epochs * self.decisions_per_iteration // self.ppo.minibatch


PRESETS: dict[str, PPORunConfig] = {
    "level0": PPORunConfig(name="level0"),
    # Uncompiled: on a machine that never ran it, g++ would take 10 to 40 of the demo's 180 seconds to win 4 %.
    "demo": PPORunConfig(name="demo", minutes=3.0, compile=False, best=BestConfig(games=0)),
    # The highest levels take several hundred capsules.
    "ladder": PPORunConfig(
        name="ladder", decisions=50_000_000, env=EnvConfig(max_decisions=512), curriculum=CurriculumConfig(enabled=True)
    ),
}
"""Starting points of `drmario train`; every option given overrides its field."""
