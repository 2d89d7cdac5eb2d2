"""The run directory: who may write to it, and the facts about the machine that produced it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import mlx.core as mx

import mlx_drmario as dm
from mlx_drmario.rl.config import TrainConfig, from_json, to_json


def prepare(run: Path, config: TrainConfig, resume: bool) -> None:
    """Create the run directory and write config.json and environment.json.

    Raises FileExistsError for a directory that holds a run, unless `resume` (the run goes on) or config.overwrite (it
    is deleted); FileNotFoundError when there is no run to resume; ValueError for a directory with foreign files.
    """
    marker = run / "config.json"
    if resume:
        read_config(run)
    elif marker.exists():
        if not config.overwrite:
            raise FileExistsError(
                f"{run} already holds a run: go on with `drmario train resume {run}`, or pass --overwrite to replace it"
            )
        shutil.rmtree(run)
    elif run.exists() and any(run.iterdir()):
        raise ValueError(f"out must be a new or empty directory, got {run}, which holds other files")
    run.mkdir(parents=True, exist_ok=True)
    write_atomically(marker, to_json(config))
    write_atomically(run / "environment.json", json.dumps(environment(), indent=2) + "\n")


def read_config(run: Path) -> TrainConfig:
    """Return the settings of a run. Raises FileNotFoundError when the directory holds no run."""
    marker = run / "config.json"
    if not marker.exists():
        raise FileNotFoundError(f"{run} holds no run (no config.json)")
    return from_json(marker.read_text())


def environment() -> dict[str, str | int | None]:
    """Versions, device, BLAS and threads: what besides the config decides a run's bits and speed."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "mlx": version("mlx"),
        "numpy": version("numpy"),
        "mlx_drmario": dm.__version__,
        "commit": commit(),
        "device": str(mx.default_device()),
        "blas": dm.blas_status(),
        **{name: os.environ.get(name) for name in ("OPENBLAS_NUM_THREADS", "GLIBC_TUNABLES", "MALLOC_ARENA_MAX")},
    }


def commit() -> str | None:
    """Return the git commit of the source tree, with `+` when it has local changes; None outside a clone."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    git = ["git", "-C", str(root)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False).stdout
    return head + ("+" if changed.strip() else "") or None


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content so that a crash leaves the old or the new."""
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
