"""Any number of bottles in one widget. One Line-API widget repaints many boards far faster than a widget per board."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from mlx_drmario.render import BACKGROUND, GLASS, INK, Scene, cell_style
from mlx_drmario.spec import COLS, LEFT_HALF, RIGHT_HALF, ROWS

INNER = 2 * COLS
BOARD_WIDTH = INNER + 2
BOARD_HEIGHT = ROWS + 5  # title, next capsule, rim, 16 rows, rim, counters
GAP = 2


class BoardWall(Widget):
    """Scenes side by side, as many to a row as fit, repainting only the lines that changed."""

    DEFAULT_CSS = "BoardWall { width: 1fr; height: 1fr; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.scenes: tuple[Scene, ...] = ()

    def show(self, scenes: Sequence[Scene]) -> None:
        """Show these scenes from now on."""
        before, self.scenes = self.scenes, tuple(scenes)
        if len(before) != len(self.scenes):
            self.refresh(layout=True)  # the height follows the number of boards
            return
        changed = set()
        for index, (old, new) in enumerate(zip(before, self.scenes, strict=True)):
            top = index // self.columns * (BOARD_HEIGHT + 1)
            changed |= {top + line for line in _changed_lines(old, new)}
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    @property
    def columns(self) -> int:
        """Boards in one row."""
        return max(1, (self.size.width + GAP) // (BOARD_WIDTH + GAP))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Lines that all boards need."""
        return -(-len(self.scenes) // self.columns) * (BOARD_HEIGHT + 1)

    def render_line(self, y: int) -> Strip:
        """One terminal line through all boards that it meets."""
        row, line = divmod(y, BOARD_HEIGHT + 1)
        segments: list[Segment] = []
        for scene in self.scenes[row * self.columns : (row + 1) * self.columns]:
            segments += [*_board_line(scene, line), Segment(" " * GAP, _style(INK, BACKGROUND))]
        return Strip(segments).adjust_cell_length(self.size.width, _style(INK, BACKGROUND))


def _board_line(scene: Scene, line: int) -> list[Segment]:
    """Line 0 .. BOARD_HEIGHT of one board, BOARD_WIDTH cells wide."""
    if line == 0:
        return [_words(scene.title)]
    if line == 1:
        cells = [] if scene.preview is None else [LEFT_HALF + scene.preview[0], RIGHT_HALF + scene.preview[1]]
        rest = BOARD_WIDTH - len("next ") - 2 * len(cells)
        return [_words("next ", 5), *_cells(cells), _words("", rest)]
    if line in (2, ROWS + 3):
        left, right = "┌┐" if line == 2 else "└┘"
        return [Segment(left + "─" * INNER + right, _style(GLASS, BACKGROUND))]
    if line == ROWS + 4:
        counters = (("V", scene.viruses), ("F", scene.frames), ("C", scene.capsules))
        return [_words(" ".join(f"{name}{value}" for name, value in counters if value is not None))]
    if line > ROWS + 4:
        return [_words("")]
    side = Segment("│", _style(GLASS, BACKGROUND))
    start = (line - 3) * COLS
    return [side, *_cells(scene.bottle[start : start + COLS].tolist()), side]


def _cells(row: Sequence[int]) -> list[Segment]:
    """Bottle bytes as segments; neighbours of one style are joined, so that the terminal gets fewer escape codes."""
    segments: list[Segment] = []
    for byte in row:
        glyph, style = _cell(byte)
        if segments and segments[-1].style is style:
            segments[-1] = Segment(segments[-1].text + glyph, style)
        else:
            segments.append(Segment(glyph, style))
    return segments


def _words(text: str, width: int = BOARD_WIDTH) -> Segment:
    return Segment(text[:width].ljust(width), _style(INK, BACKGROUND))


def _changed_lines(old: Scene, new: Scene) -> set[int]:
    rows = np.flatnonzero((old.bottle != new.bottle).reshape(ROWS, COLS).any(axis=1))
    lines = {3 + int(row) for row in rows}
    if old.title != new.title:
        lines.add(0)
    if old.preview != new.preview:
        lines.add(1)
    if (old.viruses, old.frames, old.capsules) != (new.viruses, new.frames, new.capsules):
        lines.add(ROWS + 4)
    return lines


@lru_cache(maxsize=256)
def _cell(byte: int) -> tuple[str, Style]:
    glyph, foreground, background = cell_style(byte)
    return glyph, _style(foreground, background)


@lru_cache(maxsize=64)
def _style(foreground: tuple[int, int, int], background: tuple[int, int, int]) -> Style:
    return Style(color="rgb({},{},{})".format(*foreground), bgcolor="rgb({},{},{})".format(*background))
