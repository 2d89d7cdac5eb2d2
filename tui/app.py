"""The app: themes, the command palette, help, and the screen it starts with. Everything else belongs to the screens."""

import asyncio
import signal
from collections.abc import Iterable
from typing import ClassVar, Protocol, runtime_checkable

from textual import _styles_cache
from textual.app import App, SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from mlx_drmario.tui import themes
from mlx_drmario.tui.keyboard import KeyReleased, ReleaseDriver

_ENDING = (signal.SIGTERM, signal.SIGHUP)  # Ctrl-C is a key here


@runtime_checkable
class Closing(Protocol):
    """A screen with something to put away, which can be done twice."""

    def put_away(self) -> None:
        """Complete files, hang up; when the screen goes, or the terminal."""


class DrMarioApp(App[None]):
    """Shows one screen; more may be pushed on it."""

    CSS_PATH = "app.tcss"
    TITLE = "mlx_drmario"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012 (Textual declares it)
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("t", "next_theme", "theme", show=False),
        Binding("ctrl+q,ctrl+c", "leave", "quit", show=False, priority=True),
    ]

    def __init__(self, first: Screen[None], theme: str = themes.DEFAULT_THEME) -> None:
        """first: the screen to start with; theme: a name of `themes.THEMES` or one of Textual's."""
        super().__init__()
        for each in themes.THEMES:
            self.register_theme(each)
        self.theme = theme
        self._first = first

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The game's colours, for themes that do not know of them."""
        return themes.DARK if self.current_theme.dark else themes.LIGHT

    def on_mount(self) -> None:
        for number in _ENDING:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup stays so
                asyncio.get_running_loop().add_signal_handler(number, self._end, number)
        self.push_screen(self._first)

    def _end(self, number: int) -> None:
        """Quit, and leave the terminal as it was. On SIGHUP it is gone, and Textual would wait for it."""
        if number == signal.SIGHUP:
            for screen in self.screen_stack:
                if isinstance(screen, Closing):
                    screen.put_away()
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.raise_signal(number)
        self.call_later(self.action_leave)

    def get_driver_class(self) -> type[Driver]:
        """Textual's own, on a terminal one that can report key releases."""
        driver = super().get_driver_class()
        return ReleaseDriver if driver is LinuxDriver else driver

    def pop_screen(self) -> AwaitComplete:
        """Close the screen on top, and let go of what it has painted."""
        closed = super().pop_screen()
        forget_painted()
        return closed

    def on_key_released(self, message: KeyReleased) -> None:
        """Input that Textual does not know goes where keys go."""
        self.screen.post_message(KeyReleased(message.key))

    def action_help(self) -> None:
        """List the keys of this screen."""
        from mlx_drmario.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_next_theme(self) -> None:
        """Dark, light, and both for eyes that confuse red and green."""
        names = [theme.name for theme in themes.THEMES]
        index = names.index(self.theme) + 1 if self.theme in names else 0
        self.theme = names[index % len(names)]

    async def action_leave(self) -> None:
        """Quit the way the topmost screen that can does: one over a run in training closes, and the run is saved."""
        for screen in reversed(self.screen_stack):
            if await self.run_action("quit", screen):
                while self.screen is not screen:
                    self.pop_screen()  # what the other says is to be seen
                return
        self.exit()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key of the screen, by name, besides Textual's own commands."""
        yield from super().get_system_commands(screen)
        seen = set()
        for _, binding, enabled, _ in screen.active_bindings.values():
            named = bool(binding.description) and binding.description not in seen
            if enabled and named and not binding.system:
                seen.add(binding.description)

                async def act(action: str = binding.action) -> None:
                    await screen.run_action(action)

                yield SystemCommand(binding.description.capitalize(), binding.tooltip or f"key {binding.key}", act)


def forget_painted() -> None:
    """Drop the pictures of widgets that are gone.

    Textual 8.2 caches a method of `StylesCache` with its object, which keeps the last 1024 widgets' lines, also those
    of closed screens: 1 MB for each. There is no public way to drop them. A Textual without that cache has nothing to
    drop; then a test says so, and this can go.
    """
    cached = getattr(getattr(_styles_cache, "StylesCache", None), "get_inner_outer", None)
    clear = getattr(cached, "cache_clear", None)
    if clear is not None:
        clear()
