"""What the board wall costs: processor time per picture, up to the escape codes, without a terminal."""

import asyncio
import time
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
FIRST_PICTURES = 5
"""not counted: full ones, while the screen is laid out"""


class _Sink(HeadlessDriver):
    """Takes what a terminal would get, and counts it."""

    characters = 0

    @property
    def is_headless(self) -> bool:
        return False  # so that escape codes are made

    def write(self, data: str) -> None:
        _Sink.characters += len(data)


class _WallScreen(Screen[None]):
    """Shows boards one after the other, and knows what they cost."""

    def __init__(self, shown: list[Boards]) -> None:
        super().__init__()
        self.wall = Wall()
        self.shown = shown
        self.seconds = 0.0
        self.characters = 0

    def compose(self) -> ComposeResult:
        yield self.wall

    def on_mount(self) -> None:
        self.run_worker(self.measure())  # a worker: it ends with the app, whatever it waits for

    async def measure(self) -> None:
        for boards in self.shown[:FIRST_PICTURES]:
            await self.picture(boards)
        start, before = time.process_time(), _Sink.characters
        for boards in self.shown[FIRST_PICTURES:]:
            await self.picture(boards)
        self.seconds = time.process_time() - start
        self.characters = _Sink.characters - before
        self.app.exit()

    async def picture(self, boards: Boards) -> None:
        """Shows `boards`, and waits until what they change is painted: nothing, it may be."""
        painted = asyncio.Event()
        self.wall.show(boards)
        self.call_after_refresh(painted.set)
        await painted.wait()


class _BenchApp(DrMarioApp):
    def get_driver_class(self) -> type[Any]:
        return _Sink


def repaint(games: int = 64, size: tuple[int, int] = (150, 40), pictures: int = 150) -> tuple[float, float]:
    """(pictures per second of one core, characters per picture) of `games` boards that play at the console's speed."""
    table = Table(Adviser(Greedy(), "bitplane", REWARD), REWARD, 10, 2, cycle(seeds("test", 512).tolist()), games)
    for _ in range(600):  # into the middle of the games
        table.step()
    shown = []
    for _ in range(FIRST_PICTURES + pictures):
        for _ in range(FRAMES_PER_PICTURE):
            table.step()
        shown.append(table.boards())
    screen = _WallScreen(shown)
    asyncio.run(_paint(screen, size))
    return pictures / screen.seconds, screen.characters / pictures


async def _paint(screen: _WallScreen, size: tuple[int, int]) -> None:
    task = asyncio.current_task()
    try:
        await _BenchApp(screen).run_async(headless=False, size=size, mouse=False)
    finally:
        if task is not None and task.cancelling():  # by Ctrl-C, which just ends the app
            raise asyncio.CancelledError
