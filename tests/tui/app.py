"""Runs screens for tests: no terminal, no sleeping, only waiting for what must come."""

import asyncio
import time
from itertools import cycle

import pytest

from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.tui.app import DrMarioApp
from mlx_drmario.tui.protocol import WatchJob
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.session import Session

SEEDS = (0x8988, 4321, 77, 2)
PATIENCE = 60
"""seconds after which something that must come counts as missing; nothing waits that long unless it is broken"""


def in_app(screen, check, size=(80, 24), theme="bottle-dark", toasts=False):
    """Runs `check(pilot, screen)` in an app that starts with the screen; toasts: notifications are painted."""

    async def run():
        app = DrMarioApp(screen, theme=theme)
        async with app.run_test(size=size, notifications=toasts) as pilot:
            await until(pilot, lambda: screen.is_mounted)
            await check(pilot, screen)

    try:
        asyncio.run(run())
    finally:
        if isinstance(screen, LiveScreen) and screen.session.process is not None:
            try:
                screen.session.process.wait(PATIENCE)  # a run saves before it ends
            finally:
                screen.session.process.kill()  # or never did, as when the test failed: it would train for hours


async def until(pilot, condition, what="something"):
    """Waits for a condition, letting the app go on."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"{what} did not happen in {PATIENCE} s")
        await pilot.pause(0.01)


def keep_progress(screen):
    """Every report of progress that the screen shows from now on: a state may be over before anybody looks."""
    kept, show = [], screen.show_progress

    def show_and_keep(progress):
        kept.append(progress)
        show(progress)

    screen.show_progress = show_and_keep
    return kept


def toasts_of(app):
    """What the painted notifications say."""
    return [str(toast.render()) for toast in app.screen.query("Toast")]


def words_of(screen):
    """All text of a screen's static widgets."""
    return " ".join(str(static.render()) for static in screen.query("Static"))


def greedy():
    return Greedy(), "bitplane"


def random_legal():
    return RandomLegal(1), "bitplane"


def broken():
    raise RuntimeError("the policy is made of jelly")


def watch_job(**settings):
    return WatchJob(**{"load_policy": greedy, "name": "greedy", "level": 5, "speed": 2, "seeds": SEEDS, **settings})


def watch_screen(view="grid", **settings):
    return LiveScreen(Session(watch_job(**settings)), "greedy", view=view)


def endless(*seeds):
    return cycle(seeds or SEEDS)
