"""The worker died: what it said last, where its log is, and what can be done."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from mlx_drmario.tui.protocol import Job, TrainJob
from mlx_drmario.tui.session import Died


class CrashScreen(ModalScreen[bool]):
    """Returns True to start again (a run goes on from its newest checkpoint), False to leave things as they are."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again(True)", "start again"),
        Binding("escape,q", "again(False)", "close"),
    ]
    DEFAULT_CSS = """
    CrashScreen { align: center middle; }
    CrashScreen Vertical {
        width: 90%; max-width: 110; height: auto; max-height: 90%;
        background: $surface; border: heavy $error; padding: 1 2; border-title-color: $error;
    }
    CrashScreen Static { height: auto; }
    CrashScreen #error { color: $error; margin: 0 0 1 0; }
    CrashScreen #close { margin: 0 0 1 0; }
    CrashScreen #tail { color: $foreground 70%; max-height: 14; }
    """

    def __init__(self, died: Died, job: Job, resumes: bool) -> None:
        """resumes: whether starting again is going on with a run."""
        super().__init__()
        self._died, self._job, self._resumes = died, job, resumes

    def compose(self) -> ComposeResult:
        died = self._died
        again = "resume from the newest checkpoint" if self._resumes else "start again"
        pane = Vertical(
            Static(f"{died.error}", id="error", markup=False),
            Static(f"log  {died.log}", id="path", markup=False),
            Static(f"r  {again}", markup=False),
            Static("esc  close", id="close", markup=False),
            Static(died.tail, id="tail", markup=False),  # last: it is what there may be no room for
        )
        pane.border_title = (
            f"{'the trainer' if isinstance(self._job, TrainJob) else 'the player'} died ({how(died.status)})"
        )
        yield pane

    def action_again(self, again: bool) -> None:
        self.dismiss(again)


def how(status: int | None) -> str:
    """An exit status in words."""
    if status is None:
        return "connection lost"
    return f"signal {-status}" if status < 0 else f"exit status {status}"
