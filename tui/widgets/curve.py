"""A line chart of one quantity over time, drawn in braille dots."""

import math
from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip

from mlx_drmario.tui.palette import palette
from mlx_drmario.tui.widgets.painted import Painted

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # Unicode 2800: bits by row and column


class Curve(Painted):
    """Shows (x, y) points: title and last value above, the range of y on the left."""

    DEFAULT_CSS = "Curve { width: 1fr; height: 1fr; min-height: 4; }"
    LABEL = 8

    def __init__(self, title: str, color: str = "primary", percent: bool = False) -> None:
        """color: a theme colour; percent: y is a share, drawn from 0 to 1."""
        super().__init__()
        self.title, self._color, self._percent = title, color, percent
        self.points: Sequence[tuple[float, float]] = ()
        self._drawn: tuple[object, list[str]] = ((), [])

    def show(self, points: Sequence[tuple[float, float]]) -> None:
        """Show these points, in the order of x; values that are no numbers are left out."""
        self.points = [(x, y) for x, y in points if math.isfinite(y)]
        self._drawn = ((), [])
        self.refresh()

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and highest y that the picture has room for."""
        if self._percent:
            return 0.0, 1.0
        ys = [y for _, y in self.points]
        low, high = (min(ys), max(ys)) if ys else (0.0, 1.0)
        return (low, high) if high > low else (low - 0.5, high + 0.5)

    def render_line(self, y: int) -> Strip:
        """Title, then the chart."""
        colors = palette(self.app.theme_variables)
        width, height = self.size
        ground, muted = colors.style("foreground"), colors.style("bottle-rim")
        if y == 0:
            last = self._number(self.points[-1][1]) if self.points else "–"
            room = max(0, width - len(last) - 1)
            segments = [
                Segment(self.title[:room].ljust(room), ground),
                Segment(last, colors.style(self._color, bold=True)),
            ]
            return Strip(segments).adjust_cell_length(width, ground)
        low, high = self.range
        label = {1: self._number(high), height - 1: self._number(low)}.get(y, "")
        lines = self._lines(max(1, width - self.LABEL - 2), max(1, height - 1))
        segments = [
            Segment(label.rjust(self.LABEL)[: self.LABEL] + "▏", muted),
            Segment(lines[y - 1] if y - 1 < len(lines) else "", colors.style(self._color)),
        ]
        return Strip(segments).adjust_cell_length(width, ground)

    def _number(self, value: float) -> str:
        return f"{value:.1%}" if self._percent else number(value)

    def _lines(self, width: int, height: int) -> list[str]:
        if self._drawn[0] != (width, height):
            self._drawn = ((width, height), braille(self.points, self.range, width, height))
        return self._drawn[1]


def braille(points: Sequence[tuple[float, float]], bounds: tuple[float, float], width: int, height: int) -> list[str]:
    """The line through the points, in the order of x, in a field of width x height characters of 2 x 4 dots each."""
    columns, rows = 2 * width, 4 * height
    masks = [[0] * width for _ in range(height)]
    if not points:
        return [" " * width] * height
    first, last = points[0][0], points[-1][0]
    low, high = bounds
    spots: list[tuple[int, int]] = []
    for x, y in points:
        column = round((x - first) / ((last - first) or 1.0) * (columns - 1))
        row = round((1 - (min(max(y, low), high) - low) / (high - low)) * (rows - 1))
        spots.append((column, row))
    previous = spots[0]
    for spot in spots:
        for column, row in _segment(previous, spot):
            masks[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
        previous = spot
    return ["".join(chr(0x2800 + mask) if mask else " " for mask in line) for line in masks]


def _segment(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots of a straight line."""
    (x0, y0), (x1, y1) = start, end
    steps = max(abs(x1 - x0), abs(y1 - y0), 1)
    return [(round(x0 + (x1 - x0) * i / steps), round(y0 + (y1 - y0) * i / steps)) for i in range(steps + 1)]


def number(value: float) -> str:
    """A number in at most seven characters."""
    if value == 0:
        return "0"
    size = abs(value)
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            scaled = value / (limit if unit != "k" else 1e3)
            return f"{scaled:.3g}{unit}"
    if size >= 1e3:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 1e-3 else f"{value:.1e}"
