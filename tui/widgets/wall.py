"""Any number of bottles in one widget: the board wall.

One Line-API widget repaints many boards far faster than a widget per board. A small board is eight columns wide and
eight lines high, two cells to a character; boards are drawn twice as large when all of them fit like that.

Every line of the terminal is refreshed once, from its first changed cell to its last, whatever lies between: Textual
writes a line anew from the widget's edge for every region that is refreshed in it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from mlx_drmario.spec import COLS, ROWS
from mlx_drmario.tui.palette import CLASS_OF, CLASSES, Palette, joined, palette
from mlx_drmario.tui.position import CLEARED, PLAYING
from mlx_drmario.tui.protocol import Boards
from mlx_drmario.tui.widgets.painted import Painted


@dataclass(frozen=True)
class Format:
    """How large a board is drawn."""

    width: int
    """columns of the bottle"""
    height: int
    """lines of the bottle; one more says how the game stands"""
    gap: int
    """columns between two boards"""

    def columns(self, width: int) -> int:
        """Boards side by side."""
        return max(1, (width + self.gap) // (self.width + self.gap))

    def column(self, cell: int) -> int:
        """Where a cell begins, counted through all boards of a row."""
        board, cell = divmod(cell, COLS)
        return board * (self.width + self.gap) + cell * (self.width // COLS)

    def rows(self, height: int) -> int:
        """Boards one above the other."""
        return max(1, height // (self.height + 1))


LARGE = Format(width=2 * COLS, height=ROWS, gap=2)
SMALL = Format(width=COLS, height=ROWS // 2, gap=2)
DENSE = Format(width=COLS, height=ROWS // 2, gap=1)
_MOST_ROWS = 4_096
"""lines of boards that are remembered"""


class Wall(Painted):
    """Shows `Boards`, as many to a row as fit, and repaints only the cells that changed.

    When not all boards fit, those of the page with the selected one are shown.
    """

    DEFAULT_CSS = "Wall { width: 1fr; height: 1fr; }"

    class Picked(Message):
        """A board was clicked."""

        def __init__(self, game: int) -> None:
            super().__init__()
            self.game = game

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.boards: Boards | None = None
        self.selected = 0
        self.format, self.columns, self.rows, self._width = LARGE, 1, 1, 0
        self._codes = np.zeros((0, ROWS, COLS), np.uint8)
        self._rows: dict[bytes, list[Segment]] = {}  # codes of one line of a board -> what is painted
        self._strips: dict[int, Strip] = {}  # line of the terminal -> what is painted

    # --- what is shown ---

    def show(self, boards: Boards) -> None:
        """Show these boards from now on."""
        before, self.boards = self.boards, boards
        if before is None or before.count != boards.count:
            self.repaint()
            return
        self._codes = _codes_of(boards, self.format)
        changed = (before.cells != boards.cells).reshape(boards.count, self.format.height, -1, COLS).any(axis=2)
        captions = (before.viruses != boards.viruses) | (before.outcome != boards.outcome)
        self._refresh_cells(changed, captions | (before.level != boards.level))

    def select(self, game: int) -> None:
        """Mark this board."""
        before, self.selected = self.selected, game
        if self._page(before) != self._page(game):
            self._strips.clear()
            self.refresh()
        elif self.boards is not None:
            captions = np.isin(np.arange(self.boards.count), (before, game))
            self._refresh_cells(np.zeros(self._codes.shape, np.bool_), captions)

    def _arrange(self) -> None:
        """Choose the size of the boards; asking a widget for its own size is too slow to be done for every line."""
        self._width, height = self.size
        count = self.boards.count if self.boards else 1
        forms = (LARGE, SMALL, DENSE)
        fitting = (form for form in forms if form.columns(self._width) * form.rows(height) >= count)
        self.format = next(fitting, DENSE)
        self.columns, self.rows = self.format.columns(self._width), self.format.rows(height)

    @property
    def per_page(self) -> int:
        """Boards that fit."""
        return self.columns * self.rows

    @property
    def pages(self) -> int:
        return -(-self.boards.count // self.per_page) if self.boards else 1

    @property
    def page(self) -> int:
        """Number of the page that is shown, from 0."""
        return self._page(self.selected)

    def _page(self, game: int) -> int:
        return game // self.per_page

    def on_click(self, event: events.Click) -> None:
        form, columns = self.format, self.columns
        column, row = event.x // (form.width + form.gap), event.y // (form.height + 1)
        game = self.page * self.per_page + row * columns + column
        if column < columns and row < self.rows and self.boards is not None and game < self.boards.count:
            self.post_message(self.Picked(game))

    # --- painting ---

    def repaint(self) -> None:
        """Everything anew."""
        self._arrange()
        if self.boards is not None:
            self._codes = _codes_of(self.boards, self.format)
        self._rows.clear()
        self._strips.clear()
        self.refresh()

    def on_resize(self) -> None:
        self.repaint()

    def _refresh_cells(self, changed: NDArray[np.bool_], captions: NDArray[np.bool_]) -> None:
        """Repaint what changed: bool[N, lines of a board, 8] and bool[N]."""
        form, columns = self.format, self.columns
        page = slice(self.page * self.per_page, (self.page + 1) * self.per_page)
        shown = len(captions[page])
        boards = np.zeros((self.per_page, form.height + 1, COLS), np.bool_)
        boards[:shown, 0], boards[:shown, 1:] = captions[page, None], changed[page]
        grid: NDArray[np.bool_] = (
            boards.reshape(self.rows, columns, form.height + 1, COLS).swapaxes(1, 2).reshape(-1, columns * COLS)
        )
        lines = np.flatnonzero(grid.any(axis=1))
        firsts, lasts = grid[lines].argmax(axis=1), columns * COLS - 1 - grid[lines, ::-1].argmax(axis=1)
        regions = []
        for y, first, last in zip(lines.tolist(), firsts.tolist(), lasts.tolist(), strict=True):
            self._strips.pop(y, None)
            start = form.column(first)
            regions.append(Region(start, y, form.column(last) + form.width // COLS - start, 1))
        if regions:
            self.refresh(*regions)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As much as there is: the wall shows pages instead of scrolling."""
        return container.height

    def render_lines(self, crop: Region) -> list[Strip]:
        """Lines that are known, without Textual's border, padding, tint and text selection, of which a wall has none,
        and without its search for the terminal's own colours, which it does not use."""
        if self.app.no_color:
            return super().render_lines(crop)
        lines = [self.render_line(y) for y in crop.line_range]
        return lines if crop.width == self._width else [line.crop(crop.x, crop.right) for line in lines]

    def render_line(self, y: int) -> Strip:
        """One terminal line through all boards that it meets."""
        known = self._strips.get(y)
        if known is None:
            known = self._strips[y] = self._strip(y)
        return known

    def _strip(self, y: int) -> Strip:
        colors, form = palette(self.app.theme_variables), self.format
        ground = colors.style("foreground")
        segments: list[Segment] = []
        used = 0
        row, line = divmod(y, form.height + 1)
        if self.boards is not None and row < self.rows:
            first = self.page * self.per_page + row * self.columns
            gap = Segment(" " * form.gap, ground)
            for game in range(first, min(first + self.columns, self.boards.count)):
                segments += [self._caption(game, form, colors)] if line == 0 else self._row(game, line - 1, colors)
                segments.append(gap)
                used += form.width + form.gap
        return Strip(segments, used).adjust_cell_length(self._width, ground)

    def _row(self, game: int, line: int, colors: Palette) -> list[Segment]:
        """One line of a board; most are like one that was painted before."""
        codes = self._codes[game, line].tobytes()
        known = self._rows.get(codes)
        if known is None:
            if len(self._rows) >= _MOST_ROWS:
                self._rows.clear()
            glyphs = colors.cells if self.format is LARGE else colors.pairs
            known = self._rows[codes] = joined([glyphs[code] for code in codes])
        return known

    def _caption(self, game: int, form: Format, colors: Palette) -> Segment:
        """Number of the game and viruses left, or how it ended."""
        assert self.boards is not None
        outcome = int(self.boards.outcome[game])
        name = f"{'▸' if game == self.selected else ' '}{game + 1}"
        if outcome != PLAYING:
            name, rest = name.strip(" "), "clear" if outcome == CLEARED else "lost"
        else:
            rest = f"{int(self.boards.viruses[game])}"
        if form is LARGE:
            name = f"{name}  level {int(self.boards.level[game])}"
        text = name + rest.rjust(form.width - len(name))
        return Segment(text[: form.width], self._caption_style(game, outcome, colors))

    def _caption_style(self, game: int, outcome: int, colors: Palette) -> Style:
        if game == self.selected:
            return colors.style("background", "accent", bold=True)
        if outcome != PLAYING:
            return colors.style("success" if outcome == CLEARED else "error")
        return colors.style("bottle-rim")


def _codes_of(boards: Boards, form: Format) -> NDArray[np.uint8]:
    """u8[N, lines of a board, 8]: what is to be painted where, an index of `Palette.cells` or `Palette.pairs`."""
    cells = boards.cells.reshape(boards.count, ROWS, COLS)
    if form is LARGE:
        return cells
    classes = CLASS_OF[cells]
    return classes[:, 0::2] * np.uint8(CLASSES) + classes[:, 1::2]
