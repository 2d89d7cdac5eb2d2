"""The settings that a run directory holds (no MLX here)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from mlx_drmario.rl.algorithms import config_class
from mlx_drmario.rl.config import DirectoryConfig
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.settings import from_json

PLACE = ("out", "overwrite")
"""settings that say where a run lies, which is none of what it is"""

Config = TypeVar("Config", bound=DirectoryConfig)


def holds_run(directory: Path) -> bool:
    """True for a directory in which a run was started."""
    return (directory / "config.json").exists()


def read_config(run: Path, kind: type[Config] = PPORunConfig) -> Config:  # type: ignore[assignment]
    """Return the settings of a run, which are of this class.

    Raises FileNotFoundError when the directory holds no run, ValueError when its settings are not of this version.
    """
    return _parsed(run, _text(run), kind)


def read_any(run: Path) -> DirectoryConfig:
    """The settings of a run, of the class that they tell. Raises as `read_config`."""
    text = _text(run)
    return _parsed(run, text, _kind(text))


def kind_of(run: Path) -> type[DirectoryConfig]:
    """The class of the settings of a run; PPO's where there are none that can be read (`read_any` says why)."""
    try:
        return _kind(_text(run))
    except OSError:
        return PPORunConfig


def _text(run: Path) -> bytes:
    if not holds_run(run):
        raise FileNotFoundError(f"{run} holds no run (no config.json)")
    return (run / "config.json").read_bytes()


def _kind(text: bytes) -> type[DirectoryConfig]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):  # the latter of brackets that are nested too deeply
        return PPORunConfig
    return config_class(data) if isinstance(data, dict) else PPORunConfig


def _parsed(run: Path, text: bytes, kind: type[Config]) -> Config:
    try:
        return from_json(text, kind)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{run / 'config.json'} is not of this version or damaged: {error}") from None
