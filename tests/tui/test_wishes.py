"""More games and other levels for a run, faster than it gets there."""

import dataclasses

import numpy as np

from mlx_drmario.baselines import Greedy
from mlx_drmario.rl.config import REWARD
from mlx_drmario.settings import to_json
from mlx_drmario.tui.choices import Adviser
from mlx_drmario.tui.link import Link, roomy_pipe
from mlx_drmario.tui.messages import Reported
from mlx_drmario.tui.protocol import (
    FASTEST,
    Boards,
    Detach,
    Games,
    Level,
    Look,
    Note,
    Pace,
    Pause,
    Picture,
    Ready,
    Restart,
    TrainJob,
)
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.table import Table
from mlx_drmario.tui.trainer import Trainer

from .app import PATIENCE, endless, in_app, until, watch_job
from .test_leaving import Told
from .test_training import TINY, job


def picture(games, level):
    """Of a run that plays this many games, as many as a wall shows."""
    table = Table(Adviser(Greedy(), "bitplane", REWARD), REWARD, level, 2, endless(), 1)
    one = table.boards()
    columns = (getattr(one, field.name) for field in dataclasses.fields(Boards))
    boards = Boards(*(np.repeat(column, min(games, 256), axis=0) for column in columns))
    return Picture(boards, 0, table.position(0), None, {}, False, FASTEST)


def training(check, games, level, tmp_path):
    async def ready(pilot, screen):
        await show(pilot, screen, Ready("tiny", games), picture(games, level))
        await check(pilot, screen)

    in_app(LiveScreen(Told(TrainJob(TINY, tmp_path)), "tiny"), ready)


async def show(pilot, screen, *reports):
    for report in reports:
        screen.post_message(Reported(report))
    await until(pilot, lambda: screen.picture is reports[-1] or not isinstance(reports[-1], Picture))
    await pilot.pause()


def wishes(screen):
    return [command for command in screen.session.sent if isinstance(command, Games | Level)]


def test_games_are_counted_in_the_run_not_on_the_wall(tmp_path):
    async def check(pilot, screen):
        assert "1024 games" in screen.title_bar.words
        await pilot.press("right_square_bracket")
        await show(pilot, screen, picture(1024, 1))  # the run has not got there yet
        await pilot.press("right_square_bracket")
        assert wishes(screen) == [Games(2048), Games(4096)]
        await show(pilot, screen, Ready("tiny", 4096), picture(4096, 1))
        await pilot.press("left_square_bracket")
        assert wishes(screen)[2:] == [Games(2048)]
        await pilot.press("shift+tab")  # to the last one on the wall
        assert screen.session.sent[-1] == Look(255)

    training(check, 1024, 1, tmp_path)


def test_a_level_is_counted_from_the_one_that_was_asked_for(tmp_path):
    async def check(pilot, screen):
        for level in (2, 3):
            await pilot.press("l")
            await show(pilot, screen, picture(8, 1))
            assert wishes(screen)[-1] == Level(level)
        await show(pilot, screen, Ready("tiny", 8), picture(8, 3))
        await pilot.press("L")
        assert wishes(screen) == [Level(2), Level(3), Level(2)]

    training(check, 8, 1, tmp_path)


def test_what_was_refused_is_not_counted_from(tmp_path):
    async def check(pilot, screen):
        await pilot.press("l", "left_square_bracket")
        await show(pilot, screen, Note("the curriculum chooses the level", "warning"))
        await pilot.press("l", "left_square_bracket")
        assert wishes(screen) == [Level(2), Games(4), Level(2), Games(4)]

    training(check, 8, 1, tmp_path)


def test_pictures_under_way_do_not_undo_what_was_asked_for(tmp_path):
    async def check(pilot, screen):
        await pilot.press("tab", "p", "minus")
        await show(pilot, screen, picture(8, 1))
        assert (screen.game, screen.wall.selected, screen.paused, screen.pace) == (1, 1, True, 64.0)
        await pilot.press("tab", "p", "minus")
        steered = [command for command in screen.session.sent if isinstance(command, Look | Pause | Pace)]
        assert steered[-3:] == [Look(2), Pause(False), Pace(16.0)]
        await show(pilot, screen, dataclasses.replace(picture(8, 1), game=2, pace=16.0))  # there it is
        await show(pilot, screen, dataclasses.replace(picture(8, 1), game=5, paused=True))
        assert (screen.game, screen.paused, screen.pace) == (5, True, FASTEST)

    training(check, 8, 1, tmp_path)


def test_a_single_decision_is_a_pause(tmp_path):
    async def check(pilot, screen):
        await pilot.press("p", "p", "n")
        await show(pilot, screen, dataclasses.replace(picture(8, 1), paused=True))
        assert screen.paused and "paused" in screen.title_bar.words

    training(check, 8, 1, tmp_path)


def test_a_game_that_is_there_no_more_is_not_waited_for():
    async def check(pilot, screen):
        await show(pilot, screen, picture(8, 5))
        await pilot.press("8", "left_square_bracket")
        for game in (3, 0):
            await show(pilot, screen, dataclasses.replace(picture(4, 5), game=game))
            assert screen.game == game

    in_app(LiveScreen(Told(watch_job(games=8)), "greedy"), check)


def test_a_run_that_is_told_two_things_within_an_iteration_does_both(tmp_path):
    trainer = Trainer(job(tmp_path), Link())
    trainer._carry_out(Level(4))
    trainer._carry_out(Games(16))
    assert (trainer._next.env.level, trainer._next.env.num_envs) == (4, 16)


def test_a_run_that_starts_anew_does_what_else_it_is_told(tmp_path):
    """Before and after, whatever is in its config.json."""
    (tmp_path / "config.json").write_text(to_json(dataclasses.replace(TINY, seed=7)))
    for commands in ((Level(4), Restart(), Games(16)), (Games(16), Restart(), Level(4), Restart())):
        trainer = Trainer(job(tmp_path), Link())
        for command in commands:
            trainer._carry_out(command)
        going_on = trainer._next
        assert (going_on.seed, going_on.env.level, going_on.env.num_envs) == (7, 4, 16)
        trainer._next = None  # it has got there
        trainer._carry_out(Restart())
        assert trainer._next.env == TINY.env


def test_a_run_that_is_of_another_network_by_its_settings_now_goes_on(tmp_path):
    for changed in (
        dataclasses.replace(TINY, net=dataclasses.replace(TINY.net, width=TINY.net.width + 8)),
        dataclasses.replace(TINY, env=dataclasses.replace(TINY.env, planes="extended")),
    ):
        (tmp_path / "config.json").write_text(to_json(changed))
        link = Link()
        trainer = Trainer(job(tmp_path), link)
        trainer._carry_out(Restart())
        assert trainer._next is None and "is of another network now" in link._reports[-1].text


def test_nobody_is_left_with_a_pause(tmp_path):
    """Who detaches, or loses the terminal after that, can let nothing go on."""
    link = Link()
    here, there = roomy_pipe()
    link.connect(there)
    for command in (Pause(True), Detach()):
        here.send(command)
    here.close()
    assert [link.command(PATIENCE) for _ in range(3)] == [Pause(True), Pause(False), Pace(FASTEST)]
    assert not link.stop.is_set()
