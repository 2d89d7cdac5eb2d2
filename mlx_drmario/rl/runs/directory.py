"""The run directory: who may write to it, and the facts about the machine that produced it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlx_drmario as dm
from mlx_drmario.files import LOCK, WRITING, check_makeable, locked, sweep, write_text
from mlx_drmario.machine import commit, processor
from mlx_drmario.nets.device import default_device
from mlx_drmario.rl.config import DirectoryConfig
from mlx_drmario.rl.runs.settings import PLACE, holds_run, read_config
from mlx_drmario.settings import difference, flatten, to_json

SETTINGS = {"settings": "config.json", "environment": "environment.json"}
CHANGES = "changes.jsonl"
BACKUPS = 3
"""Replaced runs that are kept, as RUN.bak1 (the newest) to RUN.bak3."""


def check(run: Path, config: DirectoryConfig, resume: bool) -> None:
    """Raise what `prepare` would raise about this directory and this machine, but for its lock; leave nothing."""
    if resume:
        read_config(run, type(config))
    elif holds_run(run):
        if not config.overwrite:
            raise FileExistsError(
                f"out is {run}, which already holds a run: go on with `drmario train resume {shlex.quote(str(run))}`,"
                " or pass --overwrite to replace it"
            )
        if Path.cwd().is_relative_to(run.resolve()):
            raise ValueError(f"out must not be the directory you are in when it holds a run to replace, got {run}")
        for backup in backups(run):
            if backup.exists() and not holds_run(backup):
                raise ValueError(f"{backup}, the place of a backup, holds no run; move it away")
    elif file := next((path for path in (run, *run.parents) if path.is_file()), None):
        raise ValueError(f"out must be a new or empty directory, got {run}, and {file} is a file")
    elif run.exists() and any(not path.name.startswith((LOCK, WRITING)) for path in run.iterdir()):
        raise ValueError(f"out must be a new or empty directory, got {run}, which holds other files")
    check_makeable("run" if resume else "out", run)


@contextlib.contextmanager
def prepare(run: Path, config: DirectoryConfig, resume: bool) -> Iterator[None]:
    """Create the run directory, and be its only writer while the body runs, which is to `record` the settings.

    Raises FileExistsError for a directory that holds a run, unless `resume` (the run goes on) or config.overwrite (it
    becomes a backup, see `set_aside`); FileNotFoundError when there is no run to resume; ValueError for a directory
    with foreign files; OSError for one that cannot be made or written to; BlockingIOError when somebody else writes
    there.
    """
    check(run, config, resume)
    with contextlib.ExitStack() as locks:
        run.mkdir(parents=True, exist_ok=True)
        locks.enter_context(locked(run))
        check(run, config, resume)  # again: somebody else may have begun before the lock was ours
        if not resume and holds_run(run):
            set_aside(run)
            run.mkdir()
            locks.enter_context(locked(run))
        for directory in (run, run / "checkpoints"):
            sweep(directory)
        yield


def record(run: Path, config: DirectoryConfig, decisions: int) -> None:
    """Write config.json and environment.json: the run begins, or goes on after so many decisions, by these settings.

    Not before that is sure: a run that cannot go on stays as it is. What is another setting, commit or machine than
    before goes into changes.jsonl: {"decisions": ..., "settings" and "environment": {name: [before, now]}}.
    """
    config = dataclasses.replace(config, overwrite=False)  # was meant for once
    now = {"settings": to_json(config), "environment": json.dumps(environment(), indent=2) + "\n"}
    changes = {kind: _changes(run / SETTINGS[kind], text) for kind, text in now.items()}
    if any(changes.values()):
        kept = (run / CHANGES).read_text(errors="replace") if (run / CHANGES).exists() else ""
        write_text(run / CHANGES, kept + json.dumps({"decisions": decisions, **changes}) + "\n")
    for kind, text in now.items():
        write_text(run / SETTINGS[kind], text)


def _changes(file: Path, text: str) -> dict[str, Any]:
    """What is another in a JSON object than in the file, by dotted name; nothing where the file holds none."""
    try:
        before, after = (flatten(json.loads(each)) for each in (file.read_bytes(), text))
    except (FileNotFoundError, ValueError, AttributeError):  # the last for JSON that is no object
        return {}
    return {key: pair for key, pair in difference(before, after).items() if key not in PLACE}


def backups(run: Path) -> list[Path]:
    """The places of replaced runs, newest first: RUN.bak1, RUN.bak2, RUN.bak3."""
    run = Path(os.path.abspath(run))  # so that "." has a name
    return [run.with_name(f"{run.name}.bak{number}") for number in range(1, BACKUPS + 1)]


def set_aside(run: Path) -> None:
    """Rename `run` to RUN.bak1 and older backups to the next number; the oldest goes when there is no place for it.

    Only renames between complete directories, oldest first: a crash in between loses nothing but a number.
    """
    places = backups(run)
    free = next((index for index, place in enumerate(places) if not place.exists()), None)
    if free is None:
        free = BACKUPS - 1
        shutil.rmtree(places[free])
    for index in range(free, 0, -1):
        os.rename(places[index - 1], places[index])
    os.rename(run, places[0])


VARIABLES = ("OPENBLAS_NUM_THREADS", "GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MLX_ENABLE_TF32")


def environment() -> dict[str, str | int | None]:
    """Versions, device, BLAS and threads: what besides the config decides a run's bits and speed."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpu": processor(),
        "cpu_count": os.cpu_count(),
        "mlx": version("mlx"),
        "numpy": version("numpy"),
        "mlx_drmario": dm.__version__,
        "commit": commit(),
        "device": str(default_device()),
        "blas": dm.blas_status(),
        **{name: os.environ.get(name) for name in VARIABLES},
    }
