"""The worker that trains: runs `rl.ppo.train` or `rl.clone.train`, and carries commands and reports between that and
the app."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import tempfile
import threading
import warnings
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlx_drmario.rl.clone import train as clone
from mlx_drmario.rl.ppo import train as ppo
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.runs.metrics import read_metrics
from mlx_drmario.rl.runs.settings import read_config
from mlx_drmario.tui import address
from mlx_drmario.tui.link import Link
from mlx_drmario.tui.onlooker import Onlooker
from mlx_drmario.tui.protocol import (
    CURVES,
    Checkpoint,
    Command,
    Ended,
    Evaluate,
    Games,
    History,
    Level,
    Look,
    Note,
    Pace,
    Pause,
    Ready,
    Restart,
    Step,
    TakeLine,
    TrainJob,
)

if TYPE_CHECKING:
    from mlx_drmario.rl.fit import RunResult
    from mlx_drmario.tui.protocol import Trainable

_POINTS = 1_000
_LONGEST_PLACE = 70
"""characters of a directory for temporary files in which a socket can have a name, of 103 on macOS"""


def train(job: TrainJob, link: Link, connection: Connection) -> None:
    """Do the job for the app at the other end of `connection`, and for those that attach later."""

    def show_warning(message: Warning | str, *where: object, **place: object) -> None:
        print(message, file=sys.stderr)  # the log
        link.report(Note(str(message), "warning"))

    warnings.showwarning = show_warning
    trainer = Trainer(job, link)
    link.detached = job.detach
    link.connect(connection)
    with contextlib.ExitStack() as stack:
        short = len(tempfile.gettempdir()) < _LONGEST_PLACE
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="drmario-", dir=None if short else "/tmp"))
        listener = stack.enter_context(Listener(str(Path(folder) / "link"), family="AF_UNIX"))
        stack.callback(address.withdraw, job.run)
        threading.Thread(target=trainer.welcome, args=(listener,), daemon=True, name="attach").start()
        threading.Thread(target=trainer.obey, daemon=True, name="commands").start()
        trainer.run(str(listener.address))
        link.flush()


def resolve(config: Trainable) -> Trainable:
    """With what automatic settings come to on this device."""
    return ppo.resolve(config) if isinstance(config, PPORunConfig) else clone.resolve(config)


class Trainer:
    """One run, which may be stopped and resumed with other games many times."""

    def __init__(self, job: TrainJob, link: Link) -> None:
        self._job, self._link = job, link
        self._config = job.config
        self._next: Trainable | None = None
        self._wishes: dict[str, Any] = {}  # settings of `_next.env` that were asked for
        self._turn = threading.Lock()  # commands and the change to `_next` come one after the other
        self._onlooker = Onlooker(resolve(job.config), link)

    def run(self, place: str) -> None:
        """Train to the end, or until it is told to stop. `place`: the socket at which apps can attach."""
        run, resume, link = self._job.run, self._job.resume, self._link
        fresh = False
        self._greet()
        while True:
            self._onlooker.on_begin = lambda: address.announce(run, place)  # the directory is locked by then
            with contextlib.ExitStack() as stack:
                if self._job.capture is not None:
                    from mlx_drmario.traces.capture import capture_run

                    recording = capture_run(self._job.capture, run, self._config)
                    self._onlooker.recorder = stack.enter_context(recording)
                result: RunResult
                if isinstance(self._config, PPORunConfig):
                    result = ppo.train(self._config, run, self._onlooker, resume=resume, fresh_games=fresh)
                else:
                    result = clone.train(self._config, run, self._onlooker, resume=resume)
            with self._turn:
                if self._next is None or result.finished or link.stop.is_set():
                    break
                self._config, self._next, resume, fresh = self._next, None, True, True
                self._onlooker = self._onlooker.successor(resolve(self._config))
            self._greet()
        words = "finished" if result.finished else f"stopped at {result.last.progress:.0%} of the budget"
        link.report(Ended(f"{words}; saved {result.checkpoint}"))

    def _greet(self) -> None:
        run = self._job.run
        self._link.report(Ready(self._config.name, self._config.env.num_envs))
        rows = read_metrics(run) if (run / "metrics.jsonl").exists() else []
        rows = rows[:: len(rows) // _POINTS + 1]
        points = [(row["step"], {name: row[name] for name in CURVES if name in row}) for row in rows]
        if points:
            self._link.report(History(tuple(points)))

    def welcome(self, listener: Listener) -> None:
        """Let apps attach, one after the other; in a thread of its own."""
        while True:
            try:
                connection = listener.accept()
            except OSError:  # closed: the run is over
                return
            self._link.connect(connection)
            self._greet()
            self._onlooker.repeat()

    def obey(self) -> None:
        """Carry out commands; in a thread of its own, so that a run that computes or pauses can be told things."""
        try:
            while not self._link.stop.is_set():
                command = self._link.command(0.5)
                if command is not None:
                    with self._turn:
                        self._carry_out(command)
        finally:  # a run that nobody can tell anything saves and ends
            self._onlooker.stop()

    def _carry_out(self, command: Command) -> None:
        onlooker, link, config = self._onlooker, self._link, self._config
        match command:
            case Pause(on):
                onlooker.pause(on)
            case Step():
                onlooker.step()
            case Pace(pace):
                onlooker.set_pace(pace)
            case Look(game):
                onlooker.look(game)
            case TakeLine(game):
                line = onlooker.line(game)
                link.report(line if line is not None else Note("no decision has been made yet", "warning"))
            case Checkpoint():
                onlooker.wish_checkpoint()
            case Evaluate() if isinstance(config, PPORunConfig):
                if config.best.games:
                    onlooker.wish_evaluation()
                else:
                    link.report(Note("best.games is 0, so this run is not evaluated", "warning"))
            case Games(count) if isinstance(config, PPORunConfig):
                self._begin_again(f"going on with {count} games", num_envs=count)
            case Level(level) if isinstance(config, PPORunConfig):
                if config.curriculum.enabled:
                    link.report(Note("the curriculum chooses the level", "warning"))
                else:
                    self._begin_again(f"going on with level {level}", level=level, last_level=None)
            case Restart() if isinstance(config, PPORunConfig):
                self._begin_again("all games anew, with config.json as it is", read=True)
            case Evaluate() | Games() | Level() | Restart():
                words = "is not evaluated while it trains, and keeps its games"
                link.report(Note(f"a run that learns from search {words}", "warning"))
            case _:
                link.report(Note(f"{type(command).__name__.lower()} is not for a training run", "warning"))

    def _begin_again(self, words: str, read: bool = False, **env: Any) -> None:
        """Save, and go on with other games, which may be others already than those of this iteration.

        read: with the settings as they stand in the directory, but for what was asked for in this iteration.
        """
        wishes = (self._wishes if self._next else {}) | env
        try:
            config: Trainable = read_config(self._job.run) if read else self._next or self._config
            if read and _fixed(config) != _fixed(self._config):
                raise ValueError(f"{self._job.run}/config.json is of another network now: begin another run with it")
            games = dataclasses.replace(config.env, **wishes)
            config = dataclasses.replace(config, env=games, out=self._job.run, overwrite=False)
        except (ValueError, OSError) as error:  # somebody has edited it, or taken it away
            self._link.report(Note(str(error), "error" if read else "warning"))
            return
        self._link.report(Note(f"{words}, after this iteration"))
        self._next, self._wishes = config, wishes
        self._onlooker.stop()


def _fixed(config: Trainable) -> tuple[object, ...]:
    """What cannot change while a run goes on."""
    return type(config), config.net, config.env.planes
