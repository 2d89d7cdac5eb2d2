"""Play one game in the terminal."""

import time
from collections.abc import Iterator
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from mlx_drmario.evaluate import FRAME_RATE
from mlx_drmario.spec import DOWN, LEFT, RIGHT, A, B
from mlx_drmario.tui.board import BoardWall
from mlx_drmario.tui.game import LiveGame
from mlx_drmario.tui.pad import Pad

_MAX_CATCH_UP = 6  # frames; after a longer hiccup the game continues where it was instead of racing ahead


class PlayApp(App[None]):
    """Arrow keys move, x and z turn. The engine runs in this thread: one game costs microseconds per frame."""

    CSS = "BoardWall { height: 21; } #message { height: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", f"press({LEFT})", "left"),
        Binding("right", f"press({RIGHT})", "right"),
        Binding("down", f"press({DOWN})", "drop"),
        Binding("x,up", f"press({A})", "turn right"),
        Binding("z", f"press({B})", "turn left"),
        Binding("space", "pause", "pause"),
        Binding("r", "restart(True)", "again"),
        Binding("n", "restart(False)", "new"),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, level: int, speed: int, seeds: Iterator[int]) -> None:
        """level 0..24; speed 0 LOW, 1 MED, 2 HI; seeds: one game after the other, endless."""
        super().__init__()
        self._level, self._speed, self._seeds = level, speed, seeds
        self.game = LiveGame(level, speed, next(seeds))
        self.pad = Pad()
        self.stopped = False
        self._wall = BoardWall()
        self._message = Static(id="message")
        self._clock = 0.0

    def compose(self) -> ComposeResult:
        yield self._wall
        yield self._message
        yield Footer()

    def on_mount(self) -> None:
        self._clock = time.perf_counter()
        self.set_interval(1 / FRAME_RATE, self._tick)

    def _tick(self) -> None:
        """Play the frames that are due by the clock, then show the last."""
        due = int((time.perf_counter() - self._clock) * FRAME_RATE)
        self._clock += due / FRAME_RATE
        if not self.stopped:
            self.advance(min(due, _MAX_CATCH_UP))

    def advance(self, frames: int) -> None:
        """Play this many frames with the keys that were pressed."""
        for _ in range(frames):
            self.game.step(self.pad.frame())
        self._wall.show([self.game.scene()])
        seconds = self.game.frames / FRAME_RATE
        message = f"{self.game.outcome}  {seconds:6.1f} s  seed {self.game.seed:04x}"
        self._message.update(message)

    def action_press(self, button: int) -> None:
        self.pad.press(button)

    def action_pause(self) -> None:
        self.stopped = not self.stopped

    def action_restart(self, same: bool) -> None:
        """Start over: the same game, or the next."""
        self.game = LiveGame(self._level, self._speed, self.game.seed if same else next(self._seeds))
        self.stopped = False
