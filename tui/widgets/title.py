"""The first line of a screen: what runs, and how it stands."""

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.widgets import Static

from mlx_drmario.tui.palette import palette
from mlx_drmario.tui.widgets.painted import Painted


class Title(Painted, Static):
    """A name on the left, facts beside it, and a state on the right."""

    DEFAULT_CSS = "Title { width: 1fr; height: 1; background: $panel; }"

    def __init__(self, label: str, id: str | None = None) -> None:
        super().__init__(id=id)
        self._label, self._facts, self._state, self._kind = label, "", "", "foreground"

    def on_resize(self) -> None:
        self.repaint()

    @property
    def words(self) -> str:
        """All of it as plain text."""
        return f"{self._label} {self._facts} {self._state}"

    def show(self, facts: str, state: str, kind: str = "foreground") -> None:
        """Show these from now on; kind: a theme colour for the state."""
        if (facts, state, kind) != (self._facts, self._state, self._kind):
            self._facts, self._state, self._kind = facts, state, kind
            self.repaint()

    def repaint(self) -> None:
        colors = palette(self.app.theme_variables)
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f" {self._label} ", style=colors.text("accent", bold=True))
        room = max(0, self.size.width - cell_len(self._label) - cell_len(self._state) - 5)
        text.append(set_cell_size(self._facts, room), style=colors.text("foreground"))
        text.append(f" {self._state} ", style=colors.text(self._kind, bold=True))
        self.update(text, layout=False)
