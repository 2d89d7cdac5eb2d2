"""What can be done: train, go on with a run, attach to one that trains, watch, play."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from mlx_drmario.tui.palette import palette
from mlx_drmario.tui.position import PLAYING, Position
from mlx_drmario.tui.widgets.bottle import Bottle
from mlx_drmario.tui.widgets.keys import KeyBar
from mlx_drmario.tui.widgets.title import Title


@dataclass(frozen=True)
class Entry:
    """A line of the menu."""

    group: str
    name: str
    words: str
    open: Callable[[], Screen[None]]
    """makes the screen; ValueError or OSError when that cannot be"""


class Menu(OptionList, inherit_bindings=False):
    """A list of entries, whose keys are shown as those of a screen are."""

    DEFAULT_CSS = "Menu { text-wrap: nowrap; text-overflow: ellipsis; }"
    _CHOOSE = Binding.Group("choose", compact=True)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "open", key_display="⏎"),
        Binding("up", "cursor_up", "up", key_display="↑", group=_CHOOSE),
        Binding("down", "cursor_down", "down", key_display="↓", group=_CHOOSE),
        Binding("pageup", "page_up", "a page up", show=False),
        Binding("pagedown", "page_down", "a page down", show=False),
        Binding("home", "first", "first", show=False),
        Binding("end", "last", "last", show=False),
    ]

    def _has_room(self) -> bool:
        """For an entry; Textual fails where there is none."""
        return self.virtual_size.height > 0 and self.scrollable_content_region.width > 0

    def action_page_up(self) -> None:
        if self._has_room():
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        if self._has_room():
            super().action_page_down()  # type: ignore[no-untyped-call]


class HomeScreen(Screen[None]):
    """A menu, and a bottle to look at."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "quit", "quit")]

    def __init__(self, entries: Callable[[], list[Entry]], picture: Position) -> None:
        """entries: what can be done now, asked again whenever the menu is to be seen."""
        super().__init__()
        self._look, self._picture = entries, picture
        self._entries: list[Entry] = []
        self.menu = Menu(id="menu", compact=True)
        self.bottle = Bottle(id="home-bottle")

    def compose(self) -> ComposeResult:
        yield Title("mlx_drmario", id="title")
        with Horizontal(id="home"):
            yield self.menu
            yield self.bottle
        yield KeyBar()

    def on_mount(self) -> None:
        self.menu.focus()
        self.bottle.show(self._picture)

    def on_screen_resume(self) -> None:
        """A run more may be there than before."""
        self._entries, at = self._look(), self.menu.highlighted
        self.menu.clear_options()
        colors = palette(self.app.theme_variables)
        group = ""
        for index, entry in enumerate(self._entries):
            if entry.group != group:
                group = entry.group
                self.menu.add_option(Option(Text(f"\n{group}", colors.text("primary", bold=True)), disabled=True))
            words = Text.assemble((f"  {entry.name:<26}", colors.text("foreground")), (entry.words, "dim"))
            self.menu.add_option(Option(words, id=str(index)))
        self.menu.action_first()
        if at is not None:
            self.menu.highlighted = at

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if not self.is_active:  # a key that waited while another screen was opened
            return
        entry = self._entries[int(event.option_id or 0)]
        try:
            screen = entry.open()
        except (ValueError, OSError) as error:
            self.notify(str(error), severity="error", markup=False)
        else:
            self.app.push_screen(screen)

    def action_quit(self) -> None:
        self.app.exit()


def opened(screen: Screen[None]) -> bool:
    """Whether a screen was opened from the menu, to which it can go back."""
    stack = screen.app.screen_stack
    return screen in stack and any(isinstance(below, HomeScreen) for below in stack[: stack.index(screen)])


def leave(screen: Screen[None], to_menu: bool, message: str | None = None) -> None:
    """Close a screen for the menu that it was opened from, if that is wanted, else end the app."""
    app = screen.app
    if not (to_menu and opened(screen)):
        app.exit(message=message)
        return
    while app.screen is not screen:
        app.pop_screen()
    app.pop_screen()
    if message:
        app.notify(message, markup=False)


TO_MENU = Binding("escape", "quit(True)", "menu", key_display="esc")
"""of screens that the menu opens"""


_SHOWN = 12
"""runs in the menu"""


def newest_runs(root: Path) -> list[Path]:
    """The run directories in `root`, the last changed one first."""
    if not root.is_dir():
        return []
    runs = [path.parent for path in root.glob("*/config.json")]
    return sorted(runs, key=lambda run: run.stat().st_mtime, reverse=True)[:_SHOWN]


def demo_position() -> Position:
    """A bottle of level 10, as it is at the start."""
    from mlx_drmario.tui.game import LiveGame

    game = LiveGame(10, 2, 0x8988)
    while not game.falling():
        game.step(0)
    assert game.outcome() == PLAYING
    return game.position()
