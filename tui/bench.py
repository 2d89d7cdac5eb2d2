"""What the board wall costs: processor time per picture, up to the escape codes, without a terminal."""

import asyncio
import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

from textual.app import ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.screen import Screen

from mlx_drmario.baselines import Greedy
from mlx_drmario.rl.config import REWARD
from mlx_drmario.seeds import seeds
from mlx_drmario.tui.app import DrMarioApp
from mlx_drmario.tui.choices import Adviser
from mlx_drmario.tui.protocol import Boards
from mlx_drmario.tui.table import Table
from mlx_drmario.tui.widgets.wall import Wall

FRAMES_PER_PICTURE = 4
"""15 pictures for 60 frames of play"""


class _Sink(HeadlessDriver):
    """Takes what a terminal would get, and counts it."""

    characters = 0

    @property
    def is_headless(self) -> bool:
        return False  # so that escape codes are made

    def write(self, data: str) -> None:
        _Sink.characters += len(data)


class _WallScreen(Screen[None]):
    def __init__(self) -> None:
        super().__init__()
        self.wall = Wall()

    def compose(self) -> ComposeResult:
        yield self.wall


class _BenchApp(DrMarioApp):
    """Knows when a picture has been painted."""

    def __init__(self, screen: _WallScreen) -> None:
        super().__init__(screen)
        self.painted = asyncio.Event()

    def get_driver_class(self) -> type[Any]:
        return _Sink

    def post_display_hook(self) -> None:
        self.painted.set()


def repaint(games: int = 64, size: tuple[int, int] = (150, 40), pictures: int = 150) -> tuple[float, float]:
    """(pictures per second of one core, characters per picture) of `games` boards that play at the console's speed."""
    table = Table(Adviser(Greedy(), "bitplane", REWARD), REWARD, 10, 2, cycle(seeds("test", 512).tolist()), games)
    for _ in range(600):  # into the middle of the games
        table.step()
    shown = []
    for _ in range(pictures):
        for _ in range(FRAMES_PER_PICTURE):
            table.step()
        shown.append(table.boards())
    spent: list[float] = []
    asyncio.run(_paint(shown, size, spent.append))
    return pictures / spent[0], spent[1] / pictures


async def _paint(shown: list[Boards], size: tuple[int, int], report: Callable[[float], None]) -> None:
    screen = _WallScreen()
    app = _BenchApp(screen)

    async def work(pilot: Any) -> None:
        await pilot.pause()
        start, before = 0.0, 0
        for index, boards in enumerate(shown):
            if index == 1:  # the first picture is a full one
                start, before = time.process_time(), _Sink.characters
            app.painted.clear()
            screen.wall.show(boards)
            await app.painted.wait()
        report(time.process_time() - start)
        report(_Sink.characters - before)
        app.exit()

    task = asyncio.current_task()
    try:
        await app.run_async(headless=False, size=size, mouse=False, auto_pilot=work)
    finally:
        if task is not None and task.cancelling():  # by Ctrl-C: the app just ends, or its pilot waits in vain
            raise asyncio.CancelledError
