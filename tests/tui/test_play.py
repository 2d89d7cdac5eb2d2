import asyncio
from itertools import cycle

import numpy as np

from mlx_drmario.spec import LEFT
from mlx_drmario.tui.board import BoardWall
from mlx_drmario.tui.game import LiveGame
from mlx_drmario.tui.play import PlayApp


def in_app(check, level=0, seeds=(0x8988, 4321)):
    async def run():
        app = PlayApp(level, 0, cycle(seeds))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            app.action_restart(True)
            app.stopped = True  # the test, not the clock, lets frames pass
            await check(pilot, app)

    asyncio.run(run())


def pill(app):
    state = app.game._states[0]
    return tuple(int(state[f"p1_pill_{name}"]) for name in ("x", "y", "rotation"))


def to_first_capsule(app):
    while not app.game.falling:
        app.advance(1)


def test_keys_move_and_turn_the_capsule():
    async def check(pilot, app):
        to_first_capsule(app)
        assert pill(app) == (3, 15, 0)
        for key, expected in [("left", (2, 15, 0)), ("left", (1, 15, 0)), ("right", (2, 15, 0)), ("x", (2, 15, 3))]:
            await pilot.press(key)
            app.advance(6)
            assert pill(app) == expected
        await pilot.press("z")
        app.advance(2)
        assert pill(app) == (2, 15, 0)
        await pilot.press("down")
        app.advance(6)
        assert pill(app)[:2] == (2, 12)

    in_app(check)


def test_the_board_on_the_screen_is_the_game():
    async def check(pilot, app):
        to_first_capsule(app)
        app.advance(200)
        await pilot.pause()
        shown = app.query_one(BoardWall).scenes[0]
        assert np.array_equal(shown.bottle, app.game.scene().bottle)
        assert shown.frames == app.game.frames == 200 and shown.viruses == 4
        assert "playing" in str(app.query_one("#message").render())

    in_app(check)


def test_the_clock_runs_and_pause_stops_it():
    async def check(pilot, app):
        await pilot.press("space")  # stopped by the fixture: this starts it
        assert not app.stopped
        before = int(app.game._states[0]["frame_counter"])
        while int(app.game._states[0]["frame_counter"]) - before < 3:
            await pilot.pause(0.02)
        await pilot.press("space")
        stopped = int(app.game._states[0]["frame_counter"])
        await pilot.pause(0.1)
        assert int(app.game._states[0]["frame_counter"]) == stopped

    in_app(check)


def test_again_next_and_quit():
    async def check(pilot, app):
        first = app.game
        await pilot.press("r")
        assert app.game is not first and app.game.seed == 0x8988 and not app.stopped
        await pilot.press("n")
        assert app.game.seed == 4321
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running

    in_app(check)


def test_frames_count_from_the_first_controllable_frame():
    game = LiveGame(0, 2, 0x8988)
    while not game.falling:
        game.step(0)
    assert game.frames == 0
    game.step(LEFT)
    assert game.frames == 1 and game.capsules == 0
    while game.falling:
        game.step(0)
    assert game.capsules == 1
    before = game.frames
    for _ in range(10):  # the bottle settles, the clock runs on
        game.step(0)
    assert game.frames == before + 10


def test_a_lost_game_stands_still():
    game = LiveGame(20, 2, 0x8988)
    while game.outcome == "playing":
        game.step(0)
    assert game.outcome == "top out"
    frames = game.frames
    game.step(0)
    assert game.frames == frames
