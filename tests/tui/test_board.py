import asyncio

from textual.app import App

from mlx_drmario import render
from mlx_drmario.render import Scene
from mlx_drmario.spec import LEFT_HALF, RIGHT_HALF, VIRUS
from mlx_drmario.tui.board import BOARD_HEIGHT, BOARD_WIDTH, GAP, BoardWall


class WallApp(App):
    def compose(self):
        yield BoardWall()


def lines_of(wall):
    return ["".join(segment.text for segment in wall.render_line(y)) for y in range(wall.size.height)]


def in_app(check, size=(80, 50)):
    async def run():
        app = WallApp()
        async with app.run_test(size=size) as pilot:
            wall = app.query_one(BoardWall)
            await pilot.pause()
            await check(pilot, wall)

    asyncio.run(run())


def scene(virus=127, **fields):
    bottle = render.empty_bottle()
    bottle[virus] = VIRUS + 1
    bottle[3], bottle[4] = LEFT_HALF, RIGHT_HALF + 2
    return Scene(bottle, **fields)


def test_a_board_is_drawn_line_by_line():
    async def check(pilot, wall):
        wall.show([scene(preview=(1, 2), title="level 0 HI", viruses=1, frames=20, capsules=3)])
        await pilot.pause()
        lines = [line[:BOARD_WIDTH] for line in lines_of(wall)]
        assert lines[0].rstrip() == "level 0 HI"
        assert lines[1].rstrip() == "next ▐██▌"
        assert lines[2] == "┌" + "─" * 16 + "┐"
        assert lines[3] == "│ · · ·▐██▌ · · ·│"
        assert lines[18] == "│ · · · · · · ·••│"
        assert lines[19] == "└" + "─" * 16 + "┘"
        assert lines[20].rstrip() == "V1 F20 C3"
        assert not lines[21].strip()

    in_app(check)


def test_boards_wrap_at_the_width_of_the_terminal():
    async def check(pilot, wall):
        wall.show([scene(virus=120 + n, title=f"game {n}") for n in range(5)])
        await pilot.pause()
        assert wall.columns == 4
        lines = lines_of(wall)
        step = BOARD_WIDTH + GAP
        assert [lines[0][n * step : n * step + 6] for n in range(4)] == ["game 0", "game 1", "game 2", "game 3"]
        assert lines[BOARD_HEIGHT + 1].rstrip() == "game 4"
        assert all(len(line) == wall.size.width for line in lines)

    in_app(check)


def test_only_changed_lines_are_repainted():
    async def check(pilot, wall):
        wall.show([scene(), scene()])
        await pilot.pause()
        painted = []
        wall.refresh = lambda *regions, **options: painted.extend(region.y for region in regions)
        wall.show([scene(), scene()])
        assert painted == []
        wall.show([scene(), scene(virus=119)])
        assert sorted(painted) == [17, 18]
        painted.clear()
        wall.show([scene(frames=1, title="x"), scene(virus=119)])
        assert sorted(painted) == [0, 20]
        painted.clear()
        wall.show([scene(frames=1, title="x", preview=(0, 0)), scene(virus=119)])
        assert painted == [1]

    in_app(check)
