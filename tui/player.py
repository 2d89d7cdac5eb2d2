"""The worker that lets a policy play: games at the pace of the screen, lines for time travel, a quick evaluation."""

import time
from itertools import cycle

import numpy as np

import mlx_drmario as dm
from mlx_drmario import seeds as splits
from mlx_drmario.evaluate import FRAME_RATE, choose, evaluate
from mlx_drmario.tui.choices import Adviser, describe
from mlx_drmario.tui.link import Link
from mlx_drmario.tui.protocol import (
    FASTEST,
    Choice,
    Command,
    Ended,
    Evaluate,
    Games,
    Level,
    Line,
    Look,
    Note,
    Pace,
    Pause,
    Picture,
    Playout,
    Rates,
    Ready,
    Restart,
    Step,
    TakeLine,
    Tally,
    WatchJob,
)
from mlx_drmario.tui.table import Table

EVALUATION_GAMES = 64
_SLICE = 0.02  # seconds of play between two looks at the commands when there is no pace to keep
_LATE = 0.1  # seconds; after a longer hiccup the games go on where they were instead of racing
_RATES_EVERY = 1.0
_MEASURED = 0.3  # seconds for which one game alone is played, to compare with


class Player:
    """Plays until the link says stop."""

    def __init__(self, job: WatchJob, link: Link) -> None:
        self._job, self._link = job, link
        self._seeds = cycle(job.seeds)
        self._policy, self._planes = job.load_policy()
        self._adviser = Adviser(self._policy, self._planes, job.reward)
        self._table = self._sit(job.level, job.games)
        self._paused, self._pace, self._game = job.paused, job.pace, 0
        self._due = time.perf_counter()
        self._owed = 0.0  # frames
        self._told = 0
        self._since = (time.perf_counter(), 0, 0)
        self._single: float | None = None

    def _sit(self, level: int, games: int) -> Table:
        return Table(self._adviser, self._job.reward, level, self._job.speed, self._seeds, games)

    def run(self) -> None:
        """Play and answer."""
        link = self._link
        link.report(Ready(self._job.name, self._table.count))
        self._single = single_rate(self._sit(self._job.level, 1))
        self._due = time.perf_counter()
        while not link.stop.is_set():
            idle = self._paused or self._pace != FASTEST
            wait = max(0.0, min(0.05, self._due - time.perf_counter())) if idle else 0.0
            while (command := link.command(wait)) is not None:
                self._obey(command)
                wait = 0.0
            self._play()
            link.publish(self.picture)
            self._tell()
        link.report(Ended(f"{self._job.name}: {self._table.cleared} of {self._table.finished} games cleared"))
        link.flush()

    def _play(self) -> None:
        """Play the frames that are due."""
        now = time.perf_counter()
        if self._paused:
            self._due = now + 0.05
        elif self._pace == FASTEST:
            while time.perf_counter() - now < _SLICE:
                self._table.step()
            self._due = now
        elif now >= self._due:
            start = max(self._due, now - _LATE)
            self._owed += (now - start + 1 / FRAME_RATE) * FRAME_RATE * self._pace
            self._due = now + 1 / FRAME_RATE
            until = now + _LATE
            while self._owed >= 1 and time.perf_counter() < until:
                self._table.step()
                self._owed -= 1
            self._owed = min(self._owed, 1.0)

    def picture(self) -> Picture:
        """What the screen is to show now."""
        table, game = self._table, self._game
        earned = dict(table.records[game].earned)
        return Picture(table.boards(), game, table.position(game), table.choice(game), earned, self._paused, self._pace)

    def _tell(self) -> None:
        table = self._table
        if table.finished != self._told:
            self._told = table.finished
            self._link.report(Tally(table.finished, table.cleared))
        now = time.perf_counter()
        then, frames, decisions = self._since
        if now - then >= _RATES_EVERY:
            self._since = (now, table.frames_played, table.decisions_made)
            seconds = now - then
            # A pace that is kept says nothing about speed, so it is not compared with one game alone.
            made = (table.decisions_made - decisions) / seconds
            speedup = made / self._single if self._single and self._pace == FASTEST else None
            self._link.report(Rates(table.count, (table.frames_played - frames) / seconds, made, speedup))

    def _obey(self, command: Command) -> None:
        link, table = self._link, self._table
        match command:
            case Pause(on):
                self._paused = on
            case Step(unit):
                self._step(unit)
            case Pace(pace):
                self._pace, self._owed = pace, 0.0
            case Look(game):
                self._game = min(max(game, 0), table.count - 1)
            case Games(count):
                self._begin(table.level, count)
            case Level(level):
                self._begin(level, table.count)
                link.report(Note(f"level {level}"))
            case Restart():
                self._begin(table.level, table.count)
                link.report(Note("all games started anew"))
            case TakeLine(game):
                line = table.line(min(game, table.count - 1))
                link.report(line if line is not None else Note("no decision has been made yet", "warning"))
            case Playout():
                link.report(self.playout(command))
            case Evaluate():
                self._evaluate()
            case _:
                link.report(Note(f"{type(command).__name__.lower()} needs a training run", "warning"))

    def _begin(self, level: int, games: int) -> None:
        self._table = self._sit(level, games)
        self._game = min(self._game, games - 1)
        self._told = 0
        self._since = (time.perf_counter(), 0, 0)
        self._link.report(Tally(0, 0))

    def _step(self, unit: str) -> None:
        """One frame, or frames until the game in focus has made its next decision."""
        self._paused = True
        table, game = self._table, self._game
        before = len(table.records[game].choices), int(table.seed[game])
        for _ in range(1 if unit == "frame" else 2_000):
            table.step()
            if unit == "decision" and (len(table.records[game].choices), int(table.seed[game])) != before:
                return

    def playout(self, command: Playout) -> Line:
        """Make one decision as asked, the following ones by the policy."""
        games = dm.Decisions(num_envs=1, planes=self._planes, threads=1)
        games.set_state(command.state)
        states, frames = [games.state[0].copy()], [command.frames]
        choices: list[Choice | None] = []
        actions = np.array([command.action], np.int32)
        log_probs = value = None
        _, log_probs, value = choose(self._policy, games.view)
        for _ in range(command.decisions):
            choices.append(describe(games, actions, log_probs, value, self._job.reward)[0])
            games.step(actions)
            states.append(games.state[0].copy())
            frames.append(command.frames + int(games.frames[0]))
            if games.ended[0]:
                break
            actions, log_probs, value = choose(self._policy, games.view)
        choices.append(None)
        line = np.array(states, games.state.dtype), tuple(choices), np.array(frames, np.uint32)
        return Line(*line, name=self._job.name, first=command.first, request=command.request)

    def _evaluate(self) -> None:
        table = self._table
        self._link.report(Note(f"{EVALUATION_GAMES} validation games of level {table.level} ..."))
        seeds = splits.seeds("validation", EVALUATION_GAMES)
        result = evaluate(self._policy, level=table.level, speed=table.speed, seeds=seeds, planes=self._planes)
        low, high = result.clear_interval
        text = f"{result.clear_rate:.0%} of {result.games} validation games cleared ({low:.0%} to {high:.0%})"
        self._link.report(Note(text, "good"))
        self._due = time.perf_counter()


def single_rate(table: Table) -> float:
    """Decisions per second of a table with one game, which the speedup of many is measured against."""
    start = time.perf_counter()
    while (spent := time.perf_counter() - start) < _MEASURED:
        table.step()
    return table.decisions_made / spent
