"""What all training on the command line does beside showing itself: games are kept in trace files, and a run whose
output nobody reads any more stops."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_drmario.cli import discard_output
from mlx_drmario.observer import Array, Observer
from mlx_drmario.rl.callback import Callback
from mlx_drmario.rl.config import DirectoryConfig

if TYPE_CHECKING:
    from mlx_drmario import Decisions


class Watched(Callback):
    """A callback that stops a run when it is `asked` to, and lets `observer` see the games."""

    def __init__(self, asked: Callable[[], bool], observer: Observer | None = None) -> None:
        self.asked = asked
        self.observer = observer or Observer()
        self.unread = False  # nobody reads the output any more

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """A closed pipe, or a terminal that is gone, is a wish to stop: the run is saved, as for Ctrl-C."""
        try:
            yield
        except OSError:
            discard_output()
            self.unread = True

    def should_stop(self) -> bool:
        return self.unread or self.asked()

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
