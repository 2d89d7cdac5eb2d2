"""What happened, newest on top."""

import time
from collections import deque
from itertools import islice

from rich.text import Text
from textual.widgets import Static

from mlx_drmario.tui.palette import palette
from mlx_drmario.tui.protocol import Note
from mlx_drmario.tui.widgets.painted import Painted

KINDS = {"info": "foreground", "good": "success", "warning": "warning", "error": "error"}
_KEPT = 200


class EventLog(Painted, Static):
    """One paragraph per event, with the time of day."""

    DEFAULT_CSS = "EventLog { height: 1fr; min-height: 3; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.notes: deque[tuple[str, Note]] = deque(maxlen=_KEPT)

    def _clock(self) -> str:
        return time.strftime("%H:%M:%S")

    def add(self, note: Note) -> None:
        """Put an event on top."""
        self.notes.appendleft((self._clock(), note))
        self.repaint()

    def on_resize(self) -> None:
        self.repaint()

    def repaint(self) -> None:
        colors = palette(self.app.theme_variables)
        text = Text()
        for when, note in islice(self.notes, self.size.height):  # the others would be below the edge
            text.append(f"{when} ", colors.text("bottle-rim"))
            text.append(f"{note.text}\n", colors.text(KINDS[note.kind]))
        self.update(text, layout=False)
