"""Settings of PPO, and of a run that learns by it (no MLX here: the command line imports this)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.ranges import Range, Share, check_ranges
from mlx_drmario.rl.config import BestConfig, CurriculumConfig, EnvConfig, RunConfig, check_rollout
from mlx_drmario.settings import STRICT

LEAST_GAMMA = 0.9
"""Discount per frame with a shaped reward, which is divided by gamma^frames of a decision (rollout.py)."""


@dataclass(frozen=True)
class PPOConfig:
    """The learning algorithm."""

    horizon: Annotated[int, Range(1, 65_536)] = 16
    """Decisions per game and rollout."""
    epochs: Annotated[int, Range(1, 1_000)] = 3
    """Passes over each rollout."""
    minibatch: Annotated[int, Range(1, 2**24)] = 512
    """Decisions per gradient; must divide num_envs * horizon."""
    learning_rate: Annotated[float, Range(0, 10)] = 2e-3
    """Step size of Adam at the start; falls linearly to `final_learning_rate` over the budget."""
    final_learning_rate: Annotated[float, Range(0, 10)] = 1e-4
    """Step size at the end of the budget."""
    gamma: Share = 0.999
    """Discount per video frame (not per decision)."""
    gae_lambda: Share = 0.9
    """GAE's lambda per decision."""
    clip: Annotated[float, Range(0, 10, without="low")] = 0.2
    """PPO's clipping range of the probability ratio."""
    entropy: Annotated[float, Range(0, 100)] = 0.01
    """Weight of the entropy bonus at the start; falls linearly to `final_entropy`."""
    final_entropy: Annotated[float, Range(0, 100)] = 0.001
    """Weight of the entropy bonus at the end of the budget."""
    value: Annotated[float, Range(0, 1_000)] = 0.5
    """Weight of the value loss."""
    max_grad_norm: Annotated[float, Range(0, 1_000_000, without="low")] = 0.5
    """Gradients are scaled down to this global norm."""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, "ppo.")


@dataclass(frozen=True)
class ShapingConfig:
    """Potential-based shaping of the reward by an evaluator (docs/evaluator.md)."""

    evaluator: Path | None = None
    """Run directory of the evaluator; none by default."""
    weight: Annotated[float, Range(0, 1_000)] = 1.0
    """Reward for a thousand frames less to go."""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, "shaping.")


@dataclass(frozen=True)
class PPORunConfig(RunConfig):
    """One training run with PPO."""

    ppo: PPOConfig = field(default_factory=PPOConfig)
    shaping: ShapingConfig = field(default_factory=ShapingConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rollout(self.env.num_envs, self.ppo.horizon, "ppo.horizon")
        if self.shaping.evaluator is not None and self.ppo.gamma < LEAST_GAMMA:
            raise ValueError(f"ppo.gamma must be at least {LEAST_GAMMA} with shaping.evaluator, got {self.ppo.gamma}")
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
    # Uncompiled: on a Linux machine that never ran it, g++ would take 10 to 40 of the demo's 180 seconds to win 4 %;
    # what compiling would win on a Mac has not been measured.
    "demo": PPORunConfig(
        name="demo",
        minutes=3.0,
        compile=False,
        env=EnvConfig(last_level=20),
        net=NetConfig(head="features"),
        best=BestConfig(games=0),
    ),
    # The highest levels take several hundred capsules.
    "ladder": PPORunConfig(
        name="ladder", decisions=50_000_000, env=EnvConfig(max_decisions=512), curriculum=CurriculumConfig(enabled=True)
    ),
}
"""Starting points of `drmario train`; every option given overrides its field."""

PRESET_HELP = {
    "level0": "Level 0 HI, 500,000 decisions: what comparisons start from.",
    "demo": "Levels 0 to 20 HI in three minutes of a laptop, uncompiled and without looking for the best checkpoint.",
    "ladder": "All levels in turn, each until it is cleared often enough: 50 million decisions.",
}
"""What tells them apart, for `drmario train --help`"""
