"""What happened, newest at the bottom."""

import time
from collections.abc import Callable

from rich.text import Text
from textual.widgets import RichLog

from mlx_drmario.tui.palette import palette
from mlx_drmario.tui.protocol import Note

KINDS = {"info": "foreground", "good": "success", "warning": "warning", "error": "error"}


class EventLog(RichLog):
    """One line per event, with the time of day."""

    DEFAULT_CSS = "EventLog { height: 1fr; min-height: 3; background: $background; scrollbar-size-vertical: 1; }"

    def __init__(self, id: str | None = None, clock: Callable[[], str] = lambda: time.strftime("%H:%M:%S")) -> None:
        super().__init__(id=id, max_lines=1000, wrap=True, markup=False)
        self.can_focus = False
        self._clock = clock
        self.notes: list[Note] = []

    def add(self, note: Note) -> None:
        """Append an event."""
        self.notes.append(note)
        colors = palette(self.app.theme_variables)
        when = (self._clock() + " ", colors.text("bottle-rim"))
        self.write(Text.assemble(when, (note.text, colors.text(KINDS[note.kind]))))
