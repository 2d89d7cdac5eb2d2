"""What a run directory was made by, told from its settings (no MLX here)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlx_drmario.rl.clone.config import CloneRunConfig
from mlx_drmario.rl.config import DirectoryConfig
from mlx_drmario.rl.evaluator.config import EvaluatorConfig
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.qrdqn.config import QRDQNRunConfig

ALGORITHMS: dict[str, type[DirectoryConfig]] = {
    "ppo": PPORunConfig,
    "fit": EvaluatorConfig,
    "qrdqn": QRDQNRunConfig,
    "clone": CloneRunConfig,
}
"""Classes of settings, by the group that no other has."""


def config_class(data: Mapping[str, Any]) -> type[DirectoryConfig]:
    """The class of the settings that a config.json holds; PPO's where no group tells."""
    return next((kind for group, kind in ALGORITHMS.items() if group in data), PPORunConfig)
