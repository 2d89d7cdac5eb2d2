"""A line's course: viruses left over its decisions, and where one is."""

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mlx_drmario.tui.palette import palette

_LEVELS = " ▁▂▃▄▅▆▇█"


class Scrub(Widget):
    """One line, as wide as there is room; a click goes there."""

    DEFAULT_CSS = "Scrub { height: 1; width: 1fr; }"

    class Moved(Message):
        """A decision was clicked."""

        def __init__(self, at: int) -> None:
            super().__init__()
            self.at = at

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._viruses: list[int] = [0]
        self._at = 0

    def show(self, viruses: list[int], at: int) -> None:
        """viruses: left before each decision; at: the present one."""
        self._viruses, self._at = viruses, at
        self.refresh()

    def decision(self, column: int) -> int:
        """The first decision that a column stands for."""
        count = len(self._viruses)
        return min(count - 1, -(-column * count // max(1, min(self.size.width, 4 * count))))

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Moved(self.decision(event.x)))

    def render_line(self, y: int) -> Strip:
        colors = palette(self.app.theme_variables)
        count, most = len(self._viruses), max(*self._viruses, 1)
        width = min(self.size.width, 4 * count)  # a short game need not be drawn out
        segments = []
        for column in range(width):
            first, last = column * count // width, max(column * count // width + 1, (column + 1) * count // width)
            here = first <= self._at < last
            level = round(self._viruses[first] / most * 8)
            style = colors.style("background", "accent", bold=True) if here else colors.style("primary", "panel")
            segments.append(Segment(_LEVELS[level], style))
        return Strip(segments).adjust_cell_length(self.size.width, colors.style("foreground"))
