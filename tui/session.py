"""The app's end: starts the worker process, sends it commands, and hands on what it reports."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_drmario.rl.clone.config import CloneRunConfig
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.runs.settings import holds_run, kind_of, read_any
from mlx_drmario.tui import address
from mlx_drmario.tui.link import hang_up, roomy_pipe
from mlx_drmario.tui.protocol import (
    SESSION_FILE,
    Command,
    Detach,
    Ended,
    Job,
    Picture,
    Progress,
    Report,
    Stop,
    TakenOver,
    TrainJob,
    WatchJob,
)

if TYPE_CHECKING:
    from mlx_drmario.tui.protocol import Trainable

LAST_LINES = 12
"""lines of the log that are shown when the worker died"""
_PATIENCE = 5.0  # seconds for a worker that hung up to be gone
_NUMBERS = count(1)


@dataclass(frozen=True)
class Died:
    """The worker ended without saying so."""

    status: int | None
    """its exit status, negative: the signal that ended it; None when it was not started here"""
    error: str
    """the last line of its log"""
    tail: str
    """the last `LAST_LINES` lines"""
    log: Path


class Session:
    """One job and the process that does it.

    >>> session = Session(WatchJob(...))
    >>> session.start(print)  # every report, in a thread of its own
    """

    def __init__(self, job: Job, connection: Connection | None = None) -> None:
        """connection: to a worker that does the job already."""
        self.job = job
        self._waiting = connection
        self.log = log_of(job)
        self._read_from = 0  # bytes that others had written to the log
        self.process: subprocess.Popen[bytes] | None = None
        self.over = threading.Event()
        """nothing more will be reported"""
        self._held_run = False  # the directory, when the worker started
        self._played = False
        self._connection: Connection | None = None
        self._detached = isinstance(job, TrainJob) and job.detach

    @property
    def training(self) -> bool:
        return isinstance(self.job, TrainJob)

    def start(self, hand_on: Callable[[Report | Died], None]) -> None:
        """Start the process; `hand_on` is called with every report in a thread that only reads."""
        self._held_run = isinstance(self.job, TrainJob) and holds_run(self.job.run)
        self._read_from = self.log.stat().st_size if self.log.exists() else 0
        if self._waiting is not None:
            self.talk(self._waiting, hand_on)
            return
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            if not self.training:
                sweep(self.log.parent)
            log = open(self.log, "ab")  # noqa: SIM115 (below)
        except OSError as error:
            self.over.set()
            hand_on(Died(None, f"the worker's log cannot be written: {error}", "", self.log))
            return
        ours, theirs = roomy_pipe()
        with log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlx_drmario.tui.worker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a closed terminal must not end it before its checkpoint
            )
        theirs.close()
        self.talk(ours, hand_on)
        with contextlib.suppress(OSError):  # dead already: the reader finds out
            ours.send(self.job)

    def talk(self, connection: Connection, hand_on: Callable[[Report | Died], None]) -> None:
        """Read from this connection in a thread."""
        self._connection = connection
        threading.Thread(target=self._read, args=(connection, hand_on), daemon=True, name="session").start()

    def send(self, command: Command) -> None:
        """Send a command; nothing when the worker is gone, which `start`'s reader reports."""
        if isinstance(command, Detach):
            self._detached = True
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.send(command)

    def close(self, timeout: float = 5.0) -> None:
        """Hang up. A player ends at once; a trainer saves and ends by itself, or goes on if it was detached."""
        if not self._detached:
            self.send(Stop())
        if self._connection is not None:
            connection, self._connection = self._connection, None
            hang_up(connection)
        if self.process is not None and not self.training:
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            if self.process.returncode == 0:  # else it may still be read
                self.log.unlink(missing_ok=True)

    @property
    def resumes(self) -> bool:
        """Whether `again` goes on with a run: one that was to go on, or that began here."""
        return isinstance(self.job, TrainJob) and (self.job.resume or self._begun)

    @property
    def _begun(self) -> bool:
        """The run in the directory is this session's: another one there only stood in its way."""
        return isinstance(self.job, TrainJob) and (self._played or (not self._held_run and holds_run(self.job.run)))

    def again(self) -> Session:
        """A session with the same job; a run that began goes on from its newest checkpoint, with the games and the
        budget that it had by then. Raises as `settings_of`."""
        job = self.job
        if isinstance(job, TrainJob) and self._begun:
            job = replace(job, config=settings_of(job.run), resume=True)
        return Session(job)

    def _read(self, connection: Connection, hand_on: Callable[[Report | Died], None]) -> None:
        ended = False
        while True:
            try:
                report = connection.recv()
            except (EOFError, OSError, TypeError):  # TypeError: closed while reading
                break
            ended = isinstance(report, Ended | TakenOver)
            self._played |= isinstance(report, Picture | Progress)
            hand_on(report)
        self.over.set()
        if not ended and self._connection is not None:
            hand_on(self._death())

    def _death(self) -> Died:
        status = None
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it lives, and does not talk to us any more
                status = self.process.wait(_PATIENCE)
        written = self.log.read_bytes()[self._read_from :] if self.log.exists() else b""
        lines = written.decode(errors="replace").splitlines()
        said = [line for line in lines if line.strip()]
        return Died(
            status, said[-1] if said else "nothing was written to its log", "\n".join(lines[-LAST_LINES:]), self.log
        )


def attach(run: Path) -> Session:
    """A session with a run that trains in a process of its own; `start` connects to it.

    Raises FileNotFoundError or ValueError when there is none.
    """
    place = address.read(run)
    if not run.is_dir():
        raise FileNotFoundError(f"run is {run}, which is no directory")
    if place is None:
        raise FileNotFoundError(f"{run} does not train now under an app (no {SESSION_FILE} that can be read)")
    job = TrainJob(settings_of(run), run, resume=True, detach=True)
    try:
        connection = Client(place.address, family="AF_UNIX")
    except OSError as error:
        raise ValueError(f"nobody answers for {run} ({error}); go on with it by resume") from error
    return Session(job, connection)


def trainable(run: Path) -> bool:
    """Whether the app can go on with a run: one of PPO, one that learns from search, or one whose settings
    `settings_of` says what is wrong with."""
    return kind_of(run) in (PPORunConfig, CloneRunConfig)


def settings_of(run: Path) -> Trainable:
    """The settings of a run. Raises FileNotFoundError when the directory holds none, ValueError for damaged ones and
    for those of a run that the app cannot train."""
    settings = read_any(run)
    if not isinstance(settings, PPORunConfig | CloneRunConfig):
        raise ValueError(
            f"{run} is no run that the app can train; `drmario train resume {shlex.quote(str(run))}` goes on with it"
        )
    return settings


def log_of(job: Job) -> Path:
    """Where the worker's output goes: beside the run directory, which must be empty at the start; of a player to a new
    file."""
    if isinstance(job, WatchJob):
        return Path(tempfile.gettempdir()) / f"drmario-{os.getuid()}" / f"watch-{os.getpid()}-{next(_NUMBERS)}.log"
    run = Path(os.path.abspath(job.run))  # so that "." has a name
    return run.with_name(f"{run.name}.log")


def sweep(folder: Path) -> None:
    """Remove players' logs that say nothing, of apps that were killed."""
    for path in folder.glob("watch-*-*.log"):
        try:
            os.kill(int(path.name.split("-")[1]), 0)
        except ProcessLookupError:
            if path.stat().st_size == 0:
                path.unlink(missing_ok=True)
        except (ValueError, OSError):  # another name, or a process of somebody else
            continue
