"""What is under way, for the eyes of a terminal's user: one line or screen that is drawn again and again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from mlx_drmario.cli import discard_output
from mlx_drmario.observer import Array, Observer
from mlx_drmario.rl.callback import Callback, Snapshot
from mlx_drmario.spec import clock

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mlx_drmario import Decisions

Draw = Callable[["float | None"], "RenderableType"]
"""Draws something, given how many seconds are left (None while nobody knows)."""


class Progress:
    """A context manager that draws on a terminal in place, and nothing (or plain lines) elsewhere."""

    SECONDS = 0.1
    """between two drawings"""
    PLAIN_SECONDS = 10.0
    """between two plain lines"""

    def __init__(self, stream: TextIO, visible: bool = True, leave: bool = False) -> None:
        """`visible` False draws nothing at all; `leave` keeps the last drawing on the screen."""
        self.stream, self.visible, self.leave = stream, visible, leave
        self.terminal = stream.isatty()
        self.live: Any = None
        self.start = time.perf_counter()
        self.first: float | None = None  # share at the start
        self.last = -self.PLAIN_SECONDS

    def __enter__(self) -> Progress:
        if self.visible and self.terminal:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self.stream, highlight=False, markup=False, emoji=False)
            self.live = Live(console=console, auto_refresh=False, transient=not self.leave, redirect_stdout=False)
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def restart(self) -> None:
        """What follows has a rate of its own."""
        self.first, self.last = None, -self.PLAIN_SECONDS

    def show(self, share: float, draw: Draw, line: Callable[[float | None], str] | None = None) -> None:
        """`share` (0 to 1) is done: draw it, or print `line` where nothing can be drawn, if it is time to."""
        elapsed = time.perf_counter() - self.start
        if self.first is None:
            self.first, self.start, elapsed = share, time.perf_counter(), 0.0
        due = self.SECONDS if self.live is not None else self.PLAIN_SECONDS
        if not self.visible or (elapsed - self.last < due and share < 1):
            return
        self.last = elapsed
        done = share - self.first
        left = elapsed * (1 - share) / done if done > 0 else None
        if self.live is not None:
            self.live.update(draw(left), refresh=True)
        elif line is not None:
            print(line(left), file=self.stream, flush=True)


class Shown(Callback):
    """Shows a run by a `Progress`; stops it when it is `asked` to or nobody reads that any more; `observer` sees the
    games."""

    def __init__(self, progress: Progress, asked: Callable[[], bool], observer: Observer | None = None) -> None:
        self.progress, self.asked = progress, asked
        self.observer = observer or Observer()
        self.unread = False

    def show(self, share: float, draw: Draw, line: Callable[[float | None], str]) -> None:
        """See `Progress.show`. A closed pipe, or a terminal that is gone, is a wish to stop: the run is saved."""
        try:
            self.progress.show(share, draw, line)
        except OSError:
            discard_output()
            self.unread, self.progress.visible = True, False

    def should_stop(self) -> bool:
        return self.unread or self.asked()

    def before_step(
        self, games: Decisions, action: Array, log_prob: Array | None, value: Array | None, part: int = 0
    ) -> None:
        self.observer.before_step(games, action, log_prob, value, part)

    def after_step(self, games: Decisions, part: int = 0) -> None:
        self.observer.after_step(games, part)


class TrainingScreen(Shown):
    """Shows a run while it trains, with its first game; `should_stop` is what the run asks for, `observer` sees the
    games too."""

    def __init__(
        self,
        title: str,
        progress: Progress,
        should_stop: Callable[[], bool] = lambda: False,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(progress, should_stop, observer)
        self.title = title
        self.game: Any = None  # state of game 0, a copy of its row

    def after_step(self, games: Decisions, part: int = 0) -> None:
        super().after_step(games, part)
        if part == 0 and self.progress.live is not None:
            self.game = games.state[0].copy()

    def on_iteration(self, snapshot: Snapshot) -> None:
        self.show(
            snapshot.progress,
            lambda left: screen(self.title, snapshot, self.game, left),
            lambda left: line(snapshot, left),
        )


class Lines(Shown):
    """Says how far a run is in a line: one that is drawn again on a terminal, plain ones elsewhere."""

    def on_games(self, ended: int, games: int) -> None:
        def line(left: float | None) -> str:
            return f"games {ended:,} of {games:,}, {clock(left)} left"

        self.show(ended / games, line, line)
        if ended == games:
            self.progress.restart()

    def on_iteration(self, snapshot: Snapshot) -> None:
        def line(left: float | None) -> str:
            done = f"{snapshot.progress:4.0%}  {clock(snapshot.seconds)} (left {clock(left)})"
            return f"{done}  {said(snapshot.metrics)}"

        self.show(snapshot.progress, line, line)


def said(metrics: dict[str, float]) -> str:
    """What a line tells of an iteration of a run that is not PPO's."""
    if "perf/rows_per_second" in metrics:
        return (
            f"{metrics['perf/rows_per_second']:,.0f} rows/s  loss of times {metrics['loss/state_quantiles']:.4f},"
            f" of clearing {metrics['loss/state_clear']:.4f}"
        )
    if "stats/agreement" in metrics:
        return (
            f"{metrics['perf/dps_decisions_total']:,.0f} decisions/s  agrees {metrics['stats/agreement']:.1%}"
            f"  loss {metrics['loss/judgement']:.3f}  cleared {metrics['episode/clear_rate']:.1%}"
            f" in {metrics.get('episode/frames_to_clear', 0):,.0f} frames"
        )
    return (
        f"{metrics['perf/dps_decisions_total']:,.0f} decisions/s  games {metrics['episode/count']:,.0f}"
        f"  cleared {metrics['episode/clear_rate']:.1%}  return {metrics['episode/return']:.2f}"
        f"  random {metrics['stats/epsilon']:.0%}"
    )


