"""What `drmario tui`, `watch` and `play` show on a terminal."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlx_drmario.tui.screens import AnyScreen


def problem() -> str | None:
    """Why no app can be shown and driven here."""
    if "TEXTUAL_DRIVER" in os.environ:  # textual-serve takes the place of a terminal
        return None
    if not sys.stdout.isatty():
        return "draws on a terminal; its output is not one"
    if not sys.stdin.isatty():  # an app would look for keys there without a pause, and find none
        return "takes its keys from a terminal; its input is not one"
    return None


def show(command: str, make: Callable[[], "AnyScreen"]) -> int:
    """Show an app, from the screen that `make` makes on, until it is quit: its exit status; 2 where there is a
    problem."""
    if (sentence := problem()) is not None:
        print(f"drmario {command} {sentence}", file=sys.stderr)
        return 2
    from mlx_drmario.tui.app import DrMarioApp

    app = DrMarioApp(make())
    app.run()
    return app.return_code or 0
