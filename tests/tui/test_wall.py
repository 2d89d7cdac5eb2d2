import asyncio

import numpy as np
import pytest
from textual.geometry import Region
from textual.screen import Screen
from textual.widget import Widget

from mlx_drmario.spec import CELLS, CLEARING, EMPTY, LEFT_HALF, RIGHT_HALF, VIRUS
from mlx_drmario.tui import themes
from mlx_drmario.tui.app import DrMarioApp
from mlx_drmario.tui.palette import CLASS_OF, Palette, palette
from mlx_drmario.tui.position import CLEARED, TOP_OUT
from mlx_drmario.tui.protocol import Boards
from mlx_drmario.tui.widgets.wall import DENSE, LARGE, SMALL, Wall


class WallScreen(Screen):
    def __init__(self):
        super().__init__()
        self.wall = Wall()
        self.picked = []

    def compose(self):
        yield self.wall

    def on_wall_picked(self, message):
        self.picked.append(message.game)


def in_wall(check, size=(80, 27), theme="bottle-dark"):
    async def run():
        app = DrMarioApp(WallScreen(), theme=theme)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await check(pilot, app.screen.wall)

    asyncio.run(run())


def boards(count, **changes):
    cells = np.full((count, CELLS), EMPTY, np.uint8)
    cells[:, 127] = VIRUS + 1
    cells[:, 3], cells[:, 4] = LEFT_HALF, RIGHT_HALF + 2
    zeros = np.zeros(count, np.uint8)
    return Boards(**{"cells": cells, "level": zeros, "viruses": zeros + 7, "outcome": zeros, **changes})


def lines_of(wall):
    return ["".join(segment.text for segment in wall.render_line(y)) for y in range(wall.size.height)]


def colors_at(wall, x, y):
    """(foreground, background) of one character."""
    column = 0
    for segment in wall.render_line(y):
        column += len(segment.text)
        if x < column:
            return (
                segment.text,
                segment.style.color and segment.style.color.triplet.hex,
                segment.style.bgcolor.triplet.hex,
            )
    raise AssertionError


def test_a_large_board_is_drawn_line_by_line():
    async def check(pilot, wall):
        wall.show(boards(2))
        assert wall.format is LARGE
        lines = lines_of(wall)
        assert lines[0][:16] == "▸1  level 0    7" and lines[0][18:34] == " 2  level 0    7"
        assert lines[1][:16] == " · · ·▐██▌ · · ·"
        assert lines[16][:16] == " · · · · · · ·••"
        assert not lines[17].strip()
        assert all(len(line) == wall.size.width for line in lines)

    in_wall(check)


def test_a_small_board_shows_two_cells_in_one_character():
    async def check(pilot, wall):
        wall.show(boards(20))
        assert wall.format is SMALL and wall.format.columns(wall.size.width) == 8
        dark = {name: value.lower() for name, value in themes.DARK.items()}
        assert lines_of(wall)[0].split() == ["▸1", "7", *(w for n in range(2, 9) for w in (str(n), "7"))]
        assert colors_at(wall, 3, 1) == ("▀", dark["capsule-0"], dark["bottle"])
        assert colors_at(wall, 4, 1) == ("▀", dark["capsule-2"], dark["bottle"])
        assert colors_at(wall, 7, 8) == ("▀", dark["bottle"], dark["virus-1"])
        assert colors_at(wall, 0, 1)[::2] == ("   ", dark["bottle"])

    in_wall(check)


def test_boards_that_do_not_fit_are_on_further_pages():
    async def check(pilot, wall):
        wall.show(boards(256))
        assert wall.format is DENSE and (wall.per_page, wall.pages, wall.page) == (27, 10, 0)
        assert "▸1" in lines_of(wall)[0]
        wall.select(255)
        assert wall.page == 9
        assert "▸256" in lines_of(wall)[9]
        assert len([word for line in lines_of(wall) for word in line.split() if word == "7"]) == 256 - 9 * 27

    in_wall(check)


@pytest.mark.parametrize(
    ("size", "count", "form"), [((80, 24), 16, SMALL), ((80, 24), 4, LARGE), ((160, 50), 64, SMALL)]
)
def test_the_grid_adapts_to_the_terminal(size, count, form):
    async def check(pilot, wall):
        wall.show(boards(count))
        assert wall.format is form and wall.pages == 1

    in_wall(check, size)


def test_only_changed_cells_are_repainted():
    async def check(pilot, wall):
        first = boards(20)
        wall.show(first)
        await pilot.pause()
        painted = []
        wall.refresh = lambda *regions, **options: painted.extend(regions)
        wall.show(boards(20))
        assert painted == []
        cells = first.cells.copy()
        cells[9, 10], cells[9, 12], cells[9, 127] = VIRUS, VIRUS, VIRUS  # board 9: second in the second row
        wall.show(boards(20, cells=cells))
        assert [tuple(region) for region in painted] == [(12, 10, 3, 1), (17, 17, 1, 1)]
        assert sum(region.area for region in painted) == 4
        painted.clear()
        cells = cells.copy()
        cells[8, 127] = cells[10, 120] = LEFT_HALF  # two boards in one line: one region from the first to the last cell
        wall.show(boards(20, cells=cells))
        assert [tuple(region) for region in painted] == [(7, 17, 14, 1)]
        painted.clear()
        outcome = np.zeros(20, np.uint8)
        outcome[0] = TOP_OUT
        wall.show(boards(20, cells=cells, outcome=outcome))
        assert [tuple(region) for region in painted] == [(0, 0, 8, 1)]
        assert "lost" in lines_of(wall)[0]

    in_wall(check)


