"""What the keys of a screen do."""

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from mlx_drmario.tui.palette import palette


class HelpScreen(ModalScreen[None]):
    """A list of keys over the screen that it explains."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "dismiss", "close")]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll {
        width: 72; max-width: 95%; height: auto; max-height: 95%;
        background: $surface; border: round $accent; padding: 0 2; border-title-color: $accent;
    }
    HelpScreen Static { height: auto; }
    """

    def __init__(self, explained: Screen[object]) -> None:
        super().__init__()
        self._explained = explained

    def compose(self) -> ComposeResult:
        pane = VerticalScroll(Static(id="keys"))
        pane.border_title = "keys"
        pane.border_subtitle = "esc closes"
        yield pane

    def on_mount(self) -> None:
        colors = palette(self.app.theme_variables)
        strong, muted = colors.text("accent", bold=True), colors.text("bottle-rim")
        table = Table.grid(padding=(0, 2))
        for keys, words, more in explained_keys(self._explained):
            table.add_row(Text(keys, strong), words, Text(more, muted))
        self.query_one("#keys", Static).update(table)


def explained_keys(screen: Screen[object]) -> list[tuple[str, str, str]]:
    """(keys, what they do, more about it) of every binding of a screen."""
    rows: dict[str, tuple[list[str], str, str]] = {}
    for node, binding, _, _ in screen.active_bindings.values():
        ours = type(node).__module__.startswith("mlx_drmario.") and binding not in Screen.BINDINGS  # not Textual's
        if binding.description and not binding.system and ours:
            name = binding.id or binding.action
            keys, _, _ = rows.setdefault(name, ([], binding.description, binding.tooltip))
            keys.append(screen.app.get_key_display(binding))
    return [(" ".join(dict.fromkeys(keys)), words, more) for keys, words, more in rows.values()]
