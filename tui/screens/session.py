"""What every screen of a session does, whatever it shows: listening, crashes, time travel, leaving safely."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from textual.app import App
from textual.notifications import SeverityLevel
from textual.screen import Screen

from mlx_drmario.spec import counted
from mlx_drmario.tui.messages import Reported, WorkerDied
from mlx_drmario.tui.protocol import (
    Command,
    Detach,
    Ended,
    History,
    Line,
    Look,
    More,
    Note,
    Picture,
    Playout,
    Progress,
    Rates,
    Ready,
    Report,
    Stop,
    TakenOver,
    Tally,
    TrainJob,
)
from mlx_drmario.tui.screens.home import leave
from mlx_drmario.tui.session import Died, Session
from mlx_drmario.tui.widgets.events import EventLog

if TYPE_CHECKING:
    from mlx_drmario.tui.advice import Advice

PICTURES_PER_SECOND = 20
_SEVERITIES: dict[str, SeverityLevel] = {"warning": "warning", "error": "error"}
_ENDING = ("saving ...", "warning")
_TAKEN_OVER = ("■ taken over", "warning")
_DONE = ("■ done", "success")


def behind(app: App[object]) -> bool:
    """Whether the terminal has yet to take what was painted: Textual's writer keeps up to 30 screens for it."""
    writer = getattr(app._driver, "_writer_thread", None)
    return writer is not None and not writer._queue.empty()


