"""What the app holds does not grow with the time it has run. Counted in objects; the megabytes are in docs/LOG.md."""

import gc
import weakref
from collections import deque
from itertools import cycle

import numpy as np
from textual import _styles_cache

import mlx_drmario as dm
from mlx_drmario.baselines import Greedy
from mlx_drmario.rl.config import REWARD
from mlx_drmario.tui.choices import Adviser
from mlx_drmario.tui.link import MAX_WAITING, Link
from mlx_drmario.tui.messages import Reported
from mlx_drmario.tui.part import Part
from mlx_drmario.tui.protocol import FASTEST, Note, Picture, Rates, Tally
from mlx_drmario.tui.screens.help import HelpScreen
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.screens.travel import TravelScreen
from mlx_drmario.tui.session import Session
from mlx_drmario.tui.table import Table

from .app import endless, in_app, until, watch_job, watch_screen


def test_closed_screens_are_forgotten():
    """Time travel and help are opened often; each is a screen full of widgets."""

    async def check(pilot, screen):
        await until(pilot, lambda: screen.picture is not None and screen.picture.choice is not None)
        opened = []
        for key, kind in (("s", TravelScreen), ("question_mark", HelpScreen)):
            await pilot.press(key)
            await until(pilot, lambda kind=kind: isinstance(pilot.app.screen, kind), kind.__name__)
            opened += [weakref.ref(node) for node in pilot.app.screen.walk_children(with_self=True)]
            opened += [weakref.ref(node._styles_cache) for node in pilot.app.screen.walk_children(with_self=True)]
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is screen)

        def gone():
            gc.collect()
            return not [ref for ref in opened if ref() is not None]

        await until(pilot, gone, "the end of what the closed screens held")

    in_app(watch_screen(games=2), check, (120, 40))


def test_textual_still_has_the_cache_that_is_cleared():
    """If not, `forget_painted` of tui/app.py has nothing left to do."""
    assert callable(_styles_cache.StylesCache.get_inner_outer.cache_clear)


REPORTS = 5_000
"""more than twice as many as a screen keeps of anything: 2000 points of a curve"""


def longest(root):
    """The longest container that can be reached from one of our objects through attributes and containers."""
    seen, waiting, most = set(), [root], []
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, dict):
            waiting += [*thing.keys(), *thing.values()]
        elif isinstance(thing, list | tuple | set | frozenset | deque):
            waiting += thing
        else:
            if type(thing).__module__.startswith("mlx_drmario") and hasattr(thing, "__dict__"):
                waiting.append(vars(thing))
            continue
        most = max(most, thing, key=len)
    return most


class Silent(Session):
    """No worker: the test reports."""

    def start(self, hand_on):
        pass

    def send(self, command):
        pass


def pictures(games):
    """A few pictures of games that go on."""
    table = Table(Adviser(Greedy(), "bitplane", REWARD), REWARD, 5, 2, endless(), games)
    for _ in range(8):
        for _ in range(50):
            table.step()
        earned = dict(table.records[0].earned)
        yield Picture(table.boards(), 0, table.position(0), table.choice(0), earned, False, FASTEST)


def test_a_screen_that_has_run_for_long_holds_no_more_than_a_new_one():
    async def check(pilot, screen):
        shown = cycle(pictures(4))
        for n in range(REPORTS):
            for report in (Note(f"note {n}"), Tally(n + 1, n // 2), Rates(4, 60.0 + n, 1.0 + n, 3.0)):
                screen.on_reported(Reported(report))
            if n % 10 == 0:
                screen.on_reported(Reported(next(shown)))
            if n % 1_000 == 0:
                await pilot.press("tab", "g")
        assert len(longest(screen)) < REPORTS / 2, longest(screen)[-1]

    in_app(LiveScreen(Silent(watch_job(games=4)), "greedy"), check)


def test_a_worker_keeps_no_more_than_it_can_send():
    link = Link()
    for n in range(2 * MAX_WAITING):
        link.report(Note(f"note {n}"))
    assert len(longest(link)) == MAX_WAITING
    part, games = Part(), dm.Decisions(num_envs=2)
    games.reset(0, 2, 0x8988)
    part.begin(games)
    for _ in range(1_000):
        part.remember(np.zeros(2, np.int32), None, None)
    assert len(longest(part)) < 500
