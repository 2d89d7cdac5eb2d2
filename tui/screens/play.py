"""Play by hand: alone, or two players on one keyboard. The engine runs in this thread, it takes microseconds."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen

from mlx_drmario.evaluate import FRAME_RATE
from mlx_drmario.spec import DOWN, LEFT, RIGHT, A, B
from mlx_drmario.tui.game import LiveGame
from mlx_drmario.tui.keyboard import KeyReleased, report_releases
from mlx_drmario.tui.pad import Pad
from mlx_drmario.tui.position import CLEARED, OUTCOMES, PLAYING
from mlx_drmario.tui.screens.home import TO_MENU, opened
from mlx_drmario.tui.widgets.bottle import Bottle
from mlx_drmario.tui.widgets.keys import KeyBar
from mlx_drmario.tui.widgets.summary import Facts
from mlx_drmario.tui.widgets.title import Title

_MAX_CATCH_UP = 6  # frames; after a longer hiccup the game continues where it was instead of racing ahead

# key -> button, for one player alone, and for the two seats at one keyboard
ALONE: dict[str, int] = {"left": LEFT, "right": RIGHT, "down": DOWN, "x": A, "up": A, "z": B}
FIRST: dict[str, int] = {"a": LEFT, "d": RIGHT, "s": DOWN, "g": A, "f": B}
SECOND: dict[str, int] = {"left": LEFT, "right": RIGHT, "down": DOWN, "full_stop": A, "comma": B}
WORDS = {LEFT: "left", RIGHT: "right", DOWN: "drop", A: "turn right", B: "turn left"}
_SIGNS = {"left": "←", "right": "→", "down": "↓", "up": "↑", "full_stop": ".", "comma": ","}


def _pads(seats: dict[str, dict[str, int]]) -> list[Binding]:
    """Bindings for the keys of all players."""
    bindings = []
    for seat, (who, keys) in enumerate(seats.items(), 1):
        group = Binding.Group(who, compact=True)
        for key, button in keys.items():
            act, words = f"press({seat}, {button})", f"{who}: {WORDS[button]}"
            bindings.append(Binding(key, act, words, key_display=_SIGNS.get(key, key), group=group))
    return bindings


_COMMON = [
    Binding("space", "pause", "pause"),
    Binding("r", "restart(True)", "again", tooltip="the same game from its beginning"),
    Binding("n", "restart(False)", "next", tooltip="the next game"),
    TO_MENU,
    Binding("q", "quit", "quit"),
]


class PlayScreen(Screen[None]):
    """60.0988 frames per second by the clock, the exact rules, and keys held as well as the terminal can tell."""

    SEATS: ClassVar[dict[str, dict[str, int]]] = {"move": ALONE}
    """the keys of each player, by name"""
    BINDINGS: ClassVar[list[BindingType]] = [*_pads(SEATS), *_COMMON]

    def __init__(self, level: int, speed: int, seeds: Iterator[int], capture: Path | None = None) -> None:
        """level 0..24; speed 0 LOW, 1 MED, 2 HI; seeds: one game after the other, endless; capture: a directory that
        keeps the games as traces."""
        super().__init__()
        self._level, self._speed, self._seeds, self._capture = level, speed, seeds, capture
        self.players = len(self.SEATS)
        pads = enumerate(self.SEATS.values(), 1)
        self._buttons = {key: (seat, button) for seat, pad in pads for key, button in pad.items()}
        self.game = LiveGame(level, speed, next(seeds), self.players, capture)
        self.pads = [Pad() for _ in range(self.players)]
        self.wins = [0, 0]
        self.paused = False
        self.lost: str | None = None
        """why games are no longer kept"""
        self.bottles = [Bottle(id=f"player-{seat}") for seat in self.game.seats]
        self.facts = Facts(id="score")
        self.title_bar = Title("play", id="title")
        self._clock = 0.0

    def compose(self) -> ComposeResult:
        yield self.title_bar
        with Horizontal(id="table"):
            yield from self.bottles
            yield self.facts
        yield KeyBar()

    def on_mount(self) -> None:
        report_releases(self.app, True)
        self._clock = time.perf_counter()
        self.set_interval(1 / FRAME_RATE, self._tick)
        self.show()

    def on_unmount(self) -> None:
        report_releases(self.app, False)
        self.put_away()

    def put_away(self) -> None:
        """Complete the recording, if there is one."""
        try:
            self.game.close()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """A game cannot be kept: say so and play on; none is kept from now on."""
        self._capture = None
        self.lost = f"games are no longer kept: {error}"
        self.notify(self.lost, severity="error", markup=False)

    def _tick(self) -> None:
        """Play the frames that are due by the clock, then show the last."""
        due = int((time.perf_counter() - self._clock) * FRAME_RATE)
        self._clock += due / FRAME_RATE
        if due and not self.paused and self.is_current:
            self.advance(min(due, _MAX_CATCH_UP))

    def advance(self, frames: int) -> None:
        """Play this many frames with the keys that are held."""
        over = self.game.over
        for _ in range(frames):
            try:
                self.game.step(*(pad.frame() for pad in self.pads))
            except OSError as error:  # of the recording; the frame is played
                self._give_up(error)
        if self.game.over and not over and (winner := self.winner()):
            self.wins[winner - 1] += 1
        self.show()

    def winner(self) -> int:
        """1 or 2; 0 while nobody has won, or both lost at once."""
        outcomes = [self.game.outcome(seat) for seat in self.game.seats]
        if self.players == 1 or outcomes[0] == outcomes[1]:
            return 0
        if CLEARED in outcomes:
            return outcomes.index(CLEARED) + 1
        return outcomes.index(PLAYING) + 1

    def show(self) -> None:
        """Paint the game as it is."""
        for seat, bottle in zip(self.game.seats, self.bottles, strict=True):
            bottle.show(self.game.position(seat), label="" if self.players == 1 else f"player {seat}")
        rows = [("time", f"{max(self.game.frames) / FRAME_RATE:.1f} s"), ("frames", f"{max(self.game.frames)}")]
        rows += [("capsules", " : ".join(str(count) for count in self.game.capsules))]
        rows += [("seed", f"0x{self.game.seed:04x}")]
        if self.players == 2:
            rows.append(("wins", f"{self.wins[0]} : {self.wins[1]}"))
        exact = any(pad.exact for pad in self.pads)
        rows.append(("keys", "held as pressed" if exact else "held a few frames"))
        self.facts.show(rows)
        if self.paused:
            self.title_bar.show("", "‖ paused", "warning")
        elif not self.game.over:
            self.title_bar.show("", "▶ playing", "success")
        else:
            winner = self.winner()
            words = f"player {winner} wins" if winner else OUTCOMES[self.game.outcome()]
            self.title_bar.show("r plays it again, n the next", f"■ {words}", "accent")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key leads to the menu where there is none."""
        return (action, parameters) != ("quit", (True,)) or opened(self)

    def action_press(self, seat: int, button: int) -> None:
        self.pads[seat - 1].press(button)

    def on_key_released(self, message: KeyReleased) -> None:
        if message.key in self._buttons:
            seat, button = self._buttons[message.key]
            self.pads[seat - 1].release(button)
            for pad in self.pads:
                pad.exact = True

    def on_app_blur(self, event: events.AppBlur) -> None:
        self._let_go()

    def on_screen_suspend(self, event: events.ScreenSuspend) -> None:
        self._let_go()

    def _let_go(self) -> None:
        """Keys are released where nobody here sees it."""
        for pad in self.pads:
            pad.release_all()

    def action_pause(self) -> None:
        self.paused = not self.paused
        self._let_go()
        self.show()

    def action_restart(self, same: bool) -> None:
        """Start over: the same game, or the next."""
        seed = self.game.seed if same else next(self._seeds)
        self.put_away()
        self.game = self._begin(seed)
        self.paused = False
        self.show()

    def _begin(self, seed: int) -> LiveGame:
        """A game that is kept, or, where that cannot be, one that is not."""
        try:
            return LiveGame(self._level, self._speed, seed, self.players, self._capture)
        except OSError as error:
            self._give_up(error)
            return LiveGame(self._level, self._speed, seed, self.players)

    def action_quit(self, to_menu: bool = False) -> None:
        self.put_away()
        if to_menu:
            self.app.pop_screen()
        else:
            self.app.exit(return_code=1 if self.lost else 0, message=self.lost)


class DuelScreen(PlayScreen, inherit_bindings=False):
    """Two players against each other on one keyboard."""

    SEATS: ClassVar[dict[str, dict[str, int]]] = {"player 1": FIRST, "player 2": SECOND}
    BINDINGS: ClassVar[list[BindingType]] = [*_pads(SEATS), *_COMMON]
