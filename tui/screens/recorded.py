"""The games of a trace file, one after the other."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from mlx_drmario.tui.advice import Advice
from mlx_drmario.tui.messages import Reported
from mlx_drmario.tui.protocol import Line, Note, PolicyLoader
from mlx_drmario.tui.recorded import Recording
from mlx_drmario.tui.screens.travel import TravelScreen
from mlx_drmario.tui.session import Died


class RecordedScreen(TravelScreen):
    """Time travel from the beginning of a recorded game; page up and down, or the brackets for keyboards and terminals
    that keep those, go to the other games."""

    _GAMES = Binding.Group("game", compact=True)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup,left_square_bracket", "game(-1)", "game before", key_display="[", group=_GAMES),
        Binding("pagedown,right_square_bracket", "game(1)", "next game", key_display="]", group=_GAMES),
    ]

    def __init__(self, recording: Recording, game: int, load_policy: PolicyLoader, name: str) -> None:
        """game: to start with, from 0; load_policy: plays branches on, called name. Raises as `Recording.line`."""
        self._advice = Advice(load_policy, name, self._advise)
        super().__init__(recording.line(game), self._advice.ask, at=0)
        self.recording, self.game = recording, game

    def action_game(self, step: int) -> None:
        game = min(max(self.game + step, 0), self.recording.count - 1)
        if game == self.game:
            return
        try:
            line = self.recording.line(game)
        except (ValueError, OSError) as error:  # the file may have changed or gone meanwhile
            self.notify(str(error), severity="error", markup=False)
            return
        self.game = game
        self.start(line, 0)

    def _advise(self, line: Line | Died) -> None:
        """In the thread that reads from the worker."""
        words = "" if isinstance(line, Line) else f"the branch cannot be played on: {line.error}"
        self.post_message(Reported(line if isinstance(line, Line) else Note(words, "error")))

    def on_reported(self, message: Reported) -> None:
        if isinstance(message.report, Line):
            self.show_branch(message.report)
        elif isinstance(message.report, Note):
            self.notify(message.report.text, severity="error", markup=False)

    def action_back(self) -> None:
        """There is nothing behind it when it was opened from the command line."""
        if len(self.app.screen_stack) > 2:
            self.dismiss()
        else:
            self.app.exit()

    def on_unmount(self) -> None:
        self._advice.close()