class SessionScreen(Screen[None]):
    """Everything shown arrives as a message, everything wanted leaves as a command; a subclass says how it looks."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.games = 0
        """all that are played, of which a wall shows the first"""
        self.tally = Tally(0, 0)
        self.progress: Progress | None = None
        self.events = EventLog(id="log")
        self.state: tuple[str, str] | None = None
        """(words, theme colour) when the session does not simply run"""
        self._asked = self._to_menu = False
        self._advice: Advice | None = None
        self._advised_by: Path | None = None

    # --- for the subclass ---

    def show_picture(self, picture: Picture) -> None:
        """The games of this moment."""

    def show_point(self, x: float, values: dict[str, float]) -> None:
        """A point of every curve."""

    def show_progress(self, progress: Progress) -> None:
        """How far a run is."""

    def show_rates(self, rates: Rates) -> None:
        """How fast it goes."""

    def settle(self) -> None:
        """Other games that were asked for are there now, or were refused."""

    def describe(self) -> None:
        """Say in the title how the session stands."""

    # --- from the session ---

    def on_mount(self) -> None:
        self.session.start(self._hand_on)
        self.set_interval(1 / PICTURES_PER_SECOND, self._ask)
        self.describe()

    def _hand_on(self, report: Report | Died) -> None:
        """In the session's thread."""
        self.post_message(WorkerDied(report) if isinstance(report, Died) else Reported(report))

    def _ask(self) -> None:
        """Ask for the next picture once the last one is on the terminal, so a slow one gets fewer."""
        if not self._asked and self.is_current and not behind(self.app):
            self._asked = True
            self.session.send(More())

    def on_reported(self, message: Reported) -> None:
        match message.report:
            case Picture() as picture:
                self._asked = False
                self.show_picture(picture)
            case Progress() as progress:
                self.progress = progress
                self.show_point(progress.decisions, progress.metrics)
                self.show_progress(progress)
            case History(points=points):
                for decisions, metrics in points:
                    self.show_point(decisions, metrics)
            case Rates() as rates:
                self.show_rates(rates)
            case Tally() as tally:
                self.tally = tally
            case Note() as note:
                self.tell(note)
                if note.kind == "warning":  # perhaps of what was asked for
                    self.settle()
            case Ready(name=name, games=games):
                self.games = games
                self.settle()
                self.tell(Note(f"{name}: {counted(games, 'game')}"))
            case Line() as line:
                self._travel(line)
            case Ended() as ended:
                self._end(ended)
            case TakenOver():
                self.state = _TAKEN_OVER
                self.tell(Note(self._gone(), "warning"))
        self.describe()

    def on_worker_died(self, message: WorkerDied) -> None:
        from mlx_drmario.tui.screens.crash import CrashScreen

        died = message.died
        self.state = ("✖ died", "error")
        self.tell(Note(f"the worker died: {died.error}", "error"))
        self.describe()
        self.app.push_screen(CrashScreen(died, self.session.job, self.session.resumes), self._after_crash)

    def _after_crash(self, again: bool | None) -> None:
        """Start once more, or leave the screen as it is."""
        if again:
            try:
                self.session = self.session.again()
            except (ValueError, OSError) as error:  # its directory is not what it was
                self.tell(Note(str(error), "error"))
                return
            self.state, self._asked = None, False
            self.session.start(self._hand_on)
            self.tell(Note("started again", "good"))
            self.describe()

    def tell(self, note: Note) -> None:
        """List an event; a terminal that has no room for the list shows it for a moment."""
        self.events.add(note)
        if self.has_class("-narrow"):
            self.notify(note.text, severity=_SEVERITIES.get(note.kind, "information"), markup=False)

    def _end(self, ended: Ended) -> None:
        self.tell(Note(ended.text, "good"))
        if self.state == _ENDING:
            self._leave(ended.text)
        else:
            self.state = _DONE

    def send(self, command: Command) -> None:
        """To the worker, if there still is one."""
        if self.session.over.is_set() and not isinstance(command, Look | Detach | Stop):
            self.tell(Note(self._gone(), "warning"))
        self.session.send(command)

    def _gone(self) -> str:
        """Why a command does nothing."""
        if isinstance(job := self.session.job, TrainJob):
            run = quote(str(job.run))
            if self.state == _ENDING:
                return "the run ends: it was told to; the same key as before leaves at once"
            if self.state == _TAKEN_OVER:
                return f"another app has taken over; drmario tui attach {run} takes the run back"
            return f"nobody trains here any more; drmario tui resume {run} goes on, with a larger budget"
        return "nobody plays here any more"

    def action_detach(self) -> None:
        """Leave; the training goes on."""
        if not isinstance(job := self.session.job, TrainJob):
            return
        if self.state in (_DONE, _ENDING) or self.session.over.is_set():
            return self.tell(Note(self._gone(), "warning"))
        self.send(Detach())
        self._leave(f"detached; drmario tui attach {quote(str(job.run))}")

    def action_quit(self, to_menu: bool = False) -> None:
        """End safely: a run saves a checkpoint first. A second time: leave at once, it saves by itself."""
        self._to_menu = to_menu
        if not self.session.training or self.session.over.is_set() or self.state is not None:
            self._leave()
            return
        self.state = _ENDING
        self.send(Stop())
        self.tell(Note("saving a checkpoint; the same key again leaves at once, and it is saved all the same"))
        self.describe()

    def _leave(self, message: str | None = None) -> None:
        self.session.close()
        leave(self, self._to_menu, message)

    def _travel(self, line: Line) -> None:
        from mlx_drmario.tui.screens.travel import TravelScreen

        # Help, or the palette, may lie over it.
        travels = next((screen for screen in reversed(self.app.screen_stack) if isinstance(screen, TravelScreen)), None)
        if travels is None and not line.request:
            self.app.push_screen(TravelScreen(line, self._play_on))
        elif travels is not None and line.request:
            travels.show_branch(line)

    def _play_on(self, playout: Playout) -> None:
        """A run is busy learning: then another process plays a branch on, with the newest checkpoint."""
        if isinstance(job := self.session.job, TrainJob):
            from mlx_drmario.tui.advice import Advice, newest, newest_policy

            checkpoint = newest(job.run)
            if self._advice is not None and self._advised_by != checkpoint:
                self._advice.close()
                self._advice = None
            self._advised_by = checkpoint
            self._advice = self._advice or Advice(partial(newest_policy, job.run), job.run.name, self._advise)
            self._advice.ask(playout)
        else:
            self.send(playout)

    def _advise(self, line: Line | Died) -> None:
        """In the thread that reads from that process."""
        report = line if isinstance(line, Line) else Note(f"the branch cannot be played on: {line.error}", "error")
        self.post_message(Reported(report))

    def put_away(self) -> None:
        """Hang up on the processes that work for this screen."""
        self.session.close()
        if self._advice is not None:
            self._advice.close()

    on_unmount = put_away
