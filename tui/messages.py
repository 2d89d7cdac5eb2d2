"""What the thread that reads from a worker posts to the screen of its session."""

from textual.message import Message

from mlx_drmario.tui.protocol import Report
from mlx_drmario.tui.session import Died


class Reported(Message):
    """The worker said something."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


class WorkerDied(Message):
    """The worker ended without saying so."""

    def __init__(self, died: Died) -> None:
        super().__init__()
        self.died = died
