import asyncio
from itertools import cycle

import numpy as np
import pytest

from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.evaluate import evaluate
from mlx_drmario.tui.board import BOARD_HEIGHT, BoardWall
from mlx_drmario.tui.game import WatchedGame
from mlx_drmario.tui.watch import WatchApp


@pytest.mark.parametrize(("policy", "level", "speed"), [(Greedy(), 0, 2), (RandomLegal(1), 3, 0), (Greedy(), 8, 1)])
def test_a_watched_game_is_the_evaluated_game(policy, level, speed):
    """Replayed frame by frame, a game has the outcome, frames and capsules of the decision loop, capsule by capsule."""
    seed = 0x8988
    result = evaluate(policy, level=level, speed=speed, seeds=[seed])
    game = WatchedGame(policy, "bitplane", level, speed, seed)
    while game.outcome == "playing":
        if game.falling and not game._script:
            assert np.array_equal(game._states[0]["p1_bottle"], game._decisions.state[0]["p1_bottle"])
            assert game.frames == game._decisions.frames[0]
        game.advance()
    assert (game.outcome == "cleared") == result.cleared[0]
    assert game.frames == result.frames[0] and game.capsules == result.decisions[0]


def watch(check, **settings):
    async def run():
        app = WatchApp(
            lambda: (Greedy(), "bitplane"),
            **{"name": "greedy", "level": 0, "speed": 2, "seeds": cycle([0x8988, 4321]), **settings},
        )
        async with app.run_test(size=(80, 30)) as pilot:
            await check(pilot, app)

    asyncio.run(run())


async def until(pilot, condition):
    for _ in range(500):
        if condition():
            return
        await pilot.pause(0.02)
    pytest.fail("nothing happened for 10 seconds")


def test_games_are_shown_and_move():
    async def check(pilot, app):
        wall = app.query_one(BoardWall)
        await until(pilot, lambda: len(wall.scenes) == 2 and wall.scenes[0].frames > 50)
        assert wall.scenes[0].title == "level 0 HI" and wall.scenes[0].viruses <= 4
        # The boards come after the first layout, when the policy is loaded: the wall must grow for them.
        await until(pilot, lambda: wall.size.height >= BOARD_HEIGHT)
        before = wall.scenes[0].frames
        await until(pilot, lambda: wall.scenes[0].frames > before)

    watch(check, games=2, pace=4)


def test_keys_change_the_pace_pause_and_quit():
    async def check(pilot, app):
        await pilot.press("right", "right")
        assert app.pace == 4
        await pilot.press("left", "left", "left")
        assert app.pace == 1
        await pilot.press("space")
        await pilot.pause(0.1)
        wall = app.query_one(BoardWall)
        before = wall.scenes[0].frames
        await pilot.pause(0.2)
        assert wall.scenes[0].frames == before
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running

    watch(check)


def test_the_next_game_follows_and_the_tally_counts():
    async def check(pilot, app):
        await until(pilot, lambda: app.finished >= 2)
        expected = evaluate(Greedy(), level=0, speed=2, seeds=[0x8988, 4321])
        await pilot.press("space")
        await pilot.pause(0.1)
        assert app.cleared >= expected.cleared.sum() - 1
        assert f"{app.cleared} of {app.finished} cleared" in str(app.query_one("#message").render())

    watch(check, pace=64)


def test_bad_settings():
    for setting, message in (({"pace": 3}, "pace is 3"), ({"games": 0}, "games is 0")):
        settings = {"name": "greedy", "level": 0, "speed": 2, "seeds": cycle([1]), **setting}
        with pytest.raises(ValueError, match=message):
            WatchApp(lambda: (Greedy(), "bitplane"), **settings)


def test_without_a_terminal_the_commands_say_so(capsys):
    from mlx_drmario.cli import play
    from mlx_drmario.cli import watch as command

    assert command.run(command.WatchConfig()) == 2
    assert play.run(play.PlayConfig()) == 2
    assert capsys.readouterr().err.count("terminal") == 2
    with pytest.raises(ValueError, match="seed is 70000"):
        play.run(play.PlayConfig(seed=70_000))
