"""What every command that fills a run directory does: find a new one, end well when it is asked to stop, and say so
when there was nothing left to do.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mlx_drmario.files import check_directory
from mlx_drmario.rl.config import BudgetConfig, DirectoryConfig

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Turn the first signal that asks to stop into a request; a second one of its kind does what it usually does.

    A terminal sends Ctrl-C to the compiler as well, where MLX runs one: what it then fails with is the request, which
    raises KeyboardInterrupt here.
    """
    asked = False

    def handler(number: int, frame: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, previous[number])

    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in STOPPING}
    previous = {number: known for number, known in handlers.items() if known != signal.SIG_IGN}  # nohup stays so
    for number in previous:
        signal.signal(number, handler)
    try:
        yield lambda: asked
    except RuntimeError as error:
        if not (asked and _of_compiling(error)):
            raise
        words = "stopped while MLX compiled a step, so nothing new is saved; `drmario train resume RUN` goes on"
        raise KeyboardInterrupt(words) from None
    finally:
        for number, known in previous.items():
            signal.signal(number, known)


def _of_compiling(error: RuntimeError) -> bool:
    """Whether MLX says that a compiler made nothing that it could use (mlx/backend/cpu/compiled.cpp)."""
    return any(words in str(error) for words in ("Failed to compile", "Could not load C++ shared library"))


def default_directory(name: str, make: bool = True) -> Path:
    """runs/<name>-<date>-<time>, with -2, -3, ... where that is taken; `make` makes it, so that nobody else gets it."""
    first = Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    if make:
        check_directory("runs", first.parent)
    for number in itertools.count(1):
        path = first if number == 1 else first.with_name(f"{first.name}-{number}")
        with contextlib.suppress(FileExistsError):
            if make:
                path.mkdir()
            if make or not path.exists():
                break
    return path


def nothing_left(config: DirectoryConfig) -> str:
    """What is said of a run that was to go on and had finished before."""
    if not isinstance(config, BudgetConfig):
        return "nothing to do: the run was finished, and has no budget that could be larger"
    budget = f"{config.minutes:g} minutes" if config.minutes else f"{config.decisions:,} decisions"
    return f"nothing to do: the budget of {budget} is spent; give a larger one with --minutes or --decisions"
