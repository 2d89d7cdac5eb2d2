"""Watch a policy play."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Footer, Static
from textual.worker import get_current_worker

from mlx_drmario.evaluate import FRAME_RATE, Policy
from mlx_drmario.render import Scene
from mlx_drmario.tui.board import BoardWall
from mlx_drmario.tui.game import WatchedGame

PACES = (1, 2, 4, 8, 16, 64)
"""frames played per 1/60 s"""
_REST = 90  # frames for which a finished game stays on the screen


class WatchApp(App[None]):
    """Games play in a thread of their own, which also loads the policy and runs it; this thread only paints the last
    scenes it was handed."""

    CSS = "BoardWall { height: auto; } #message { height: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "pause"),
        Binding("right,plus,equals_sign", "faster(1)", "faster"),
        Binding("left,minus", "faster(-1)", "slower"),
        Binding("q", "quit", "quit"),
    ]

    def __init__(
        self,
        load_policy: Callable[[], tuple[Policy, str]],
        *,
        name: str,
        level: int,
        speed: int,
        seeds: Iterator[int],
        games: int = 1,
        pace: int = 1,
    ) -> None:
        """
        Args:
            load_policy: makes the policy and names the plane set it reads; called in the thread that plays.
            name: of the policy, for the screen.
            seeds: of the games, endless; games: how many are played side by side.
            pace: frames per 1/60 s at the start, one of `PACES`.
        """
        super().__init__()
        if pace not in PACES:
            raise ValueError(f"pace is {pace}; it must be one of {', '.join(map(str, PACES))}")
        if games < 1:
            raise ValueError(f"games is {games}; it must be at least 1")
        self._load_policy, self._label, self._seeds = load_policy, name, seeds
        self._level, self._speed, self._games = level, speed, games
        self.pace = pace
        self.stopped = False
        self.cleared = self.finished = 0
        self._scenes: Sequence[Scene] = ()
        self._wall = BoardWall()
        self._message = Static(id="message")

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield self._wall
        yield self._message
        yield Footer()

    def on_mount(self) -> None:
        self.run_worker(self._play, thread=True)
        self.set_interval(1 / 30, self._paint)

    def _paint(self) -> None:
        self._wall.show(self._scenes)
        state = "paused" if self.stopped else f"{self.pace}x"
        tally = f"{self.cleared} of {self.finished} cleared"
        self._message.update(f"{self._label}  {tally}  {state}")

    def _play(self) -> None:
        """The playing thread: advance all games at the chosen pace until the app ends."""
        worker = get_current_worker()
        policy, planes = self._load_policy()

        def start() -> WatchedGame:
            return WatchedGame(policy, planes, self._level, self._speed, next(self._seeds))

        games = [start() for _ in range(self._games)]
        rest = [0] * len(games)
        due = time.perf_counter()
        while not worker.is_cancelled:
            for index, game in enumerate(games):
                for _ in range(0 if self.stopped else self.pace):
                    game.advance()
                    if game.outcome == "playing":
                        continue
                    if rest[index] == 0:
                        self.finished += 1
                        self.cleared += game.outcome == "cleared"
                    rest[index] += 1
                    if rest[index] > _REST:
                        games[index] = game = start()
                        rest[index] = 0
            self._scenes = [game.scene() for game in games]
            due = max(due + 1 / FRAME_RATE, time.perf_counter() - 0.1)
            time.sleep(max(0.0, due - time.perf_counter()))

    def action_pause(self) -> None:
        self.stopped = not self.stopped

    def action_faster(self, steps: int) -> None:
        index = PACES.index(self.pace) + steps
        self.pace = PACES[min(max(index, 0), len(PACES) - 1)]
