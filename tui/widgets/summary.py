"""How the learning goes: curves, the stage of the curriculum and its certificate, time left, events."""

from collections import defaultdict

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Grid, Horizontal, Vertical
from textual.widgets import Static

from mlx_drmario.spec import clock
from mlx_drmario.stats import wilson
from mlx_drmario.tui.palette import palette
from mlx_drmario.tui.protocol import Job, Progress, Tally, TrainJob
from mlx_drmario.tui.widgets.analysis import bars
from mlx_drmario.tui.widgets.curve import Curve, number
from mlx_drmario.tui.widgets.painted import Painted

# metric of a training run -> (title, theme colour, is it a share)
# the keys are those of `protocol.CURVES`
_DRAWN: dict[str, tuple[str, str, bool]] = {
    "episode/return": ("return", "capsule-0", False),
    "episode/frames_to_clear": ("frames to clear", "capsule-0", False),
    "episode/clear_rate": ("clear rate", "success", True),
    "loss/policy": ("policy loss", "capsule-2", False),
    "loss/judgement": ("judgement loss", "capsule-2", False),
    "loss/value": ("value loss", "capsule-2", False),
    "loss/entropy": ("entropy (nats)", "secondary", False),
    "stats/agreement": ("agrees with search", "secondary", True),
    "stats/approx_kl": ("approx. KL", "capsule-1", False),
    "stats/grad_norm": ("gradient norm", "capsule-1", False),
    "perf/dps_decisions_total": ("decisions/s", "primary", False),
}
_OF_PPO, _OF_CLONE = (
    ("episode/return", "loss/policy", "loss/entropy", "stats/approx_kl"),
    ("episode/frames_to_clear", "loss/judgement", "stats/agreement"),
)
"""what one kind of run alone has; all others both have"""
TRAINING_CURVES = {name: drawn for name, drawn in _DRAWN.items() if name not in _OF_CLONE}
CLONE_CURVES = {name: drawn for name, drawn in _DRAWN.items() if name not in _OF_PPO}
WATCH_CURVES: dict[str, tuple[str, str, bool]] = {
    "decisions": ("decisions/s", "primary", False),
    "frames": ("frames/s", "capsule-2", False),
    "cleared": ("share of games cleared", "success", True),
}
SIDE = ("episode/clear_rate", "episode/return", "episode/frames_to_clear", "loss/entropy", "stats/agreement")
"""curves that stay beside the games, of those that there are"""
_MOST_POINTS = 2_000


class Facts(Painted, Static):
    """A short table of words and values."""

    DEFAULT_CSS = "Facts { height: auto; width: 1fr; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: list[tuple[str, str]] = []

    def show(self, rows: list[tuple[str, str]]) -> None:
        """Show these from now on."""
        if rows != self._rows:
            grown, self._rows = len(rows) != len(self._rows), rows
            self.repaint(grown)

    def repaint(self, layout: bool = False) -> None:
        """layout: there are more lines, or fewer."""
        colors = palette(self.app.theme_variables)
        text = Text(no_wrap=True, overflow="ellipsis")
        for name, value in self._rows:
            text.append(f"{name:<12}", style=colors.text("bottle-rim"))
            text.append(value + "\n", style=colors.text("foreground"))
        self.update(text, layout=layout)


class Curves(Grid):
    """One `Curve` for each metric, all over the same time."""

    def __init__(self, curves: dict[str, tuple[str, str, bool]], id: str | None = None) -> None:
        super().__init__(id=id)
        self._curves = {name: Curve(title, color, percent=share) for name, (title, color, share) in curves.items()}
        self._points: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def compose(self) -> ComposeResult:
        yield from self._curves.values()

    def on_resize(self) -> None:
        """As many columns as there is room for."""
        columns = max(1, min(len(self._curves), self.size.width // 30, 4))
        self.styles.grid_size_columns = columns

    def add(self, x: float, values: dict[str, float]) -> None:
        """Append a point to every curve that has a value.

        Points from x on are forgotten: a run that goes on from a checkpoint does them again. Long curves lose every
        other of their older points.
        """
        for name in self._curves.keys() & values.keys():
            points = self._points[name]
            while points and points[-1][0] >= x:
                points.pop()
            points.append((x, values[name]))
            if len(points) > _MOST_POINTS:
                points[: -_MOST_POINTS // 2] = points[: -_MOST_POINTS // 2 : 2]
        if self.display:
            self.draw()

    def draw(self) -> None:
        """Show what was added."""
        for name, curve in self._curves.items():
            curve.show(list(self._points[name]))


class Summary(Vertical):
    """Curves above, facts below."""

    def __init__(self, curves: dict[str, tuple[str, str, bool]], id: str | None = None) -> None:
        super().__init__(id=id)
        self.curves = Curves(curves, id="curves")
        self.facts = Facts(id="facts")

    def compose(self) -> ComposeResult:
        yield self.curves
        with Horizontal(id="facts-row"):
            yield self.facts

    def show_tally(self, games: int, tally: Tally) -> None:
        """How games went that are only watched."""
        rows = [("games", f"{games} side by side"), ("finished", f"{tally.finished}")]
        if tally.finished:
            low, high = wilson(tally.cleared, tally.finished)
            share = tally.cleared / tally.finished
            rows.append(("cleared", f"{tally.cleared}, {share:.1%} (95 % interval {low:.1%} to {high:.1%})"))
        self.facts.show(rows)


def curves_of(job: Job) -> dict[str, tuple[str, str, bool]]:
    """What can be drawn of a job, by its metric."""
    from mlx_drmario.rl.clone.config import CloneRunConfig

    if not isinstance(job, TrainJob):
        return WATCH_CURVES
    return CLONE_CURVES if isinstance(job.config, CloneRunConfig) else TRAINING_CURVES


def training_facts(progress: Progress) -> list[tuple[str, str]]:
    """What a training run is at."""
    metrics = progress.metrics
    left = progress.seconds / progress.progress - progress.seconds if progress.progress > 0 else float("inf")
    rows = [
        ("budget", f"{bars(progress.progress, 20)} {progress.progress:.1%}"),
        ("time", f"{clock(progress.seconds)} gone, {clock(left)} left"),
        ("done", f"{number(progress.decisions)} decisions · {number(progress.frames)} frames · {progress.games} games"),
        ("stage", progress.stage),
    ]
    if "curriculum/lower_bound" in metrics:
        bound, games = metrics["curriculum/lower_bound"], int(metrics.get("curriculum/games", 0))
        rows.append(("certificate", f"clear rate above {bound:.1%} after {games} games of this stage"))
    return rows
