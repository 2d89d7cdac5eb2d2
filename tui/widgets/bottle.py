"""One game, large: title, next capsule, bottle, and where the falling capsule is meant to land."""

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip

from mlx_drmario.spec import COLS, LEFT_HALF, RIGHT_HALF, ROWS
from mlx_drmario.tui.palette import CLASS_OF, EMPTY_CLASS, Palette, joined, palette
from mlx_drmario.tui.position import CLEARED, PLAYING, Position, action_cells
from mlx_drmario.tui.widgets.painted import Painted

_HEAD = 3  # lines above the first row: title, next capsule, rim


class Bottle(Painted):
    """Shows a `Position`; twice as large where there is room for it."""

    DEFAULT_CSS = "Bottle { width: auto; height: 1fr; }"

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.position: Position | None = None
        self.label = ""
        self._plan: tuple[int, ...] = ()
        self._cells: list[int] = []

    def show(self, position: Position, action: int | None = None, label: str | None = None) -> None:
        """Show this from now on; `action` is where the capsule is meant to land, `label` stands before the title."""
        first = self.position is None
        plan = () if action is None else tuple(action_cells(action))
        cells = position.cells.tolist()
        changed = [i for i, (a, b) in enumerate(zip(self._cells, cells, strict=False)) if a != b]
        whole = first or plan != self._plan or label not in (None, self.label)
        self.position, self._plan, self._cells = position, plan, cells
        self.label = self.label if label is None else label
        if whole:
            self.refresh(layout=first)
            return
        scale, width = self.scale, self.size.width
        rows = {cell // COLS for cell in changed}
        lines = {_HEAD + row * scale + part for row in rows for part in range(scale)}
        self.refresh(*(Region(0, y, width, 1) for y in (0, 1, _HEAD + ROWS * scale, *lines)))

    @property
    def scale(self) -> int:
        """Lines of one cell, which is twice as many columns wide."""
        return scale_in(self.container_size)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return 2 * COLS * scale_in(container) + 2

    def render_line(self, y: int) -> Strip:
        """One line of the picture."""
        colors = palette(self.app.theme_variables)
        width = 2 * COLS * self.scale + 2
        ground = colors.style("foreground")
        if self.position is None:
            return Strip.blank(self.size.width, ground)
        return Strip(self._line(y, width, colors)).adjust_cell_length(self.size.width, ground)

    def _line(self, y: int, width: int, colors: Palette) -> list[Segment]:
        position = self.position
        assert position is not None
        bottom = _HEAD + ROWS * self.scale
        if y == 0:
            title = f"{self.label}  {position.title}" if self.label else position.title
            if len(title) > width:
                title = title.replace("level ", "L")
            return [Segment(title[:width].ljust(width), colors.style("foreground", bold=True))]
        if y == 1:
            halves = (LEFT_HALF + position.preview[0], RIGHT_HALF + position.preview[1])
            shown = [] if position.outcome != PLAYING else [colors.cells[byte] for byte in halves]
            left = f"{position.viruses} left"
            rest = width - 5 - 2 * len(shown)
            muted = colors.style("foreground")
            return [Segment("next ", muted), *(Segment(*cell) for cell in shown), Segment(left.rjust(rest), muted)]
        if y in (_HEAD - 1, bottom):
            left, right = "╭╮" if y < bottom else "╰╯"
            return [Segment(left + self._words(y, bottom, width - 2) + right, colors.rim)]
        if not _HEAD <= y < bottom:
            return [Segment(" " * width, colors.style("foreground"))]
        row, part = divmod(y - _HEAD, self.scale)
        side = Segment("│", colors.rim)
        return [side, *joined([self._cell(row * COLS + column, part, colors) for column in range(COLS)]), side]

    def _words(self, y: int, bottom: int, width: int) -> str:
        """What the rim says: how the game ended."""
        position = self.position
        assert position is not None
        if y != bottom or position.outcome == PLAYING:
            return "─" * width
        return (" CLEARED " if position.outcome == CLEARED else " TOP OUT ").center(width, "─")

    def _cell(self, cell: int, part: int, colors: Palette) -> tuple[str, Style]:
        byte = self._cells[cell]
        if CLASS_OF[byte] == EMPTY_CLASS and cell in self._plan and self.position is not None:
            color = self.position.capsule[self._plan.index(cell)]
            return "░" * 2 * self.scale, colors.ghosts[color]
        return colors.cells[byte] if self.scale == 1 else colors.large_cells[byte][part]


def scale_in(container: Size) -> int:
    """2 where a bottle of twice the size finds room, else 1."""
    return 2 if container.height >= 2 * ROWS + _HEAD + 2 else 1
