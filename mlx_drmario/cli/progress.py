"""Progress of a training run: one live screen on a terminal, one line every few seconds anywhere else."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mlx_drmario.rl.train import Snapshot

PLAIN_SECONDS = 10.0
"""Between two lines when the output is not a terminal."""


class Progress:
    """A context manager whose `update` is a training callback; shows nothing unless `visible`."""

    def __init__(self, title: str, visible: bool = True) -> None:
        from rich.console import Console
        from rich.live import Live

        self.title = title
        self.console = Console()
        self.live = Live(console=self.console, auto_refresh=False) if visible and sys.stdout.isatty() else None
        self.start = time.perf_counter()
        self.start_progress: float | None = None
        self.last_line = -PLAIN_SECONDS

    def __enter__(self) -> Progress:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def update(self, snapshot: Snapshot) -> None:
        """Show one iteration."""
        elapsed = time.perf_counter() - self.start
        if self.start_progress is None:
            self.start_progress, self.start = snapshot.progress, time.perf_counter()
            elapsed = 0.0
        done = snapshot.progress - self.start_progress
        eta = elapsed * (1 - snapshot.progress) / done if done > 0 else None
        if self.live is not None:
            self.live.update(screen(self.title, snapshot, eta), refresh=True)
        elif elapsed - self.last_line >= PLAIN_SECONDS or snapshot.progress >= 1:
            self.last_line = elapsed
            print(line(snapshot, eta), flush=True)


def line(snapshot: Snapshot, eta: float | None) -> str:
    """One plain line."""
    m = snapshot.metrics
    return (
        f"{snapshot.progress:4.0%}  {clock(snapshot.seconds)} (left {clock(eta)})  decisions {snapshot.decisions:,}"
        f" ({m['perf/dps_decisions_total']:,.0f}/s)  games {snapshot.games:,}"
        f"  cleared {m['episode/clear_rate']:.1%}  return {m['episode/return']:.2f}  entropy {m['loss/entropy']:.2f}"
    )


def screen(title: str, snapshot: Snapshot, eta: float | None) -> RenderableType:
    """The live screen: numbers on the left, game 0 on the right."""
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from mlx_drmario import render

    m = snapshot.metrics
    frames_to_clear = m.get("episode/frames_to_clear")
    rows = {
        "time": f"{clock(snapshot.seconds)}, {clock(eta)} left",
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
    picture = render.text(render.scene(snapshot.game), color="NO_COLOR" not in os.environ)
    both = Table.grid(padding=(0, 4))
    both.add_row(numbers, Text.from_ansi(picture))
    return Panel(both, title=title, subtitle="Ctrl-C saves and stops", expand=False)


def clock(seconds: float | None) -> str:
    """Minutes and seconds, or dashes when unknown."""
    if seconds is None:
        return "-:--"
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
