"""What the screens look like, from games that are the same every time, in a small and a large terminal."""

import dataclasses
from itertools import cycle

import numpy as np
import pytest

from mlx_drmario.baselines import Greedy
from mlx_drmario.rl.config import REWARD
from mlx_drmario.tui.choices import Adviser
from mlx_drmario.tui.messages import Reported
from mlx_drmario.tui.protocol import FASTEST, Choice, Note, Picture, Progress, Rates, Ready, Tally, TrainJob
from mlx_drmario.tui.screens.help import HelpScreen
from mlx_drmario.tui.screens.home import Entry, HomeScreen, demo_position
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.screens.play import DuelScreen
from mlx_drmario.tui.screens.travel import TravelScreen
from mlx_drmario.tui.session import Session
from mlx_drmario.tui.table import Table

from .app import endless, in_app, until, watch_job
from .snapshot import check
from .test_training import TINY

SIZES = {"80x24": (80, 24), "160x50": (160, 50)}
sizes = pytest.mark.parametrize("size", SIZES)


class Still(Session):
    """A session without a process: the test says what is reported."""

    def start(self, hand_on):
        pass


def table(games, steps=700):
    seats = Table(Adviser(Greedy(), "bitplane", REWARD), REWARD, 5, 2, cycle([0x8988, 4321, 77, 2, 501]), games)
    for _ in range(steps):
        seats.step()
    return seats


def picture(games, focus=2, steps=700, likely=False):
    seats = table(games, steps)
    choice = seats.choice(focus)
    if likely:  # as a trained policy would say it
        chances = [0.62, 0.2, 0.09, 0.04, 0.02, 0.01, 0.005, 0.001]
        candidates = [
            dataclasses.replace(candidate, probability=chance)
            for candidate, chance in zip(choice.candidates, chances, strict=True)
        ]
        quantiles = tuple(np.sort(np.random.default_rng(0).normal(3, 1, 64)).tolist())
        choice = Choice(choice.action, tuple(candidates), choice.legal, 1.18, 2.9, quantiles, choice.reward)
    earned = dict(seats.records[focus].earned)
    return Picture(seats.boards(), focus, seats.position(focus), choice, earned, False, 1.0)


def reports(*reports):
    return [Reported(report) for report in reports]


def watching(size, name, shown, view="grid", keys=(), extra=()):
    screen = LiveScreen(Still(watch_job(games=shown.boards.count)), "greedy", view=view)
    screen.events._clock = lambda: "12:00:00"

    async def look(pilot, screen):
        for message in reports(Ready("greedy", shown.boards.count), Tally(40, 12), *extra, shown):
            screen.post_message(message)
        await until(pilot, lambda: screen.picture is not None)
        await pilot.press(*keys)
        await pilot.pause()
        check(pilot.app, f"{name}-{size}")

    in_app(screen, look, SIZES[size])


RATES = Rates(games=16, frames=61_234, decisions=812.5, speedup=9.6, environment=0.1, policy=0.55, update=0.35)


@sizes
def test_wall(size):
    watching(size, "wall", picture(16), extra=[RATES])


def test_wall_of_64():
    watching("160x50", "wall64", picture(64, focus=40), extra=[RATES])


@sizes
def test_focus(size):
    watching(size, "focus", picture(4, likely=True), view="focus", extra=[RATES])


def metrics(step):
    falling = 1 / (1 + step / 10)
    return {
        "episode/return": 8 - 9 * falling,
        "episode/clear_rate": 1 - falling,
        "loss/policy": -0.01 * falling,
        "loss/value": 0.4 * falling,
        "loss/entropy": 3.5 * falling,
        "stats/approx_kl": 0.004 + 0.001 * np.sin(step),
        "stats/grad_norm": 0.3 + 0.05 * np.cos(step),
        "perf/dps_decisions_total": 2900 + 100 * np.sin(step / 3),
        "curriculum/lower_bound": 0.61,
        "curriculum/games": 420.0,
    }


@sizes
def test_training_summary(size, tmp_path):
    screen = LiveScreen(Still(TrainJob(TINY, tmp_path)), "level0", view="summary")
    screen.events._clock = lambda: "12:00:00"

    async def look(pilot, screen):
        progress = [
            Progress(4096 * step, 330_000 * step, 37 * step, 1.5 * step, step / 200, "level 0 HI", metrics(step))
            for step in range(1, 61)
        ]
        notes = [
            Note("saved step_000000081920", "good"),
            Note("best.games is 0, so this run is not evaluated", "warning"),
        ]
        shown = dataclasses.replace(picture(16), pace=FASTEST)
        for message in reports(Ready("level0", 16), *progress, RATES, *notes, shown):
            screen.post_message(message)
        await until(pilot, lambda: screen.picture is not None)
        await pilot.pause()
        check(pilot.app, f"training-{size}")

    in_app(screen, look, SIZES[size])


@sizes
def test_help(size):
    async def look(pilot, screen):
        screen.post_message(Reported(picture(16)))
        await until(pilot, lambda: screen.picture is not None)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen) and pilot.app.screen.is_current)
        await pilot.pause()
        check(pilot.app, f"help-{size}")

    in_app(LiveScreen(Still(watch_job(games=16)), "greedy"), look, SIZES[size])


@sizes
def test_time_travel(size):
    seats = table(1, 1500)

    async def look(pilot, screen):
        await pilot.press("left", "left", "left", "left", "down", "down", "b", "right")
        await pilot.pause()
        check(pilot.app, f"travel-{size}")

    in_app(TravelScreen(seats.line(0), lambda playout: None), look, SIZES[size])


@sizes
def test_duel(size):
    async def look(pilot, screen):
        screen.action_restart(True)
        screen.paused = True
        screen.advance(500)
        await pilot.pause()
        check(pilot.app, f"duel-{size}")

    in_app(DuelScreen(10, 1, endless(0x8988)), look, SIZES[size])


@sizes
def test_home(size):
    entries = [Entry("train", "level0", "a new run", lambda: None), Entry("play", "alone", "level 0", lambda: None)]

    async def look(pilot, screen):
        await pilot.pause()
        check(pilot.app, f"home-{size}")

    in_app(HomeScreen(lambda: entries, demo_position()), look, SIZES[size])


@pytest.mark.parametrize("theme", ["bottle-light", "bottle-dark-safe", "bottle-light-safe", "nord"])
def test_themes(theme):
    screen = LiveScreen(Still(watch_job(games=16)), "greedy")
    screen.events._clock = lambda: "12:00:00"

    async def look(pilot, screen):
        screen.post_message(Reported(picture(16)))
        await until(pilot, lambda: screen.picture is not None)
        await pilot.pause()
        check(pilot.app, f"theme-{theme}")

    in_app(screen, look, theme=theme)
