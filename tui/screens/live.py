"""Games while they are played, by a policy or by a run in training: the wall, one game in focus, the summary."""

import time
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import ContentSwitcher

from mlx_drmario.spec import MAX_LEVEL, clock, counted
from mlx_drmario.tui import protocol
from mlx_drmario.tui.protocol import FASTEST, MAX_GAMES, PACES, Job, Note, Picture, Progress, Rates, TrainJob
from mlx_drmario.tui.screens.home import TO_MENU, opened
from mlx_drmario.tui.screens.session import SessionScreen
from mlx_drmario.tui.session import Session
from mlx_drmario.tui.widgets.analysis import Analysis
from mlx_drmario.tui.widgets.bottle import Bottle
from mlx_drmario.tui.widgets.hud import Hud
from mlx_drmario.tui.widgets.keys import KeyBar
from mlx_drmario.tui.widgets.summary import SIDE, Curves, Summary, curves_of, training_facts
from mlx_drmario.tui.widgets.title import Title
from mlx_drmario.tui.widgets.wall import Wall


class LiveScreen(SessionScreen):
    """Shows one session and steers it."""

    _CYCLE = Binding.Group("game", compact=True)
    _GAMES = Binding.Group("games", compact=True)
    _LEVEL = Binding.Group("level", compact=True)
    _PACE = Binding.Group("speed", compact=True)
    _STEP = Binding.Group("step", compact=True)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "view('grid')", "view", tooltip="the wall, or one game"),
        Binding("0", "view('summary')", "summary", tooltip="curves and figures"),
        Binding("tab", "cycle(1)", "next game", key_display="⇥", group=_CYCLE, priority=True),
        Binding("shift+tab", "cycle(-1)", "previous game", key_display="⇤", group=_CYCLE, priority=True),
        *(Binding(str(n), f"jump({n})", "game 1 to 9", show=False, id="jump") for n in range(1, 10)),
        Binding("p,space", "pause", "pause", key_display="p"),
        Binding("f", "step('frame')", "one frame", group=_STEP),
        Binding("n", "step('decision')", "one decision", group=_STEP),
        Binding("minus,left", "pace(-1)", "slower", key_display="-", group=_PACE),
        Binding("plus,equals_sign,right", "pace(1)", "faster", key_display="+", group=_PACE),
        Binding("left_square_bracket", "games(-1)", "fewer games", key_display="[", group=_GAMES),
        Binding("right_square_bracket", "games(1)", "more games", key_display="]", group=_GAMES),
        Binding("l", "level(1)", "level up", group=_LEVEL),
        Binding("L", "level(-1)", "level down", group=_LEVEL),
        Binding("r", "restart", "restart"),
        Binding("s", "snapshot", "snapshot", tooltip="time travel through the game in focus"),
        Binding("c", "checkpoint", "save", tooltip="write a checkpoint now"),
        Binding("e", "evaluate", "eval", tooltip="play validation games now"),
        Binding("d", "detach", "detach", tooltip="leave, and let the training go on"),
        TO_MENU,
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, session: Session, name: str, view: str = "grid") -> None:
        """name: of the policy or the run; view: grid, focus or summary."""
        super().__init__(session)
        self.view = view
        self.game = 0
        self.level: int | None = None
        self._wanted: dict[str, Any] = {}
        """what was asked for and is not there yet: pictures are under way, and a run changes between two iterations"""
        self.paused = self.learning = False
        self.pace = FASTEST if session.training else 1.0
        self.picture: Picture | None = None
        self._start = time.monotonic()
        self.wall, self.bottle, self.analysis = Wall(id="wall"), Bottle(id="bottle"), Analysis(id="analysis")
        curves = curves_of(session.job)
        self.summary, self.hud = Summary(curves, id="summary"), Hud(id="hud")
        self.title_bar = Title(name, id="title")
        beside = {name: curves[name] for name in SIDE if name in curves} if session.training else curves
        self.side = Curves(beside, id="side-curves")

    def compose(self) -> ComposeResult:
        yield self.title_bar
        with Horizontal(id="body"):
            with ContentSwitcher(initial=self.view, id="views"):
                with Vertical(id="grid"):
                    yield self.wall
                with Horizontal(id="focus"):
                    yield self.bottle
                    yield self.analysis
                yield self.summary
            with Vertical(id="side"):
                yield self.side
                yield self.events
        yield self.hud
        yield KeyBar()

    # --- from the session ---

    def show_picture(self, picture: Picture) -> None:
        self.picture = picture
        if not self.session.training:
            self.games = picture.boards.count
        there = shown_by(picture, self.games)
        self._wanted = unmet(self._wanted, there, picture.boards.count)
        stands = there | self._wanted
        self.game, self.paused, self.pace = stands["game"], stands["paused"], stands["pace"]
        self.level, self.learning = picture.position.level, picture.learning
        if self.view == "grid":
            self.wall.show(picture.boards)
            self.wall.select(self.game)
        elif self.view == "focus":
            action = picture.choice.action if picture.choice and picture.position.falling else None
            self.bottle.show(picture.position, action, f"game {picture.game + 1}")
            self.analysis.show(picture.position, picture.choice, picture.earned)

    def show_point(self, x: float, values: dict[str, float]) -> None:
        for curves in (self.side, self.summary.curves):
            curves.add(x, values)

    def show_progress(self, progress: Progress) -> None:
        self.summary.facts.show(training_facts(progress))

    def show_rates(self, rates: Rates) -> None:
        self.hud.show(rates)
        if not self.session.training:
            tally = self.tally
            share = {"cleared": tally.cleared / tally.finished} if tally.finished else {}
            values = {"decisions": rates.decisions, "frames": rates.frames, **share}
            self.show_point(time.monotonic() - self._start, values)
            self.summary.show_tally(rates.games, tally)

    def settle(self) -> None:
        self._wanted.clear()

    def describe(self) -> None:
        facts = [] if self.level is None or self.progress is not None else [f"level {self.level}"]
        facts += [f"{self.games} games"] if self.games > 1 else []
        if self.view == "grid" and self.wall.pages > 1:
            facts.append(f"page {self.wall.page + 1} of {self.wall.pages}")
        if self.progress is not None:
            facts += progress_facts(self.progress)
        elif self.tally.finished:
            facts.append(f"{self.tally.cleared} of {self.tally.finished} cleared")
        if self.state is not None:
            self.title_bar.show(" · ".join(facts), *self.state)
        elif self.picture is None and self.progress is None:
            self.title_bar.show(" · ".join(facts), "starting ...", "warning")
        elif self.paused:
            self.title_bar.show(" · ".join(facts), "‖ paused", "warning")
        else:
            words = "learning ..." if self.learning else f"▶ {pace_name(self.pace)}"
            self.title_bar.show(" · ".join(facts), words, "success")

    # --- from the keyboard ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys for what this session cannot do are not there, nor one to the menu where there is none."""
        return action not in missing_of(self.session.job) and (action != "quit" or not parameters or opened(self))

    def on_wall_picked(self, message: Wall.Picked) -> None:
        self.action_jump(message.game + 1)

    def action_view(self, view: str) -> None:
        """Switch to a view; `grid` twice is the focus."""
        if view == "grid" and self.view == "grid":
            view = "focus"
        elif view == "summary" and self.view == "summary":
            view = "grid"
        self.view = view
        self.query_one(ContentSwitcher).current = view
        self.side.display = view != "summary"  # there all the curves are to be seen
        (self.summary.curves if view == "summary" else self.side).draw()
        if self.picture is not None:
            self.show_picture(self.picture)

    def action_cycle(self, step: int) -> None:
        if self.games:
            self.action_jump((self.game + step) % min(self.games, MAX_GAMES) + 1)

    def action_jump(self, number: int) -> None:
        """Put game 1, 2, ... into focus."""
        if number <= min(self.games, MAX_GAMES):
            self.game = self._wanted["game"] = number - 1
            self.wall.select(self.game)
            self.send(protocol.Look(self.game))

    def action_pause(self) -> None:
        self.paused = self._wanted["paused"] = not self.paused
        self.send(protocol.Pause(self.paused))
        self.describe()

    def action_step(self, unit: str) -> None:
        self.paused = self._wanted["paused"] = True
        self.send(protocol.Step(unit))

    def action_pace(self, step: int) -> None:
        index = min(max(PACES.index(self.pace) + step, 0), len(PACES) - 1)
        self.pace = self._wanted["pace"] = PACES[index]
        self.send(protocol.Pace(self.pace))
        self.describe()

    def action_games(self, step: int) -> None:
        """Half or twice as many games."""
        games = self._wanted.get("games", self.games)
        if games:
            count = max(1, games // 2) if step < 0 else games * 2
            if not self.session.training:
                count = min(count, MAX_GAMES)
            if count != games:
                self._wanted["games"] = count
                self.tell(Note(counted(count, "game")))
                self.send(protocol.Games(count))

    def action_level(self, step: int) -> None:
        if self.level is not None and 0 <= (level := self._wanted.get("level", self.level) + step) <= MAX_LEVEL:
            self._wanted["level"] = level
            self.send(protocol.Level(level))

    def action_restart(self) -> None:
        self.send(protocol.Restart())

    def action_snapshot(self) -> None:
        self.send(protocol.TakeLine(self.game))

    def action_checkpoint(self) -> None:
        self.send(protocol.Checkpoint())

    def action_evaluate(self) -> None:
        self.send(protocol.Evaluate())


def missing_of(job: Job) -> tuple[str, ...]:
    """Actions that a job has no use for: a policy that only plays has nothing to save and no training that goes on, a
    run that learns from search keeps its games."""
    from mlx_drmario.rl.clone.config import CloneRunConfig

    if not isinstance(job, TrainJob):
        return "checkpoint", "detach"
    return ("games", "level", "restart", "evaluate") if isinstance(job.config, CloneRunConfig) else ()


def shown_by(picture: Picture, games: int) -> dict[str, Any]:
    """How it stands, by the names of what can be asked for."""
    state = {"game": picture.game, "paused": picture.paused, "pace": picture.pace}
    return state | {"games": games, "level": picture.position.level}


def unmet(wanted: dict[str, Any], there: dict[str, Any], count: int) -> dict[str, Any]:
    """What of this is not there yet; the game that was asked for is by now the last of `count`, if there are fewer."""
    if "game" in wanted:
        wanted = wanted | {"game": min(wanted["game"], count - 1)}
    return {name: value for name, value in wanted.items() if value != there[name]}


def progress_facts(progress: Progress) -> list[str]:
    """Of a run, for the title."""
    rate = progress.metrics.get("episode/clear_rate")
    facts = [progress.stage, f"{progress.progress:.0%} done", clock(progress.seconds)]
    return facts if rate is None else [*facts, f"{rate:.0%} cleared"]


def pace_name(pace: float) -> str:
    """0.25x .. 64x, or max."""
    return "max" if pace == FASTEST else f"{pace:g}x"
