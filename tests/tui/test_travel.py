"""Time travel: back through a game, and what had become of it with another placement."""

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.baselines import Greedy
from mlx_drmario.render import drawn
from mlx_drmario.rl.config import REWARD
from mlx_drmario.tui.choices import Adviser
from mlx_drmario.tui.link import Link
from mlx_drmario.tui.player import Player
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.screens.travel import TravelScreen
from mlx_drmario.tui.table import Table

from .app import in_app, until, watch_job, watch_screen


@pytest.fixture(scope="module")
def line():
    seats = Table(Adviser(Greedy(), "bitplane", REWARD), REWARD, 5, 2, cycle([0x8988]), 1)
    while len(seats.records[0].states) < 12:
        seats.step()
    return seats.line(0)


def travel(check, line, asked=None):
    asked = [] if asked is None else asked
    in_app(TravelScreen(line, asked.append), check, (120, 40))


STEPS = (("left", 10), ("left", 9), ("right", 10), ("home", 0), ("left", 0), ("end", 11), ("right", 11))
"""keys, and the decision that each leads to"""


def test_moving_through_the_decisions(line):
    async def check(pilot, screen):
        assert screen.at == 11
        for key, at in [*STEPS, ("g", 0), ("G", 11)]:
            await pilot.press(key)
            assert screen.at == at
            shown = screen.bottles[0].position
            assert np.array_equal(shown.cells, drawn(line.states[at : at + 1])[0]) and shown.frames == line.frames[at]
            assert screen._action() == line.choices[at].action

    travel(check, line)


def test_a_branch_leaves_the_line_where_it_is_told(line):
    asked = []

    async def check(pilot, screen):
        await pilot.press("home", "right", "right", "right", "down", "down")
        action = line.choices[3].candidates[2].action
        assert screen._action() == action != line.choices[3].action
        await pilot.press("b")
        games = dm.Decisions(num_envs=1)
        games.set_state(line.states[3:4])
        games.step(np.array([action], np.int32))
        branch = screen.branch
        assert len(branch.states) == 2 and branch.frames.tolist() == [line.frames[3], line.frames[3] + games.frames[0]]
        assert np.array_equal(branch.states[1]["p1_bottle"], games.state[0]["p1_bottle"])
        assert not np.array_equal(branch.states[1]["p1_bottle"], line.states[4]["p1_bottle"])
        (playout,) = asked
        assert (playout.action, playout.frames) == (action, line.frames[3])
        answer = Player(watch_job(), Link()).playout(playout)
        screen.show_branch(answer)
        await pilot.press("right")
        assert screen.at == 4
        for bottle, shown, index in zip(screen.bottles, (line, answer), (4, 1), strict=True):
            assert np.array_equal(bottle.position.cells, drawn(shown.states[index : index + 1])[0])
        words = str(screen.facts.render())
        assert f", {answer.frames[-1]} frames, {len(answer.states) - 1} decision" in words

    travel(check, line, asked)


def test_decisions_are_counted_from_the_beginning_of_the_game(line):
    """Also on a line that begins later, and on a branch of that."""
    asked = []

    async def check(pilot, screen):
        await pilot.press("home", "right", "right", "right", "b")
        assert screen.bottles[0].position.decisions == screen.bottles[1].position.decisions == 5 + 3
        screen.show_branch(Player(watch_job(), Link()).playout(asked[0]))
        await pilot.press("x", "right")
        assert screen.bottles[0].position.decisions == 5 + 4

    travel(check, replace(line, first=5), asked)


def test_a_branch_is_compared_with_the_line_at_the_same_decision(line):
    async def check(pilot, screen):
        await pilot.press("left", "left", "b")  # at 9; the branch has one decision yet
        for key, shown in (("home", False), ("end", False), ("left", True), ("left", True), ("left", False)):
            await pilot.press(key)
            assert str(screen.facts.render()).count("branch") == 1 + shown, screen.at  # and "branch end"

    travel(check, line)


def test_an_answer_to_an_older_question_is_not_shown(line):
    asked = []

    async def check(pilot, screen):
        await pilot.press("home", "b", "down", "b")
        old = Player(watch_job(), Link()).playout(asked[0])
        screen.show_branch(old)
        assert screen.branch is not old and len(screen.branch.states) == 2

    travel(check, line, asked)


def test_an_answer_for_a_line_that_was_left_is_not_shown(line):
    asked = []

    async def check(pilot, screen):
        await pilot.press("home", "b", "x")
        screen.show_branch(Player(watch_job(), Link()).playout(asked[0]))
        assert screen.branch is None

    travel(check, line, asked)


def test_a_branch_can_become_the_line_and_be_left_again(line):
    async def check(pilot, screen):
        await pilot.press("home", "down", "b")
        branch = screen.branch
        await pilot.press("x")
        assert screen.line.states is branch.states and screen.branch is None and screen.at == 0
        assert "seed 0x8988" in screen.title_bar.words  # it is the same game
        await pilot.press("end", "b")  # nothing was decided there
        assert screen.branch is None

    travel(check, replace(line, seed=0x8988))


def test_s_and_back():
    async def check(pilot, screen):
        await until(pilot, lambda: screen.picture is not None and screen.picture.choice is not None)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, TravelScreen))
        travel = pilot.app.screen
        await pilot.press("home", "down", "enter")
        await until(pilot, lambda: len(travel.branch.states) > 3, "the branch, played on by the policy")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen))

    in_app(watch_screen(pace=16.0), check)
