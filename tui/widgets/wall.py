"""Any number of bottles in one widget: the board wall.

One Line-API widget repaints many boards far faster than a widget per board. A small board is eight columns wide and
eight lines high, two cells to a character; boards are drawn twice as large when all of them fit like that.
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
from mlx_drmario.tui.palette import CLASS_OF, Palette, joined, palette
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

    def rows(self, height: int) -> int:
        """Boards one above the other."""
        return max(1, height // (self.height + 1))


LARGE = Format(width=2 * COLS, height=ROWS, gap=2)
SMALL = Format(width=COLS, height=ROWS // 2, gap=2)
DENSE = Format(width=COLS, height=ROWS // 2, gap=1)


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
        self._lines: dict[tuple[int, int], list[Segment]] = {}  # (game, line) -> what is painted there

    # --- what is shown ---

    def show(self, boards: Boards) -> None:
        """Show these boards from now on."""
        before, self.boards = self.boards, boards
        if before is None or before.count != boards.count:
            self.repaint()
            return
        changed = before.cells != boards.cells
        captions = (before.viruses != boards.viruses) | (before.outcome != boards.outcome)
        captions |= before.level != boards.level
        for game in np.flatnonzero(changed.any(axis=1) | captions).tolist():
            self._refresh_board(game, changed[game], bool(captions[game]))

    def select(self, game: int) -> None:
        """Mark this board."""
        before, self.selected = self.selected, game
        if self._page(before) != self._page(game):
            self.refresh()
            return
        for board in {before, game}:
            self._refresh_board(board, np.zeros(ROWS * COLS, np.bool_), True)

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

    def _place(self, game: int) -> tuple[int, int] | None:
        """(column, line) of the caption of a board, None when it is on another page."""
        index = game - self.page * self.per_page
        if not 0 <= index < self.per_page:
            return None
        form = self.format
        row, column = divmod(index, self.columns)
        return column * (form.width + form.gap), row * (form.height + 1)

    def on_click(self, event: events.Click) -> None:
        form, columns = self.format, self.columns
        column, row = event.x // (form.width + form.gap), event.y // (form.height + 1)
        game = self.page * self.per_page + row * columns + column
        if column < columns and self.boards is not None and game < self.boards.count:
            self.post_message(self.Picked(game))

    # --- painting ---

    def repaint(self) -> None:
        self._arrange()
        self._lines.clear()
        self.refresh()

    def on_resize(self) -> None:
        self.repaint()

    def _refresh_board(self, game: int, changed: NDArray[np.bool_], caption: bool) -> None:
        """Repaint the cells of one board that changed, bool[128], and its caption."""
        place = self._place(game)
        form = self.format
        by_line: NDArray[np.bool_] = changed.reshape(form.height, -1, COLS).max(axis=1)
        lines = np.flatnonzero(by_line.any(axis=1))
        for line in lines.tolist():
            self._lines.pop((game, line + 1), None)
        if caption:
            self._lines.pop((game, 0), None)
        if place is None:
            return
        x, y = place
        scale = form.width // COLS
        regions = []
        for line in lines.tolist():
            columns = np.flatnonzero(by_line[line])
            first, last = int(columns[0]), int(columns[-1])
            regions.append(Region(x + first * scale, y + 1 + line, (last - first + 1) * scale, 1))
        if caption:
            regions.append(Region(x, y, form.width + form.gap, 1))
        self.refresh(*regions)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As much as there is: the wall shows pages instead of scrolling."""
        return container.height

    def render_line(self, y: int) -> Strip:
        """One terminal line through all boards that it meets."""
        colors = palette(self.app.theme_variables)
        ground = colors.style("foreground")
        segments: list[Segment] = []
        form = self.format
        row, line = divmod(y, form.height + 1)
        if self.boards is not None and row < self.rows:
            first = self.page * self.per_page + row * self.columns
            gap = Segment(" " * form.gap, ground)
            for game in range(first, min(first + self.columns, self.boards.count)):
                segments += [*self._board_line(game, line, form, colors), gap]
        return Strip(segments).adjust_cell_length(self._width, ground)

    def _board_line(self, game: int, line: int, form: Format, colors: Palette) -> list[Segment]:
        known = self._lines.get((game, line))
        if known is None:
            assert self.boards is not None
            if line == 0:
                known = [self._caption(game, form, colors)]
            elif form is not LARGE:
                known = _small_line(self.boards.cells[game], line - 1, colors)
            else:
                known = _large_line(self.boards.cells[game], line - 1, colors)
            self._lines[game, line] = known
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


def _small_line(cells: NDArray[np.uint8], line: int, colors: Palette) -> list[Segment]:
    """Two rows of cells as one line of half blocks; neighbours of one style share an escape code."""
    upper = CLASS_OF[cells[2 * COLS * line : 2 * COLS * line + COLS]].tolist()
    lower = CLASS_OF[cells[2 * COLS * line + COLS : 2 * COLS * (line + 1)]].tolist()
    return joined([colors.pairs[a][b] for a, b in zip(upper, lower, strict=True)])


def _large_line(cells: NDArray[np.uint8], line: int, colors: Palette) -> list[Segment]:
    """One row of cells, two characters each."""
    return joined([colors.cells[byte] for byte in cells[COLS * line : COLS * (line + 1)].tolist()])