def test_what_is_on_the_screen_is_what_was_shown_last():
    """After partial repaints the screen equals one painted at once."""

    async def check(pilot, wall):
        rng = np.random.default_rng(0)
        values = np.array([0xFF, 0x40, 0x51, 0x62, 0x80, 0xB1, 0xD0, 0xD1, 0xD2], np.uint8)
        last = boards(20)
        for _ in range(30):
            cells = last.cells.copy()
            spots = rng.integers(0, cells.size, 40)
            cells.flat[spots] = rng.choice(values, 40)
            last = boards(20, cells=cells, outcome=rng.integers(0, 3, 20).astype(np.uint8))
            wall.show(last)
            wall.select(int(rng.integers(20)))
            await pilot.pause()
        seen = screen_of(pilot.app)
        wall.repaint()
        await pilot.pause()
        assert screen_of(pilot.app) == seen

    in_wall(check)


@pytest.mark.parametrize("theme", ["bottle-dark", "bottle-light"])
def test_the_short_way_to_its_lines_gives_what_textual_s_would(theme):
    async def check(pilot, wall):
        wall.show(boards(20))
        await pilot.pause()
        for crop in (Region(0, 0, *wall.size), Region(3, 2, 11, 9)):
            short, long = wall.render_lines(crop), Widget.render_lines(wall, crop)
            assert [list(strip.simplify()) for strip in short] == [list(strip.simplify()) for strip in long]

    in_wall(check, theme=theme)


def test_what_it_remembers_is_bounded():
    async def check(pilot, wall):
        rng = np.random.default_rng(0)
        values = np.array([0xFF, 0x40, 0x51, 0x62, 0x80, 0xB1, 0xD0, 0xD1, 0xD2], np.uint8)
        for _ in range(60):
            wall.show(boards(20, cells=rng.choice(values, (20, 128))))
            lines_of(wall)
            assert len(wall._rows) <= 4_096 and len(wall._strips) <= wall.size.height
        assert len(wall._rows) > 100

    in_wall(check)


def test_a_terminal_without_colours():
    async def check(pilot, wall):
        pilot.app.no_color = True
        wall.show(boards(20))
        await pilot.pause()
        assert "".join(segment.text for segment in screen_of(pilot.app)[0]).startswith("▸1     7")

    in_wall(check)


def screen_of(app):
    return [list(strip) for strip in app.screen._compositor.render_strips()]


def test_a_click_picks_a_board():
    async def check(pilot, wall):
        wall.show(boards(20))
        await pilot.click(Wall, offset=(12, 12))
        await pilot.pause()
        assert pilot.app.screen.picked == [9]

    in_wall(check)


@pytest.mark.parametrize("theme", [theme.name for theme in themes.THEMES])
def test_viruses_and_halves_are_distinct_without_colour(theme):
    """Every virus is darker than every half; and their glyphs differ where there is room for glyphs."""

    async def check(pilot, wall):
        colors = palette(pilot.app.theme_variables)

        def luminance(byte):
            style = colors.pairs[10 * CLASS_OF[byte]][1]
            red, green, blue = (channel / 255 for channel in style.color.triplet)
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue

        viruses = [luminance(VIRUS + color) for color in range(3)]
        halves = [luminance(LEFT_HALF + color) for color in range(3)]
        assert max(viruses) + 0.06 < min(halves)
        assert colors.cells[VIRUS][0] != colors.cells[LEFT_HALF][0] != colors.cells[CLEARING][0]

    in_wall(check, theme=theme)


def test_a_click_below_the_last_row_picks_nothing():
    async def check(pilot, wall):
        wall.show(boards(64))
        await pilot.pause()
        below = wall.rows * (wall.format.height + 1)
        assert below < wall.size.height and wall.pages > 1
        await pilot.click(Wall, offset=(1, below))
        await pilot.click(Wall, offset=(1, below - 1))
        assert pilot.app.screen.picked == [(wall.rows - 1) * wall.columns]

    in_wall(check, (60, 30))


def test_captions_say_how_a_game_ended():
    async def check(pilot, wall):
        wall.show(boards(20, outcome=np.array([CLEARED, TOP_OUT] + [0] * 18, np.uint8)))
        assert lines_of(wall)[0].split()[:4] == ["▸1clear", "2", "lost", "3"] or "clear" in lines_of(wall)[0]

    in_wall(check)


@pytest.mark.parametrize("colored", [True, False])
def test_without_colours_letters_tell_them(colored, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not colored:
        monkeypatch.setenv("NO_COLOR", "1")
    shown = Palette(DrMarioApp(WallScreen()).theme_variables)
    for kind in (VIRUS, LEFT_HALF, RIGHT_HALF):
        small = {shown.cells[kind + color][0] for color in range(3)}
        large = {shown.large_cells[kind + color][0][0] for color in range(3)}
        assert (len(small), len(large)) == ((1, 1) if colored else (3, 3))
        assert all(len(glyph) == 2 for glyph in small) and all(len(glyph) == 4 for glyph in large)
