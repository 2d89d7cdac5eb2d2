"""Training whose games are kept in trace files."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_drmario.observer import Array, Observer
from mlx_drmario.rl.callback import Callback
from mlx_drmario.rl.config import DirectoryConfig

if TYPE_CHECKING:
    from mlx_drmario import Decisions


class Watched(Callback):
    """A callback that lets `observer` see the games, too."""

    def __init__(self, observer: Observer | None = None) -> None:
        self.observer = observer or Observer()

    def before_step(
        self, games: Decisions, action: Array, log_prob: Array | None, value: Array | None, part: int = 0
    ) -> None:
        self.observer.before_step(games, action, log_prob, value, part)

    def after_step(self, games: Decisions, part: int = 0) -> None:
        self.observer.after_step(games, part)


def captured(
    config: DirectoryConfig, run: Path, directory: Path | None
) -> contextlib.AbstractContextManager[Observer | None]:
    """What records the games of a run, or None."""
    if directory is None:
        return contextlib.nullcontext()
    from mlx_drmario.traces.capture import Capture

    return Capture(directory, policy=f"{run} (in training)", config=asdict(config))