def line(snapshot: Snapshot, left: float | None) -> str:
    """One plain line."""
    m = snapshot.metrics
    return (
        f"{snapshot.progress:4.0%}  {clock(snapshot.seconds)} (left {clock(left)})  decisions {snapshot.decisions:,}"
        f" ({m['perf/dps_decisions_total']:,.0f}/s)  games {snapshot.games:,}"
        f"  cleared {m['episode/clear_rate']:.1%}  return {m['episode/return']:.2f}  entropy {m['loss/entropy']:.2f}"
    )


def screen(title: str, snapshot: Snapshot, game: Any, left: float | None) -> RenderableType:
    """The live screen: numbers on the left, a game on the right."""
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from mlx_drmario import render

    m = snapshot.metrics
    frames_to_clear = m.get("episode/frames_to_clear")
    rows = {
        "time": f"{clock(snapshot.seconds)}, {clock(left)} left",
        "decisions": f"{snapshot.decisions:,}  ({m['perf/dps_decisions_total']:,.0f}/s)",
        "frames": f"{snapshot.frames:,}  ({m['perf/sps_frames_total']:,.0f}/s)",
        "games finished": f"{snapshot.games:,}",
        "": "",
        "cleared (last 500)": f"{m['episode/clear_rate']:.1%}",
        "frames to clear": "-" if frames_to_clear is None else f"{frames_to_clear:,.0f}",
        "capsules per game": f"{m['episode/length_decisions']:.1f}",
        "return": f"{m['episode/return']:.2f}",
        " ": "",
        "policy loss": f"{m['loss/policy']:+.4f}",
        "value loss": f"{m['loss/value']:.4f}",
        "entropy": f"{m['loss/entropy']:.2f}",
        "KL / clipped": f"{m['stats/approx_kl']:.4f} / {m['stats/clip_fraction']:.1%}",
        "explained variance": f"{m['stats/explained_variance']:.2f}",
    }
    numbers = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        numbers.add_row(Text(name, style="dim"), value)
    numbers.add_row("", "")
    numbers.add_row(Text("progress", style="dim"), ProgressBar(completed=100 * snapshot.progress, width=30))
    picture = render.text(render.scene(game), color="NO_COLOR" not in os.environ)
    both = Table.grid(padding=(0, 4))
    both.add_row(numbers, Text.from_ansi(picture))
    return Panel(both, title=Text(title), subtitle="Ctrl-C saves and stops", expand=False)
